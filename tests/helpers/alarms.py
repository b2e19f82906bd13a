"""Firings, incidents and flips made by hand."""

from llm_canaries.alerts.incident import Firing, Flip, Incident, Kind, Level, incident_key
from llm_canaries.alerts.rows import Told

CASE = {
    "canary": "tool-result-image",
    "scenario": "tool_result_image",
    "gateway": "home",
    "model_id": "gpt-5.3-codex",
    "client_protocol": "anthropic_messages",
    "stream": "true",
}


def firing(severity="warning", name="CanaryFailing", *, at=100.0, annotations=None, **labels):
    return Firing(
        alertname=name,
        labels={"alertname": name, "severity": severity} | labels,
        severity=severity,
        value=1.0,
        annotations=annotations or {"summary": f"{name} {severity}"},
        active_at=at,
    )


def incident(level="warning", name="CanaryFailing", *, opened=100.0, changed=100.0, annotations=None, **labels):
    return Incident(
        key=incident_key(name, labels),
        alertname=name,
        labels=labels,
        level=Level(level),
        opened=opened,
        changed=changed,
        annotations=annotations or {},
    )


def flip(kind="opened", level="warning", previous=None, *, at=200.0, **fields):
    return Flip(
        kind=Kind(kind),
        incident=incident(level, changed=at, **fields),
        previous_level=Level(previous) if previous else None,
        at=at,
    )


STORY = (  # one fault and its end: a lawful sequence of one incident
    ("opened", "warning", None),
    ("escalated", "critical", "warning"),
    ("resolved", "critical", "critical"),
)


def story(**labels):
    return [told(kind, level, previous, **labels) for kind, level, previous in STORY]


def told(kind="opened", level="warning", previous=None, **labels):
    words = " ".join([kind, *labels.values()])
    return Told(flip(kind, level, previous, **labels), words, f"body of {words}")
