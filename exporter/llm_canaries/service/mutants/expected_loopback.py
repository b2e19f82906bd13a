"""What the scenario `loopback` must catch each fault of a core as; it has eight cases, four dialects streamed and not.

It scripts its answers, so that no model of the mirror shows anything to it.
"""

from collections.abc import Mapping

Verdicts = dict[str, int]
"""A reason, in brackets where it decides nothing, to the number of cases that came to it."""
Catches = dict[str, Verdicts]
"""A scenario to its verdicts; one that is not there passes or skips every case."""

LOOP = "loopback"

LOOPED: Mapping[str, Verdicts] = {
    "swap-call-ids": {"misbound": 8},
    "strange-call-ids": {"id_changed": 8},
    "last-turn-only": {"not_looped": 8},  # the mark is gone
    "blind-streams": {"image_lost": 4},
    "no-usage-option": {"usage_changed": 1},  # an option of chat's alone
    "drop-thinking": {"thinking_changed": 8},
    "clamp-thinking": {"thinking_changed": 8},
    "force-thinking": {"thinking_changed": 8},
    "low-cap": {"limit_changed": 8},
    "own-prompt": {"system_added": 4},
    "semantic-cache": {"fault_hidden": 8},
    "hollow-200": {"call_lost": 4},
    "ends-alone": {"reply_lost": 2, "call_lost": 1, "stream_unlawful": 1},
    "cut-and-closed": {"reply_lost": 4},
    "html-as-json": {"fault_hidden": 8},  # 429 as a page with 200: graver than a lost reply
    "json-in-json": {"reply_lost": 4},
    "connection-lost": {"reply_lost": 8},
    "whole-refused": {"reply_lost": 4},
    "stream-refused": {"reply_lost": 4},
    "usage-after-done": {"stream_unlawful": 1},
    "chat-usage": {"usage_changed": 2},
    "start-zero": {"usage_changed": 1},  # a provider that speaks Messages, too, has told it by then
    "retry-after-lost": {"retry_after_lost": 6},  # Gemini says it in the body as well
    "round-numbers": {"arguments_changed": 8},
    "drop-documents": {"document_lost": 8},
    "drop-error-flag": {"error_flag_lost": 4},  # chat and Responses have none
    "drop-late-system": {"system_lost": 6, "text_changed": 2},  # Gemini says it as the user's
    "drop-stop": {"stop_changed": 6},  # Responses has none
    "bare-tools": {"tool_changed": 8},
    "own-tool": {"tool_added": 8},
    "all-errors-500": {"fault_changed": 8},
    "smooth-stream-error": {"fault_hidden": 4},
    "delta-lost": {"usage_changed": 2},  # bent in the streams of chat and Messages, as the next
    "double-count": {"usage_changed": 2},
    "cache-beside": {"usage_changed": 4},
    "turn-calls": {"order_changed": 2},
    "drop-cache-counts": {"usage_changed": 4},  # bent in chat and Messages
    "estimate-reasoning": {"reasoning_estimated": 4},  # bent in these two
    "hide-length": {"finish_changed": 4},  # bent in these two
}


def with_loopback(others: Mapping[str, Catches]) -> Mapping[str, Catches]:
    """What all `others` catch, and what `loopback` does, which alone catches the rest."""
    names = [*others, *(name for name in LOOPED if name not in others)]
    return {name: others.get(name, {}) | ({LOOP: LOOPED[name]} if name in LOOPED else {}) for name in names}
