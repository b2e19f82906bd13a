"""Runs as JSON, for scripts."""

import json
from collections.abc import Sequence
from typing import Any

from llm_canaries.canary.canary import Run
from llm_canaries.canary.gating import Gated
from llm_canaries.canary.report.gate import gate_value
from llm_canaries.canary.report.rows import row


def json_report(runs: Sequence[Run], gated: Gated | None = None) -> str:
    """`{"runs": [...]}`, under a gate with `"gate"` beside it; indented, with a final newline."""
    value: dict[str, Any] = {"runs": [row(run) for run in runs]}
    if gated is not None:
        value["gate"] = gate_value(gated)
    return as_json(value)


def as_json(value: dict[str, Any]) -> str:
    """The value, indented, with a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
