"""Selectors held against the table of families: rules/families.py."""

from llm_canaries.rules.families import strangers
from llm_canaries.rules.load import load

LABELS = {"llm_gateway_up": ("gateway", "kind"), "llm_canary_duration_seconds": ("canary",)}


def told(expression: str) -> list[str]:
    groups = load({"r.yml": f"groups: [{{name: g, rules: [{{alert: A, expr: '{expression}'}}]}}]"})
    unfilled = {"llm_gateway_info": "no page is read yet"}
    return [each.message for each in strangers(groups, LABELS, ("llm_canary_duration_seconds",), unfilled)]


def test_what_is_exported_is_no_stranger():
    assert told('llm_gateway_up{gateway="a", job="j", instance=~"i.*"} == 0') == []
    assert told('llm_canary_duration_seconds_bucket{le="+Inf"} > 0') == []
    assert told('something_else{x="y"} + on() {__name__=~"llm_.*"}') == []


def test_strangers_are_told():
    assert told("llm_gateway_upp > 0") == [
        "group `g`, rule `A`: no family is named `llm_gateway_upp`; did you mean `llm_gateway_up`?"
    ]
    assert "has no label `state`; it has gateway, kind" in told('llm_gateway_up{state="x"} > 0')[0]
    assert "no family is named `llm_canary_duration_seconds`" in told("llm_canary_duration_seconds > 1")[0]
    assert "nothing fills `llm_gateway_info`: no page is read yet" in told("sum(llm_gateway_info) > 1")[0]
    assert len(told("llm_a > 1 or llm_canary_b > 1 or llm_canary_b > 2")) == 1
