"""Covers cli/check.py and cli/day_text.py: what a day costs, who gives way, and how soon rules notice."""

import json
import re

from commands import canaries

GATEWAY = "{kind: openai-compatible, url: 'http://127.0.0.1:9', models: [gpt-5-mini, no-such-model]"
TIGHT = f"""\
gateways:
  home: {GATEWAY}, budget: {{tokens: 40000}}}}
  small: {GATEWAY}, budget: {{tokens: 100}}}}
canaries:
  - {{use: known-good, gateway: home, every: 10m}}
  - {{use: tool-round-trip, gateway: home, every: 1h, priority: low}}
  - {{use: known-good, gateway: small, every: 1h, models: [gpt-5-mini]}}
budget: {{dollars: 0.01}}
"""


def check(folder, text, *more):
    (folder / "canaries.yml").write_text(text)
    return canaries("check", *more, cwd=folder)


def test_what_a_day_costs_and_who_gives_way(tmp_path):
    done = check(tmp_path, TIGHT)
    assert done.returncode == 0, "a warning is no error"
    said = done.stdout.splitlines()
    (home,) = (line for line in said if line.startswith("home: "))
    tokens, most = (float(each.replace(",", "")) for each in re.findall(r"([\d,]+) tokens and \$", home))
    assert most > 3 * tokens, "a reasoning model may take 512 tokens to say six digits"
    assert home.endswith("where reasoning takes every answer to its limit; capped at 10,000 requests, 40,000 tokens.")
    (warned,) = (line for line in said if line.startswith("warning: home: if it comes to that, "))
    assert re.search(r"the tokens are spent at \d\d:\d\d UTC; low-priority canaries will stretch from \d\d:", warned)
    assert "warning: home: no price for model no-such-model: its dollars are not counted; set `prices`" in said
    assert any(re.fullmatch(r"all gateways: .* a day, at most .*; capped at \$0\.01\.", line) for line in said)
    whole = "warning: all gateways: if it comes to that, the dollars are spent at "
    assert any(line.startswith(whole) for line in said)
    (never,) = (line for line in said if "never runs" in line)
    assert never.startswith("warning: small: known-good for gpt-5-mini never runs: a run may need 1 request, ")


def test_with_enough_there_is_no_warning(tmp_path):
    done = check(tmp_path, TIGHT.replace("40000", "4000000").replace("100}", "100000}").replace("0.01", "100"))
    assert [line for line in done.stdout.splitlines() if "comes to that" in line or "never" in line] == []


def test_a_cap_that_reasoning_alone_comes_to(tmp_path):
    done = check(tmp_path, TIGHT.replace("40000", "400000").replace("0.01", "100"))
    (warned,) = (line for line in done.stdout.splitlines() if line.startswith("warning: home: where reasoning takes "))
    assert re.search(r"every answer to its limit, the tokens are spent at \d\d:\d\d UTC$", warned)


def test_rules_are_told_with_false_alarms_and_delays(tmp_path):
    done = check(tmp_path, TIGHT)
    table = done.stdout[done.stdout.index("Rules, if 0.5% of runs fail") :]
    row = re.search(r"KnownGoodErrorRatio +warning +12 +([\d.e-]+) +(\S+) +(\S+)\n", table)
    assert row is not None, table
    assert float(row[1]) < 0.05
    assert "KnownGoodFailing" in table


def test_the_same_as_json(tmp_path):
    done = check(tmp_path, TIGHT, "--json")
    said = json.loads(done.stdout)
    assert said.keys() == {"source", "cases", "canaries", "gateways", "total", "warnings", "rules"}
    home = said["gateways"]["home"]
    assert home["budget"] == {"requests": 10_000, "tokens": 40_000, "dollars": None}
    assert home["most"].keys() == {"tokens", "dollars", "spent_at"}
    assert home["most"]["tokens"] > home["tokens"] and home["most"]["spent_at"]["tokens"] < home["spent_at"]["tokens"]
    assert home["unpriced"] == ["no-such-model"]
    assert 0 < home["spent_at"]["tokens"] < 86400
    assert home["stretched_from"].keys() == {"low"}
    assert said["total"]["budget"]["dollars"] == 0.01
    assert any(warning.startswith("small: known-good") for warning in said["warnings"])
    rule = said["rules"][0]
    assert rule.keys() == {"alert", "severity", "cases", "a_week", "total", "tenth"}


def test_rule_files_that_cannot_be_loaded_are_problems_of_the_configuration(tmp_path):
    (tmp_path / "mine.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: 'x >'}]}]\n")
    done = check(tmp_path, TIGHT + "rules: {files: [mine.yml]}\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "mine.yml:1" in done.stderr


def test_the_built_in_mirror_is_free(tmp_path):
    done = canaries("check", cwd=tmp_path)
    assert re.search(r"embedded: [\d,]+ requests and [\d,]+ tokens a day", done.stdout)
    assert "at the built-in mirror: free." in done.stdout
    assert "warning" not in "".join(line for line in done.stdout.splitlines() if line.startswith("embedded"))


def test_a_threshold_that_no_rule_reads_is_warned_of(tmp_path):
    config = (
        "gateways: {home: {kind: openai-compatible, url: 'http://127.0.0.1:9', models: [m], dialects: [openai_chat]}}\n"
        "canaries: [{use: known-good, thresholds: {error_rate: {warning: 2%}, error_ratio: {warning: 3%}}}]\n"
    )
    done = check(tmp_path, config)
    assert done.returncode == 0
    (warned,) = (line for line in done.stdout.splitlines() if "threshold" in line)
    assert "known-good: no rule reads its threshold `error_rate`; did you mean `error_ratio`?" in warned
    assert "threshold" not in check(tmp_path, config + "rules: {evaluate: false}\n").stdout, "others may read it"


def test_a_case_that_skips_costs_nothing(tmp_path):
    def home(models):
        gateway = f"{{kind: openai-compatible, url: 'http://127.0.0.1:9', models: [{models}], dialects: [openai_chat]}}"
        done = check(tmp_path, f"gateways: {{home: {gateway}}}\ncanaries: [{{use: tool-result-image}}]\n", "--json")
        return json.loads(done.stdout)

    one, both = home("gpt-5-mini"), home("gpt-5-mini, {id: blind, vision: false}")
    assert one["gateways"]["home"]["requests"] == both["gateways"]["home"]["requests"] > 0
    assert both["cases"] == 2 * one["cases"]
