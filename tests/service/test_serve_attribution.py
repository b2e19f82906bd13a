"""`canaries serve` finds out whose fault a failure is: a gateway that cuts streams beside a provider that does not."""

from sidecars import mirroring, serving, wait_until


def configured(url):
    """A mirror that cuts streams as the gateway, and its sound model, under the same name, as the twin's provider."""
    return f"""
gateways:
  home: {{kind: openai-compatible, url: "{url}", models: [mirror/stream-cut], dialects: [openai_chat], twin: own}}
  own:
    kind: embedded
    models: [mirror/healthy]
    providers: {{p: {{url: "{url}", profile: mirror, aliases: {{mirror/stream-cut: mirror/healthy}}}}}}
canaries:
  - {{scenario: known-good, name: good, gateway: home, every: 10s, stream: [true]}}
"""


def having(served, name, value):
    """The cases with this value."""
    return [case for case in served.cases() if case[name] == value]


def test_a_failure_is_attributed_and_the_evidence_is_told(tmp_path):
    with mirroring(tmp_path) as url, serving(tmp_path, configured(url)) as served:
        (case,) = wait_until(lambda: having(served, "verdict", "fail"))
        assert case["reason"] == "truncated_stream"
        assert case["fault_domain"] == "provider", "one failure beside one direct pass proves nothing"
        assert served.value("llm_canary_faults_total", gateway="home", fault_domain="provider") == 1
        assert served.value("llm_canary_confirmations_total", outcome="pass") == 1, "the twin's run"
        assert served.value("llm_canary_error_ratio_runs", window="recent") == 1
        runs = served.value("llm_canary_runs_total", canary="good", outcome="fail")
        (case,) = wait_until(lambda: having(served, "fault_domain", "translation"), seconds=40)
        assert case["because"].pop(2).startswith("that was found at the first failure of this row, run ")
        assert case["because"] == [
            "at home: failed with truncated_stream, by itself a matter of: provider",
            "directly, through own: passed",
            "once more at home: failed",
            "the same ask through the embedded core passed; the gateway lost it, twice: translation",
        ]
        wait_until(lambda: served.value("llm_canary_faults_total", fault_domain="translation"), seconds=30)
        assert served.value("llm_canary_confirmations_total", outcome="pass") == 1, "once in a row of failures"
        assert served.value("llm_canary_runs_total", canary="good", outcome="fail") > runs
        assert "(translation)" in served.get("/")[1]
        assert served.value("llm_sidecar_network_up") is None, "nobody looked"


def test_a_budget_that_is_used_up_asks_nobody_directly(tmp_path):
    with mirroring(tmp_path) as url:
        capped = configured(url).replace("kind: embedded\n", "kind: embedded\n    budget: {tokens: 1}\n")
        with serving(tmp_path, capped) as served:
            wait_until(lambda: having(served, "verdict", "fail"))
            assert served.value("llm_canary_confirmations_total", outcome="pass") == 0
            assert served.cases()[0]["because"] == []
