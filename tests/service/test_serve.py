"""`canaries serve` as a process: schedule, metrics, reload, holds, restart."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from sidecars import complete, mirroring, serving, standing_by, wait_until

EMBEDDED = "gateways: {it: {kind: embedded, models: [mirror/healthy]}}"
FAST = "gateways: {it: {kind: embedded, models: [MODEL], limits: {first_byte: 1s, total: 5s}}}\ncanaries:\n"
FAST += "  - {scenario: known-good, name: good, every: 10s, dialects: [openai_chat], stream: [false]}"


def deployed(url, model, budget=""):
    return (
        f"gateways: {{it: {{kind: openai-compatible, url: '{url}', models: [{model}]{budget}}}}}\n"
        "canaries:\n  - {scenario: known-good, name: good, every: 10s, dialects: [openai_chat], stream: [false]}"
    )


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("healthy"), EMBEDDED) as served:
        yield served


def test_every_case_runs_within_ten_seconds_of_ready(healthy):
    wait_until(lambda: all(case["verdict"] == "pass" for case in healthy.cases()), seconds=10)
    assert len(healthy.cases()) == 55


def test_metrics_hold_what_the_runs_found(healthy):
    wait_until(lambda: all(case["verdict"] == "pass" for case in healthy.cases()), seconds=10)
    case = {"canary": "known-good", "client_protocol": "openai_chat", "stream": "true", "model_id": "mirror/healthy"}
    assert healthy.value("llm_canary_success", **case) == 1
    assert healthy.value("llm_canary_runs_total", **case, outcome="pass") == 1
    assert healthy.value("llm_canary_runs_total", **case, outcome="fail") == 0
    assert healthy.value("llm_canary_failures_total", **case, reason="wrong_answer") == 0
    assert healthy.value("llm_canary_error_ratio", **case, window="recent") == 0
    assert healthy.value("llm_canary_error_ratio_runs", **case, window="recent") == 1
    assert healthy.value("llm_canary_duration_seconds_count", **case) == 1
    assert healthy.value("llm_canary_tokens_total", **case, kind="input") > 0
    assert healthy.value("llm_canary_cost_dollars_total", **case) is None, "the mirror has no price"
    assert healthy.value("llm_canary_interval_seconds", **case) == 600
    assert healthy.value("llm_canary_threshold", canary="known-good", severity="critical") == 0.05
    assert healthy.value("llm_canary_model_listed", model_id="mirror/healthy") == 1
    assert healthy.value("llm_gateway_up", gateway="it") == 1
    assert healthy.value("llm_gateway_breaker_state", state="closed") == 1
    assert healthy.value("llm_gateway_quota_remaining", unit="requests") > 0
    assert healthy.value("llm_sidecar_active") == 1
    assert healthy.value("llm_sidecar_build_info") == 1


def test_pages(healthy):
    assert healthy.get("/-/healthy") == (200, "healthy\n")
    assert healthy.get("/-/ready") == (200, "ready\n")
    wait_until(lambda: all(case["verdict"] == "pass" for case in healthy.cases()), seconds=10)
    status, page = healthy.get("/")
    assert status == 200
    assert "All well: 55 cases" in page
    run = healthy.cases()[0]["run"]
    kept = json.loads(healthy.get(f"/api/v1/runs/{run}")[1])
    assert (kept["id"], kept["outcome"], kept["evidence"]["finding"]["outcome"]) == (run, "pass", "pass")
    assert json.loads(healthy.get("/api/v1/runs")[1]) == {"runs": []}
    assert healthy.get("/api/v1/runs/999999")[0] == 404
    assert healthy.get("/api/v1/runs/nonsense")[0] == 404
    assert healthy.get("/-/reload")[0] == 405


def test_a_page_elsewhere_cannot_rebind_a_name_to_us(healthy):
    assert healthy.get("/api/v1/cases", Host="evil.example")[0] == 403
    assert healthy.get("/metrics", Host="evil.example")[0] == 200


def test_openmetrics_where_it_is_asked_for(healthy):
    status, body = healthy.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert body.rstrip().endswith("# EOF")


def test_stops_within_five_seconds_even_while_a_run_hangs(tmp_path):
    patient = FAST.replace("MODEL", "mirror/hang").replace("first_byte: 1s, total: 5s", "total: 60s")
    with serving(tmp_path, patient) as served:
        wait_until(lambda: served.value("llm_sidecar_runs_in_flight"))
        code, seconds = served.stop()
    assert code == 0
    assert seconds < 5
    assert "Traceback" not in served.log.read_text()


def test_state_and_ratios_survive_kill_9_and_counters_do_not(tmp_path):
    with serving(tmp_path, FAST.replace("MODEL", "mirror/wrong-answer")) as served:
        wait_until(lambda: served.value("llm_canary_error_ratio_runs", window="recent"))
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
    with serving(tmp_path, FAST.replace("MODEL", "mirror/wrong-answer")) as served:
        case = served.cases()[0]
        assert case["failures_in_a_row"] >= 1
        assert served.value("llm_canary_success") == 0
        assert case["windows"]["recent"]["failures"] >= 1
        first = served.value("llm_canary_runs_total", outcome="fail")
        assert first <= case["windows"]["recent"]["runs"], "a counter is never restored"


def test_evidence_is_read_beside_the_sidecar_that_writes_it(tmp_path):
    """By its state and by its URL: the same words, and the same judgement again."""
    with serving(tmp_path, FAST.replace("MODEL", "mirror/wrong-answer")) as served:
        number = wait_until(lambda: served.cases()[0]["run"])
        places = ["--state", str(tmp_path / "state")], ["--url", served.url]
        for command, code in ((["evidence", str(number)], 0), (["replay", str(number)], 0), (["evidence", "0"], 2)):
            told = [asked(*command, *place, cwd=tmp_path) for place in places]
            assert [each.returncode for each in told] == [code, code], told
            assert command[1] == "0" or told[0].stdout == told[1].stdout
            assert all(bool(each.stderr) == (code != 0) for each in told)
        listed = [asked("evidence", "--json", *place, cwd=tmp_path).stdout for place in places]
        rows = [json.loads(each)["runs"] for each in listed]
        assert {row["reason"] for each in rows for row in each} == {"wrong_answer"}
        assert number in {row["id"] for row in rows[0]} & {row["id"] for row in rows[1]}
    after = asked("evidence", str(number), *places[1], cwd=tmp_path)
    assert (after.returncode, after.stdout) == (2, "")
    assert after.stderr.startswith(f"{served.url}: no sidecar answers: ")


def asked(*arguments, cwd):
    command = [sys.executable, "-m", "llm_canaries", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60)


def test_a_failure_is_confirmed_and_the_confirmation_is_in_no_ratio(tmp_path):
    slow = FAST.replace("MODEL", "mirror/wrong-answer").replace("every: 10s", "every: 1h")
    with serving(tmp_path, slow) as served:
        wait_until(lambda: served.value("llm_canary_confirmations_total", outcome="fail") == 3, seconds=75)
        assert served.value("llm_canary_consecutive_failures") == 2, "the burst is one failure more"
        assert served.value("llm_canary_error_ratio_runs", window="1h") == 1
        assert served.value("llm_canary_runs_total", outcome="fail") == 1
        run = served.cases()[0]["run"]
        assert "I cannot do that" in served.get(f"/api/v1/runs/{run}")[1], "evidence of failures is kept"


def test_a_second_instance_stands_by_and_takes_over(tmp_path):
    with serving(tmp_path, EMBEDDED) as first, standing_by(tmp_path, EMBEDDED) as second:
        assert second.value("llm_sidecar_active") == 0
        assert second.get("/-/ready")[0] == 503
        assert second.get("/") == (503, "standing by: another instance holds the state\n")
        assert first.value("llm_sidecar_active") == 1
        first.stop()
        wait_until(second.is_ready)
        assert second.value("llm_sidecar_active") == 1


def test_reload_swaps_whole_or_keeps_the_old(tmp_path):
    with serving(tmp_path, EMBEDDED) as served:
        path = tmp_path / "canaries.yml"
        path.write_text(complete(tmp_path, EMBEDDED.replace("embedded", "embeded")))
        status, told = served.post("/-/reload")
        assert status == 422
        assert "canaries.yml:1: " in told
        assert "did you mean `embedded`" in told
        assert served.value("llm_sidecar_config_last_reload_successful") == 0
        assert len(served.cases()) == 55
        path.write_text(complete(tmp_path, FAST.replace("MODEL", "mirror/healthy")))
        assert served.post("/-/reload") == (200, "reloaded\n")
        assert served.value("llm_sidecar_config_last_reload_successful") == 1
        assert [case["canary"] for case in served.cases()] == ["good"]
        assert served.value("llm_canary_runs_total", canary="thinking", outcome="pass") is None
        wait_until(lambda: served.cases()[0]["verdict"] == "pass")


def test_rules_that_break_at_a_reload_leave_the_old_ones_at_work(tmp_path):
    rules = tmp_path / "mine.yml"
    watching = "groups:\n  - name: mine\n    rules:\n      - {alert: Mine, expr: 'llm_sidecar_active == 1'}\n"
    rules.write_text(watching)
    with serving(tmp_path, f"{EMBEDDED}\nrules: {{files: [{rules}]}}") as served:
        wait_until(lambda: alert_of(served, "Mine") == "firing", 30)
        rules.write_text(watching + "      - {alert: Broken, expr: 'rate(llm_canary_runs_total[5m]) >'}\n")
        status, told = served.post("/-/reload")
        assert status == 422
        assert "mine.yml" in told
        assert "rule `Broken`" in told
        assert served.value("llm_sidecar_config_last_reload_successful") == 0
        samples = served.value("llm_sidecar_window_samples", source="board")
        wait_until(lambda: served.value("llm_sidecar_window_samples", source="board") > samples, 30)
        assert alert_of(served, "Mine") == "firing", "the old rules go on"
        rules.write_text(watching.replace("Mine", "Other"))
        assert served.post("/-/reload") == (200, "reloaded\n")
        assert served.value("llm_sidecar_config_last_reload_successful") == 1
        wait_until(lambda: alert_of(served, "Other") == "firing", 30)


def alert_of(served, name):
    """The state of the alert `name`, None where it is not pending or firing."""
    alerts = json.loads(served.get("/api/v1/alerts")[1])["alerts"]
    return next((each["state"] for each in alerts if each["alertname"] == name), None)


def test_a_hundred_hangups_in_a_second_are_survived(tmp_path):
    with serving(tmp_path, EMBEDDED) as served:
        for _ in range(100):
            served.process.send_signal(signal.SIGHUP)
            time.sleep(0.005)
        wait_until(lambda: all(case["verdict"] == "pass" for case in served.cases()))
        assert served.value("llm_sidecar_config_last_reload_successful") == 1
        assert served.stop()[0] == 0
    assert "Traceback" not in served.log.read_text()


def test_a_retry_after_is_honoured_and_the_verdict_stays(tmp_path, mirror_process):
    with serving(tmp_path, deployed(mirror_process, "mirror/rate-limited")) as served:
        wait_until(lambda: served.value("llm_canary_held", reason="held_retry_after"), seconds=25)
        assert served.value("llm_canary_held_until_timestamp_seconds") > time.time() - 1
        assert served.value("llm_canary_success") == 0
        assert served.value("llm_canary_confirmations_total", outcome="fail") == 0, "a 429 is never asked again at once"


def test_the_daily_cap_is_hard(tmp_path, mirror_process):
    budget = ", budget: {requests: 1, tokens: 100000}"
    with serving(tmp_path, deployed(mirror_process, "mirror/healthy", budget)) as served:
        wait_until(lambda: served.value("llm_canary_runs_total", outcome="skip"), seconds=40)
        assert served.value("llm_canary_runs_total", outcome="pass") == 1
        assert served.value("llm_canary_held", reason="held_budget") == 1
        assert served.value("llm_canary_success") == 1, "held, not healed"


@pytest.fixture(scope="module")
def mirror_process(tmp_path_factory):
    with mirroring(tmp_path_factory.mktemp("mirror")) as url:
        yield url


@pytest.mark.parametrize("state", ["/proc/no/such/place", "/dev/null/x"])
def test_a_state_that_cannot_be_is_told_plainly(state, tmp_path):
    path = tmp_path / "canaries.yml"
    path.write_text(f"{EMBEDDED}\nstate: {state}\n")
    done = subprocess.run(
        [sys.executable, "-m", "llm_canaries", "serve", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2
    assert state in done.stderr
    assert "Traceback" not in done.stderr
