"""The same rules and tests under the real promtool: texts, matching, clocks and verdicts are the same."""

import json
import subprocess
from pathlib import Path

import pytest
from promtools import PROMTOOLS, promtool

from llm_canaries.rules.evaluate import evaluate
from llm_canaries.rules.load import load
from llm_canaries.rules.trial import run_tests
from llm_canaries.rules.unittest import read_tests

VALUES = (0.0, 1.0, -1.0, 0.05, 0.8609, 1e-05, 0.0001, 100_000.0, 1e6, 1_234_567.0, 123_456.0, 1.5e-10, 59.9,
          3661.0, 100_000.5, 90_061.0, -4205.0, 3.3333333333333335, 1023.0, 1025.0, 2.5, 9e18,
          float("inf"))  # fmt: skip
TEXTS = ("{{ $value }}", "{{ $value | humanize }}", "{{ $value | humanize1024 }}", "{{ $value | humanizePercentage }}",
         "{{ $value | humanizeDuration }}", '{{ printf "%.2f|%.0f|%g|%e|%v|%%" $value $value $value $value $value }}',
         '{{ printf "%s" $labels.a }}-{{ $labels.b }}-{{ .Labels.a }}',
         '{{ query "x" | first | value | humanize }} {{ query `x * 2` | first | label "a" }}',
         '{{ query "x" | first | value | printf "%.1f" }}')  # fmt: skip

CLOCKS = """
groups:
  - name: clocks
    rules:
      - {alert: Now, expr: x > 0}
      - {alert: Wait, expr: x > 0, for: 2m}
      - {alert: Keep, expr: x > 0, keep_firing_for: 3m}
      - {alert: Both, expr: x > 0, for: 2m, keep_firing_for: 3m}
      - {record: total, expr: sum without (i) (x)}
      - {alert: Total, expr: total > 1}
"""
MEMORY = """
groups:
  - name: memory
    rules:
      - {record: total, expr: sum without (i) (x)}
      - {record: twice, expr: total * 2, labels: {own: "{{ $value }}"}}
      - {alert: Sum, expr: 'sum_over_time(total[3m30s]) > 4'}
      - {alert: Before, expr: 'twice{own!=""} offset 90s > 2'}
      - {alert: Wait, expr: x > 0, for: 2m}
      - {alert: Since, expr: 'time() - ALERTS_FOR_STATE{alertname="Wait"} >= 60', keep_firing_for: 2m}
      - {alert: Firing, expr: 'count(ALERTS{alertstate="firing", alertname!="Firing"}) > 1'}
      - {alert: Was, expr: 'max_over_time(ALERTS{alertname="Wait", alertstate="pending"}[90s])'}
      - {alert: Changes, expr: 'changes(total[10m30s]) + resets(total[10m30s]) > 4', for: 1m}
      - {alert: None, expr: 'absent(total) or absent_over_time(twice[2m30s])'}
"""
RULES = {"clocks": (CLOCKS, ("Now", "Wait", "Keep", "Both", "Total")),
         "memory": (MEMORY, ("Sum", "Before", "Wait", "Since", "Firing", "Was", "Changes", "None"))}  # fmt: skip
CLOCK_TEST = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'x{{i="1"}}', values: '0 1 1 0 1 1 1 1 stale _x4 1 NaN 1 1 1 0x20'}}
      - {{series: 'x{{i="2"}}', values: '_x3 2x8 _x4 1x4 0x20'}}
    alert_rule_test:
{expectations}
"""
VERDICTS = [  # one expression test each, whether it passes
    ("x", "1m30s", "[{labels: 'x', value: 1}]", True),
    ("x", "1m30s", "[{labels: 'x', value: 1.0000001}]", False),
    ("x", "1m30s", "[]", False),
    ("x", "2m30s", "[{labels: 'x', value: .nan}]", False),
    ("x", "4m30s", "[]", True),
    ("x + 1", "1m", "[{labels: '{}', value: 2}]", True),
    ("3", "1m", "[{labels: '{}', value: 3}]", True),
    ("y", "9m30s", "[{labels: 'y{a=\"p\"}', value: 5}]", True),
    ("y", "10m30s", "[]", True),
    ("w < on(a) group_right() y", "1m30s", "[{labels: 'y{a=\"p\"}', value: 2}]", True),
    ("y > on(a) group_left() w", "1m30s", "[{labels: 'y{a=\"p\"}', value: 5}]", True),
    ("y > on(a) w", "1m30s", "[{labels: '{a=\"p\"}', value: 5}]", True),
    ("y > on(a) w", "1m30s", "[{labels: 'y{a=\"p\"}', value: 5}]", False),
]
VERDICT_TEST = """
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: x, values: '0 1 NaN 3 stale'}}
      - {{series: 'y{{a="p"}}', values: '5x5'}}
      - {{series: 'w{{a="p", b="q"}}', values: '2x5'}}
    promql_expr_test:
      - {{expr: '{0}', eval_time: {1}, exp_samples: {2}}}
"""


def run(which: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [promtool(which), "test", "rules", "tests.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def ours(folder: Path) -> list[str]:
    text = (folder / "tests.yml").read_text(encoding="utf-8")
    tests = read_tests("tests.yml", text, lambda name: {name: (folder / name).read_text(encoding="utf-8")})
    return [str(failure) for failure in run_tests(tests)]


@pytest.mark.parametrize("which", PROMTOOLS)
def test_texts(which, fixed, tmp_path):
    rules = {
        "alert": "A",
        "expr": "x",
        "annotations": {f"t{number}": text for number, text in enumerate(TEXTS)},
    }
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [rules]}]}))
    (group,) = load({"rules.yml": (tmp_path / "rules.yml").read_text()})
    tests = []
    for value in VALUES:
        (alert,) = evaluate(group, fixed({'x{a="p\\"q"}': value}), 0.0).firing
        expected = {"exp_labels": {"a": 'p"q'}, "exp_annotations": dict(alert.annotations)}
        values = "Inf" if value == float("inf") else repr(value)
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": 'x{a="p\\"q"}', "values": values}],
                "alert_rule_test": [{"eval_time": "30s", "alertname": "A", "exp_alerts": [expected]}],
            }
        )
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yml").write_text(json.dumps(document, ensure_ascii=False))
    done = run(which, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ours(tmp_path) == []


@pytest.mark.parametrize("which", PROMTOOLS)
@pytest.mark.parametrize("what", RULES)
def test_clocks(what, which, tmp_path):
    """What fires at every minute of a bumpy course, as ours says it, is what promtool finds.

    No gap is five minutes: at the very end of the lookback, 2 still sees a value and 3 (like ours) does not.
    """
    rules, names = RULES[what]
    (tmp_path / "rules.yml").write_text(rules)
    nothing = "".join(
        f"      - {{eval_time: {minute}m30s, alertname: {name}, exp_alerts: []}}\n"
        for minute in range(35)
        for name in names
    )
    (tmp_path / "tests.yml").write_text(CLOCK_TEST.format(expectations=nothing))
    found: dict[tuple[int, str], list[str]] = {}
    tests = read_tests("tests.yml", (tmp_path / "tests.yml").read_text(), lambda name: {name: rules})
    for failure in run_tests(tests):
        head, *lines = failure.message.split("\n")
        name, _, at = head.removesuffix(" s:").partition(" at ")
        found[int(float(at)) // 60, name] = [line.partition(": ")[2].removesuffix(" {}") for line in lines]
    expectations = ""
    for minute in range(35):
        for name in names:
            alerts = [f"{{exp_labels: {_labels(each)}}}" for each in found.get((minute, name), [])]
            told = ", ".join(alerts)
            expectations += f"      - {{eval_time: {minute}m30s, alertname: {name}, exp_alerts: [{told}]}}\n"
    assert len(found) > 40
    (tmp_path / "tests.yml").write_text(CLOCK_TEST.format(expectations=expectations))
    assert ours(tmp_path) == []
    done = run(which, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def _labels(shown: str) -> str:
    pairs = [each.partition("=") for each in shown.strip("{}").split(", ")]
    return "{" + ", ".join(f"{name}: {value}" for name, _, value in pairs if name != "alertname") + "}"


@pytest.mark.parametrize("which", PROMTOOLS)
@pytest.mark.parametrize("case", VERDICTS, ids=[f"{each[0]} {each[2]}" for each in VERDICTS])
def test_verdicts(which, case, tmp_path):
    *parts, passes = case
    (tmp_path / "tests.yml").write_text(VERDICT_TEST.format(*parts))
    assert (run(which, tmp_path).returncode == 0) is passes
    assert (ours(tmp_path) == []) is passes


@pytest.mark.parametrize("which", PROMTOOLS)
@pytest.mark.parametrize("limit", [1, 2])
def test_more_than_the_limit_fails(which, limit, tmp_path):
    rules = f"groups: [{{name: g, limit: {limit}, rules: [{{alert: A, expr: x > 0}}, {{record: r, expr: x}}]}}]"
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "tests.yml").write_text(
        "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n"
        "      - {series: 'x{i=\"1\"}', values: '1x5'}\n      - {series: 'x{i=\"2\"}', values: '1x5'}\n"
        "    alert_rule_test:\n      - {eval_time: 90s, alertname: A, exp_alerts: [{exp_labels: {i: '1'}},"
        " {exp_labels: {i: '2'}}]}\n"
    )
    assert (run(which, tmp_path).returncode == 0) is (limit == 2)
    assert (ours(tmp_path) == []) is (limit == 2)
