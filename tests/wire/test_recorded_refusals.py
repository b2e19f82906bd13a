"""Covers wire/fault_reading.py against every refusal that real providers were recorded with.

A generic 400 is the right class where protocols.md A6 names no other; what it then offers is read as well.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.fault_reading import read_fault

BESIDE = Path(__file__).parents[2] / ".." / "shared" / "recordings"
FOLDER = Path(os.environ.get("WIRE_RECORDINGS_DIR") or BESIDE)
R = FaultReason

TABLE: dict[str, dict[str, tuple[FaultReason, str]]] = {
    "anthropic_messages": {
        "test_anthropic/test_anthropic_explicit_effort_xhigh_unsupported_model_errors#0": (
            R.BAD_REQUEST,
            "invalid_request_error",
        ),
        "test_model_name_suggestions/test_model_name_suggestion[anthropic]#0": (R.MODEL_NOT_FOUND, "not_found_error"),
    },
    "gemini": {
        "test_model_name_suggestions/test_model_name_suggestion[google]#0": (R.MODEL_NOT_FOUND, "NOT_FOUND"),
        "test_multimodal_tool_returns/test_multimodal_tool_return_matrix[direct-url-image-google_vertex]#2": (
            R.BAD_REQUEST,
            "INVALID_ARGUMENT",
        ),
    },
    "openai_chat": {
        "test_groq/test_tool_use_failed_error_with_text#0": (R.BAD_REQUEST, "tool_use_failed"),
        "test_model_name_suggestions/test_model_name_suggestion[groq]#0": (R.MODEL_NOT_FOUND, "model_not_found"),
        "test_openai/test_openai_o1_mini_system_role[system]#0": (R.BAD_REQUEST, "unsupported_value"),
    },
    "openai_responses": {
        "test_model_name_suggestions/test_model_name_suggestion[openai-responses]#0": (
            R.MODEL_NOT_FOUND,
            "model_not_found",
        ),
        "test_multimodal_tool_returns/test_multimodal_tool_return_matrix[direct-url-audio-openai_responses]#1": (
            R.BAD_REQUEST,
            "unsupported_file",
        ),
        "test_openai_responses/test_openai_responses_thinking_with_modified_history#1": (
            R.BAD_REQUEST,
            "invalid_request_error",
        ),
    },
}
EFFORT = "test_anthropic/test_anthropic_explicit_effort_xhigh_unsupported_model_errors#0"

recorded = pytest.mark.skipif(
    not FOLDER.is_dir() and not os.environ.get("CI"), reason=f"no recordings in {FOLDER}: set WIRE_RECORDINGS_DIR"
)


def refusals(name: str) -> dict[str, dict[str, Any]]:
    lines = (FOLDER / f"{name}.jsonl").read_text().splitlines()
    return {row["id"]: row for row in map(json.loads, lines) if row["status"] >= 400}


@recorded
@pytest.mark.parametrize("name", TABLE)
def test_every_refusal_has_its_reason(name: str) -> None:
    found = {}
    for id, row in refusals(name).items():
        fault = read_fault(row["status"], (), json.dumps(row["response"]).encode(), 0)
        assert fault.message == row["response"]["error"]["message"]
        found[id] = (fault.reason, fault.code)
    assert found == TABLE[name]


@recorded
def test_the_recorded_refusal_of_an_effort_offers_others() -> None:
    row = refusals("anthropic_messages")[EFFORT]
    fault = read_fault(row["status"], (), json.dumps(row["response"]).encode(), 0)
    assert fault.levels == ("low", "medium", "high", "max")
