"""The texts of alerts: rules/template.py and rules/humanize.py; test_against_promtool.py compares with the real one."""

import math

import pytest

from llm_canaries.rules.promql.parse import parse
from llm_canaries.rules.template import TemplateError, read_template
from llm_canaries.rules.vector import EMPTY, vector_of

LABELS = {"model_id": "gpt", "__name__": "x"}
RENDERED = [
    ("plain", 1.0, "plain"),
    ("", 1.0, ""),
    ("{{ $labels.model_id }} {{$value}}", 2.0, "gpt 2"),
    ("{{ .Labels.model_id }} {{ .Value }}", 2.5, "gpt 2.5"),
    ("[{{ $labels.missing }}]", 1.0, "[]"),
    ("{{ $value | humanizePercentage }}", 0.0305, "3.05%"),
    ("{{ humanizePercentage $value }}", 0.8609, "86.09%"),
    ("{{ $value | humanize }}", 1_234_567.0, "1.235M"),
    ("{{ $value | humanize }}", 0.00012, "120u"),
    ("{{ $value | humanize1024 }}", 2048.0, "2ki"),
    ("{{ $value | humanizeDuration }}", 4205.0, "1h 10m 5s"),
    ("{{ $value | humanizeDuration }}", -90_061.0, "-1d 1h 1m 1s"),
    ("{{ $value | humanizeDuration }}", 0.05, "50ms"),
    ("{{ $value | humanizeDuration }}", 1e300, "1e+300s"),
    ("{{ $value }}", 1e21, "1e+21"),
    ('{{ printf "%.2f" $value }}', 3.14159, "3.14"),
    ('{{ printf "%s at %.1f%%" $labels.model_id $value }}', 3.14159, "gpt at 3.1%"),
    ('{{ $value | printf "%.0f" }}', 2.5, "2"),
    ('{{ $value | humanize | printf "%s!" }}', 1000.0, "1k!"),
    ('{{ "a\\"b" }}{{ `raw` }}', 0.0, 'a"braw'),
    ("{{ $value }}", math.nan, "NaN"),
    ("{{ $value }}", math.inf, "+Inf"),
    ("{{ $value }}", 1e6, "1e+06"),
    ("{{ $value }}", 1_234_567.0, "1.234567e+06"),
    ("{{ $value }}", 123_456.0, "123456"),
    ("{{ $value }}", 1e-05, "1e-05"),
    ("{{ $value }}", -0.0001, "-0.0001"),
]
REFUSED = [
    ("{{ $labels.x", "never closed"),
    ("{{ }}", "nothing where"),
    ("{{- $value }}", "not understood"),
    ("{{ range query `up` }}{{ end }}", "not understood"),
    ("{{ if gt $value 1.0 }}x{{ end }}", "not understood"),
    ("{{ $externalLabels.cluster }}", "not understood"),
    ("{{ $labels }}", "not understood"),
    ("{{ . }}", "not understood"),
    ("{{ query `up` | first }}", "`query` is understood as"),
    ("{{ query `up` | first | sortByLabel }}", "not understood"),
    ("{{ query `up(` | first | value }}", "not PromQL"),
    ("{{ query $value | first | value }}", "`query` is understood as"),
    ("{{ $value | humanizeTimestamp }}", "`humanizeTimestamp`"),
    ("{{ $value | toUpper }}", "`toUpper`"),
    ("{{ $labels.x | humanize }}", "wants one number"),
    ("{{ humanize }}", "wants one number"),
    ("{{ $value | humanize | humanize }}", "wants one number"),
    ("{{ $value $value }}", "not understood"),
    ("{{ $value | }}", "nothing where"),
    ("{{ $value | $value }}", "not understood"),
    ('{{ printf "%d" $value }}', "`%d`"),
    ('{{ printf "%s" $value }}', "does not fit"),
    ('{{ printf "%.2f" $labels.x }}', "does not fit"),
    ('{{ printf "%.2f" }}', "wants 1 values"),
    ('{{ printf "%+v" $value }}', "not understood"),
    ("{{ printf $value }}", "wants a format"),
    ('{{ "\\x" }}', "not understood"),
    ("{{ 1.5 | humanize }}", "not understood"),
]


@pytest.mark.parametrize(("text", "value", "said"), RENDERED, ids=[f"{each[0]} {each[1]}" for each in RENDERED])
def test_rendered(text, value, said):
    assert read_template(text).render(LABELS, value) == said


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[each[0] for each in REFUSED])
def test_what_is_not_understood_is_refused(text, said):
    with pytest.raises(TemplateError) as caught:
        read_template(text)
    assert said in str(caught.value)


def test_a_fixed_text_is_known():
    assert read_template("critical").fixed == "critical"
    assert read_template("{{ $labels.severity }}").fixed is None


def test_a_query_asks_for_another_expression():
    """The first series' value or label; without one, what Prometheus says then."""
    asked = []

    def ask(plan):
        asked.append(plan)
        return vector_of([{"queue": "steps"}], [1234.5]) if plan == parse("depth") else EMPTY

    text = '{{ query "depth" | first | value | humanize }} in {{ query "depth" | first | label "queue" }}'
    assert read_template(text).render({}, 0.0, ask) == "1.234k in steps"
    assert read_template(text).queries and not read_template("{{ $value }}").queries
    assert len(asked) == 2
    gone = read_template('{{ query "gone" | first | value }}').render({}, 0.0, ask)
    assert gone == "<error expanding template: first() called on vector with no elements>"
