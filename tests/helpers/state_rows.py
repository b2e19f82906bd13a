"""Rows of the state made by hand."""

from typing import Any

from llm_canaries.state.incidents import DeliveryRow, IncidentRow
from llm_canaries.state.runs import RunRow


def run_row(started: float = 1000.0, case: str = "c|g|m|openai_chat|true", **fields: Any) -> RunRow:
    """A failed run of `case` that started at `started`."""
    values: dict[str, Any] = {
        "case": case, "canary": "c", "scenario": "s", "gateway": "g", "model": "m", "dialect": "openai_chat",
        "stream": "true", "severity": "critical", "started": started, "outcome": "fail", "reason": "zero_usage",
        "fault_domain": "translation", "detail": "usage is 0", "confirmation": False, "latency": 1.5, "ttft": 0.25,
        "tokens": {"input": 12, "output": 3},
    }  # fmt: skip
    return RunRow(**(values | fields))


def incident_row(key: str = "CanaryFailing{canary=c}", level: str = "warning", **fields: Any) -> IncidentRow:
    """An incident that opened at 1000."""
    values: dict[str, Any] = {
        "key": key, "alertname": "CanaryFailing", "labels": {"canary": "c"}, "level": level,
        "opened": 1000.0, "changed": 1000.0, "closed": None,
    }  # fmt: skip
    return IncidentRow(**(values | fields))


def delivery_row(receiver: str = "phone", kind: str = "opened", **fields: Any) -> DeliveryRow:
    """A message made at 1000, due at once."""
    values: dict[str, Any] = {
        "receiver": receiver, "kind": kind, "title": f"{kind}!", "body": "see\nbelow",
        "created": 1000.0, "next_at": 1000.0,
    }  # fmt: skip
    return DeliveryRow(**(values | fields))
