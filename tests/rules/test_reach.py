"""Rules that can never fire, found from families or from a scraped page: rules/reach.py, rules/shapes.py."""

import os
from pathlib import Path

import numpy as np
import pytest

from llm_canaries.rules.evaluate import evaluate
from llm_canaries.rules.load import load
from llm_canaries.rules.outputs import Outputs
from llm_canaries.rules.promql.parse import parse
from llm_canaries.rules.reach import shape_of
from llm_canaries.rules.window import Window, slots_needed
from llm_canaries.service.rule_checks import examine, on_page
from llm_canaries.service.vocabulary import our_world, page_series, page_world

PAGE = """
# TYPE requests_total counter
requests_total{provider="a",status="error"} 3
requests_total{provider="b",status="error"} 1
# TYPE breaker_state gauge
breaker_state{provider="a"} 1
# TYPE latency_seconds histogram
latency_seconds_bucket{provider="a",le="1"} 1
latency_seconds_bucket{provider="a",le="10"} 2
latency_seconds_bucket{provider="a",le="+Inf"} 2
latency_seconds_sum{provider="a"} 3
latency_seconds_count{provider="a"} 2
# TYPE queue_depth gauge
"""
NEVER = [
    ("request_total > 0", "there is no series `request_total`; did you mean `requests_total`?"),
    ('breaker_state{state="open"} == 1', "`breaker_state` has no label `state`"),
    ('sum(rate(requests_total{status="success"}[5m])) == 0 and sum(rate(requests_total[5m])) > 0', 'status="success"'),
    ("histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket[5m]))) > 60", "at most 10 is never > 60"),
    ("requests_total / on (status) group_left () breaker_state", "joined by `status`"),
    ("requests_total > breaker_state", "joined by `status`: `error` on the left, not there on the right"),
    ('requests_total{provider="b"} and on (provider) breaker_state', "joined by `provider`: `b` on the left, `a`"),
    ("rate(requests_total[5m]) < 0", "what is at least 0 is never < 0"),
    ("count(requests_total) < 1", "what is at least 1 is never < 1"),
    ("clamp_max(nowhere, 1) or nowhere_else", "there is no series `nowhere_else`"),
]
MAYBE = [
    'sum(rate(requests_total{status="error"}[5m])) == 0 and sum(rate(requests_total[5m])) > 0',
    "histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket[5m]))) > 5",
    "absent(nowhere)",
    "absent_over_time(nowhere[5m]) == 1",
    "queue_depth > 5",
    'queue_depth{queue="x"} > 5',
    "breaker_state unless nowhere",
    "nowhere or breaker_state == 1",
    "requests_total / ignoring (status) group_left () breaker_state",
    "requests_total * on (provider) group_left () breaker_state",
    '{__name__=~"nowhere.*"} > 0',
    'label_replace(breaker_state, "state", "open", "provider", "(.*)") == on (state) breaker_state',
    "vector(1) > 0",
    "time() - breaker_state > 0",
    "topk(3, requests_total) > 1",
    "max_over_time(sum(requests_total)[10m:1m]) > 1",
    "-breaker_state < 0",
    "breaker_state > bool 7",
]


@pytest.mark.parametrize(("text", "why"), NEVER, ids=[each[0][:50] for each in NEVER])
def test_what_can_never_be(text, why):
    shape = shape_of(parse(text), page_world({"page": PAGE}))
    assert shape.never
    assert why in shape.why


@pytest.mark.parametrize("text", MAYBE)
def test_what_can_be_is_not_told(text):
    assert not shape_of(parse(text), page_world({"page": PAGE})).never


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("llm_canary_success == 0 and on (job, instance, canary) llm_canary_threshold", False),
        ("llm_canary_success == 0 and llm_canary_threshold", True),
        ("llm_canary_error_ratio > llm_canary_success", True),
        ("llm_canary_error_ratio > ignoring (window) llm_canary_success", False),
        ('llm_canary_error_ratio{window="1h"} > ignoring (window) llm_canary_error_ratio{window="10m"}', False),
        ('llm_canary_error_ratio{window="1h"} > llm_canary_error_ratio{window="10m"}', True),
        ("llm_gateway_breaker_state and on (gateway, model_id) llm_gateway_up", False),
        ("llm_gateway_breaker_state and on (gateway, kind) llm_gateway_up", True),
        ("histogram_quantile(0.9, rate(llm_canary_duration_seconds_bucket[5m])) > 120", True),
        ("somebody_elses > on (x) somebody_elses_too", False),
    ],
)
def test_joins_of_our_families(text, never):
    assert shape_of(parse(text), our_world()).never is never


def test_recorded_series_are_known_to_later_rules():
    rules = "{record: r, expr: 'sum by (provider) (requests_total)'}, {alert: A, expr: 'r > 1 and r{status=\"error\"}'}"
    groups = load({"r.yml": f"groups: [{{name: g, rules: [{rules}]}}]"})
    (told,) = examine(groups, {}, ("A",), {"page": PAGE})
    assert told.message == "group `g`, rule `A`: can never fire: `r` has no label `status`"


# -- the orchestrator's own rules (watched-systems.md 1.6) -----------------------------------------------------------

RECORDINGS = Path(os.environ.get("WIRE_RECORDINGS_DIR") or Path(__file__).parents[3] / "shared" / "recordings")
RULES = sorted((RECORDINGS / "orchestrator-rules").glob("*.yml"))
here = pytest.mark.skipif(not RULES, reason="the recorded rules are not here; WIRE_RECORDINGS_DIR names their folder")


def page(name: str) -> dict[str, str]:
    return {name: (RECORDINGS / "pages" / name).read_text(encoding="utf-8")}


def told(*pages: str) -> dict[str, str]:
    """The alerts that can never fire, with the reason, as `check` tells of the recorded files."""
    groups = load({path.name: path.read_text(encoding="utf-8") for path in RULES})
    assert sum(len(group.rules) for group in groups) == 36
    found = examine(groups, {}, (), {name: text for each in pages for name, text in page(each).items()})
    return {each.message.split("`")[3]: each.message.partition("can never fire: ")[2] for each in found}


@here
def test_the_orchestrators_rules_that_can_never_fire():
    reasons = told("orchestrator_metrics.txt")
    provider = {name for name in reasons if name.startswith(("Provider", "AllProviders", "MultipleCircuit"))}
    assert len(provider) == 14, "none of their series exist"
    assert all("there is no series `orchestrator_provider_" in reasons[name] for name in provider)
    assert reasons["QueueProcessingLatencySLOViolation"] == "what is at most 10 is never > 60", "the top bucket is 10 s"
    for name in ("KafkaConnectionFailure", "RabbitMQConnectionFailure"):
        assert reasons[name].endswith('has result="error"; there is "completed"'), "a value that is never emitted"
    assert 'transport="kafka"; there is "rabbitmq"' in reasons["KafkaConsumerLagHigh"]
    own = {"QueueDepthHigh", "QueueDepthCritical", "QueueProcessingSlowdown", "HighDeadLetterRate", "HighRetryRate",
           "HPAMetricsMissing", "MessageProcessingSLOViolation", "KafkaPartitionLagImbalanced"}  # fmt: skip
    assert not own & set(reasons), "these can: their series are there, or announced"
    kubernetes = set(reasons) - provider - {"QueueProcessingLatencySLOViolation", "KafkaConnectionFailure",
                                            "RabbitMQConnectionFailure", "KafkaConsumerLagHigh"}  # fmt: skip
    assert len(kubernetes) == 10
    assert all("no series `kube_" in reasons[name] or "no series `container_" in reasons[name] for name in kubernetes)


@here
def test_had_the_names_been_right():
    """All providers down with no success ever seen, and a breaker without the label that the rule wants."""
    (text,) = page("orchestrator_provider_metrics_if_wired.txt").values()
    wired = text.replace("provider_circuit_breaker_state", "orchestrator_provider_circuit_breaker_state")
    wired += 'orchestrator_provider_requests_total{provider="openai",status="error"} 3\n'
    groups = load({path.name: path.read_text(encoding="utf-8") for path in RULES})
    reasons = {each.message.split("`")[3]: each.message for each in examine(groups, {}, (), {"wired": wired})}
    for name in ("ProviderCircuitBreakerOpen", "MultipleCircuitBreakersOpen"):
        assert "`orchestrator_provider_circuit_breaker_state` has no label `state`" in reasons[name]
    assert 'status="success"; there is "error"' in reasons["AllProvidersDown"]
    assert "ProviderHighErrorRate" not in reasons


@here
def test_what_begins_on_an_idle_orchestrator():
    """The critical HPAMetricsMissing: no gauge has a sample before the first message."""
    groups = load({path.name: path.read_text(encoding="utf-8") for path in RULES})
    (note,) = on_page(groups, page("orchestrator_metrics_idle.txt"))
    assert note.startswith("HPAMetricsMissing begins on this page at once")
    busy = [each.split()[0] for each in on_page(groups, page("orchestrator_metrics.txt"))]
    assert busy == []


@here
def test_they_are_evaluated_unchanged_over_a_scraped_page():
    """Eleven minutes of a deep queue and lost messages: what fires is what the rules say, and none of them fails."""
    groups = load({path.name: path.read_text(encoding="utf-8") for path in RULES})
    (text,) = page("orchestrator_metrics.txt").values()
    series = page_series(text)
    names = [labels for labels, _ in series]
    window = Window(slots_needed(30.0, 4200.0), 4200.0)
    window.align(names)
    states, outputs, firing = {}, Outputs(30.0, 4200.0), {}
    for step in range(22):
        at = 10_000.0 + 30.0 * step
        values = [_moved(labels, value, step) for labels, value in series]
        window.append(at, np.array(values))
        for number, group in enumerate(groups):
            found = evaluate(group, window, at, states.get(number, ()), outputs)
            assert found.problems == ()
            states[number] = found.states
            firing |= {alert.labels["alertname"]: alert for alert in found.firing}
    assert set(firing) == {"QueueDepthHigh", "HighDeadLetterRate"}
    assert firing["QueueDepthHigh"].value == 150.0
    assert "{{" not in "".join(firing["QueueDepthHigh"].annotations.values())


def _moved(labels, value, step):
    if labels["__name__"] == "orchestrator_queue_depth" and labels["queue"] == "plan.steps":
        return 150.0
    return value + 60.0 * step if labels["__name__"] == "orchestrator_queue_dead_letters_total" else value
