"""What each row of the silent-failure matrix must be caught as: a reason for each cell, spread over the scenarios."""

from collections.abc import Mapping

from llm_canaries.service.mutants.expected_loopback import LOOP, Catches, Verdicts
from llm_canaries.service.mutants.silent import CHAT, MESSAGES, RESPONSES, Cell

REASONS: Mapping[str, Mapping[Cell, str]] = {
    "silent-html": {
        (CHAT, False): "html",
        (CHAT, True): "upstream_error",
        (RESPONSES, False): "malformed_body",
        (RESPONSES, True): "upstream_error",
        (MESSAGES, True): "empty_body",
    },
    "silent-error": {
        (CHAT, False): "error_in_200",
        (CHAT, True): "upstream_error",
        (RESPONSES, False): "no_credential",
        (RESPONSES, True): "no_credential",
        (MESSAGES, True): "no_credential",
    },
    "silent-error-midway": {
        (CHAT, False): "error_in_200",
        (CHAT, True): "stream_error",
        (RESPONSES, False): "malformed_body",
        (RESPONSES, True): "truncated_stream",
        (MESSAGES, True): "truncated_stream",
    },
    "silent-cut": {
        (CHAT, False): "upstream_error",
        (CHAT, True): "truncated_stream",
        (RESPONSES, False): "upstream_error",
        (RESPONSES, True): "truncated_stream",
        (MESSAGES, True): "truncated_stream",
    },
    "silent-empty": {
        (CHAT, False): "empty_answer",
        (CHAT, True): "upstream_error",
        (RESPONSES, False): "empty_answer",
        (RESPONSES, True): "upstream_error",
        (MESSAGES, True): "empty_body",
    },
    "silent-cooldown": {
        (CHAT, False): "upstream_error",
        (CHAT, True): "no_credential",
        (RESPONSES, False): "no_credential",
        (RESPONSES, True): "no_credential",
        (MESSAGES, False): "no_credential",
        (MESSAGES, True): "no_credential",
    },
    "silent-codex-cut": {
        (CHAT, False): "upstream_timeout",
        (CHAT, True): "stream_error",
        (RESPONSES, False): "upstream_timeout",
        (RESPONSES, True): "stream_error",
        (MESSAGES, True): "stream_error",
    },
}
# how often each scenario asks in one dialect: whole, and streamed
_ASKS: Mapping[str, tuple[int, int]] = {
    "tool-result-image": (2, 1),
    "known-good": (1, 1),
    "tool-round-trip": (1, 1),
    "stream-conformance": (0, 1),
    "thinking": (1, 0),
    "routing": (1, 0),
}
_IN_CHAT = ("completion", "eligibility", "negative-control")  # asked whole, and in no other dialect


def spread(cells: Mapping[Cell, str]) -> Catches:
    """The verdicts of every scenario where each cell fails for its reason."""
    found: dict[str, Verdicts] = {}
    for (dialect, streamed), reason in cells.items():
        for scenario, asks in _ASKS.items():
            _add(found, scenario, reason, asks[streamed])
        if not (streamed and (dialect, False) in cells):  # the pair is judged by the first that fails
            _add(found, "usage-parity", reason, 1)
        for scenario in _IN_CHAT if (dialect, streamed) == (CHAT, False) else ():
            _add(found, scenario, reason, 1)
        _add(found, LOOP, "call_lost" if reason == "empty_answer" else "reply_lost", 1)
    return found | {"negotiation": {"not_callable": 1}}


def _add(found: dict[str, Verdicts], scenario: str, reason: str, count: int) -> None:
    if count:
        verdicts = found.setdefault(scenario, {})
        verdicts[reason] = verdicts.get(reason, 0) + count


SILENT: Mapping[str, Catches] = {name: spread(cells) for name, cells in REASONS.items()}
