"""What each fault must be caught as: the exact verdicts, by scenario, over the default matrix at the mirror.

A fault is named as in MISBEHAVIOURS or CORE_MUTANTS. A reason in brackets is one that ends inconclusive by design, all
others are failures; the numbers are of cases, so that a fault which one dialect no longer tells is noticed.
"""

from collections.abc import Mapping

from llm_canaries.service.mutants.expected_loopback import LOOP, Catches, Verdicts, with_loopback
from llm_canaries.service.mutants.expected_silent import SILENT

IMAGE, GOOD, ELIGIBLE, THINKING = "tool-result-image", "known-good", "eligibility", "thinking"
PARITY, TRIP, STREAM = "usage-parity", "tool-round-trip", "stream-conformance"
CATALOG, ROUTING, NEGATIVE = "catalog", "routing", "negative-control"
STALE = "stale-cooldown"  # of a deployed gateway with a twin alone
NEGOTIATION = "negotiation"  # of a sound model alone: it borrows other scenarios, and would tell their faults again
COMPLETION, HTTP = "completion", "http"  # people's own, of which bench.py has one each; the latter asks for a 429

# how many cases each has in the default matrix; of the images' 12, four are of two images and not streamed
CELLS: Mapping[str, int] = {
    IMAGE: 12, GOOD: 8, ELIGIBLE: 1, THINKING: 4, PARITY: 4, TRIP: 8, STREAM: 4, CATALOG: 1, ROUTING: 4, NEGATIVE: 1,
    COMPLETION: 1, HTTP: 1, NEGOTIATION: 1, LOOP: 8,
}  # fmt: skip


# where a negotiation stops: at the model, at what is special of it, at the list
STOPS: Catches = {NEGOTIATION: {"not_callable": 1}}
STOPS_LATE: Catches = {NEGOTIATION: {"advanced_failed": 1}}
UNLISTED: Catches = {NEGOTIATION: {"not_listed": 1}}


def everywhere(reason: str, *, eligible: str = "") -> Catches:
    """Every cell of every scenario that asks the model fails with `reason`."""
    asking = {name: {reason: count} for name, count in CELLS.items() if name not in (CATALOG, HTTP, NEGOTIATION, LOOP)}
    return asking | {ELIGIBLE: {eligible or reason: 1}}


def streamed(reason: str, count: int = 4) -> Catches:
    """The streaming cells, or `count` of each scenario's, fail with `reason`."""
    return {name: {reason: count} for name in (IMAGE, GOOD, PARITY, TRIP, STREAM)}


def whole(reason: str) -> Catches:
    """The cells that ask for one body fail with `reason`."""
    half = {name: {reason: 4} for name in (GOOD, THINKING, PARITY, TRIP, ROUTING)}
    return half | {IMAGE: {reason: 8}, ELIGIBLE: {reason: 1}, NEGATIVE: {reason: 1}, COMPLETION: {reason: 1}}


# words, in Gemini
SAID_TWICE: Catches = {GOOD: {"wrong_answer": 1}, IMAGE: {"[control_failed]": 1}, TRIP: {"id_repeated": 1}}

# other words where calls were: chat and Messages still finish for calls
UNCALLED: Verdicts = {"call_lost": 4, "no_call": 4}
SAYS_OTHER: Catches = {IMAGE: {"[control_failed]": 12}, TRIP: UNCALLED, COMPLETION: {"text_differs": 1}}

# fault: scenario: reason: number of cases
EXPECTED: Mapping[str, Catches] = with_loopback({
    "healthy": {},
    "drop-image": {IMAGE: {"dropped_silent": 12}},
    "placeholder-image": {IMAGE: {"placeholder": 12}},
    "stringify-image": {IMAGE: {"stringified": 12}},
    "misread-image": {IMAGE: {"seen_but_wrong": 12}},
    "blind-guess": {IMAGE: {"[unclassified]": 12}},
    # nobody has said that the model can see
    "blind": {IMAGE: {"[control_failed]": 12}},
    "recall-tool": {IMAGE: {"refused_or_recalled": 12}, TRIP: {"called_again": 8}},
    "reject-image": {IMAGE: {"rejected_type": 12}},
    "reject-media": {IMAGE: {"rejected_media": 12}},
    "reject-id": {IMAGE: {"id_mismatch": 12}},
    "reject-order": {IMAGE: {"order": 12}},
    "drop-tools": {TRIP: {"no_call": 8}},
    # Gemini and Responses have no finish of their own for calls
    "lost-calls": {TRIP: UNCALLED},
    # Responses says every call again at its end; Gemini has no finish for calls
    "no-call-start": {TRIP: {"call_lost": 2, "empty_answer": 1}},
    "rename-tools": {TRIP: {"name_changed": 8}},
    "one-call": {TRIP: {"[one_call]": 8}},
    "drop-arguments": {TRIP: {"arguments_lost": 8}},
    # in Gemini, and in a whole Messages answer, arguments are an object or nothing
    "broken-arguments": {TRIP: {"arguments_broken": 5, "arguments_lost": 3}},
    "changed-arguments": {TRIP: {"arguments_changed": 8}},
    # Gemini has calls without an id by right
    "no-call-id": {TRIP: {"id_missing": 6}},
    "one-call-id": {TRIP: {"id_repeated": 8}},
    # nor here
    "stop-with-calls": {TRIP: {"finish_not_tool": 4}},
    # in chat the images of tools stand in a user message after them, in order
    "swap-results": {TRIP: {"misbound": 8}, IMAGE: {"misbound": 3}},
    "drop-results": {TRIP: {"result_lost": 8}},
    "ignore-choice": {TRIP: {"choice_ignored": 8}},
    # Gemini's first event holds words, and in chat nothing tells a first chunk from the next
    "double-start": SAID_TWICE | {STREAM: {"bad_start": 2}},
    # a late piece of a call is another call to chat
    "early-finish": {STREAM: {"out_of_order": 3}, TRIP: {"call_lost": 1, "result_lost": 1}},
    # Responses says it by the kind of its last event
    "double-finish": {STREAM: {"finish_twice": 3}},
    # in Responses and Gemini the end is the finish
    "no-end": streamed("truncated_stream", 2) | {STREAM: {"no_terminal": 2, "truncated_stream": 2}},
    # Gemini's last event but one holds words
    "late-event": SAID_TWICE | {STREAM: {"after_terminal": 4}},
    # Responses alone repeats it
    "other-end": {STREAM: {"text_mismatch": 1}},
    "changing-id": {STREAM: {"identity_changed": 2}},  # Messages says its id once
    "buffered": {STREAM: {"buffered": 4}},
    "zero-usage": {PARITY: {"zero_usage": 4}, THINKING: {"[counts_absent]": 4}},
    "no-usage": {PARITY: {"missing_usage": 4}, THINKING: {"[counts_absent]": 4}},
    "no-terminal-usage": {PARITY: {"missing_terminal_usage": 4}},
    # Messages reports no total
    "short-total": {PARITY: {"total_mismatch_short": 3}},
    # nor here
    "hidden-total": {PARITY: {"total_mismatch_hidden_reasoning": 3}},
    # Gemini counts reasoning beside the output
    "excess-reasoning": {PARITY: {"reasoning_over_output": 3, "total_mismatch_short": 1}},
    # in Messages the input is what is left beside the cache
    "excess-cache": {PARITY: {"cache_over_input": 3}},
    # Gemini counts reasoning by itself
    "zero-output": {PARITY: {"output_zero": 4}, THINKING: {"[counts_absent]": 3}},
    "zero-input": {PARITY: {"input_zero": 4}},
    "text-usage": {PARITY: {"invalid_count": 4}, THINKING: {"[counts_absent]": 4}},
    "over-cap": {PARITY: {"output_over_cap": 4}},
    "drifting-input": {PARITY: {"input_mismatch": 4}},
    "inflated-stream": {PARITY: {"output_ratio": 4}},
    "split-model": {PARITY: {"[not_comparable]": 4}},
    # to Gemini no count of it is none of it
    "lost-reasoning": {PARITY: {"reasoning_lost": 3}},
    "estimated-reasoning": {PARITY: {"reasoning_estimated": 4}, THINKING: {"reasoning_estimated": 4}},
    # only Messages counts at the start as well
    "shrinking-usage": {PARITY: {"usage_shrank": 1}},
    # only chat tells its usage in an event of its own
    "double-usage": {PARITY: {"duplicate_terminal_usage": 1}},
    "ignore-thinking": {THINKING: {"none_ignored": 4}},
    # only Messages is sent a budget; a level is no ceiling
    "unbounded-thinking": {THINKING: {"over_budget": 1}},
    "no-thinking": {THINKING: {"no_reasoning": 4}},
    # Gemini does not say
    "wrong-effort": {THINKING: {"effort_changed": 3}},
    # undetermined after one pair, see RUNS; Gemini, Responses and chat have levels, Messages budgets
    "flat-thinking": {THINKING: {"order_flat": 4}},
    "not-listed": {ELIGIBLE: {"callable_unlisted": 1}, CATALOG: {"never_exposed": 1}},
    "not-callable": everywhere("model_not_supported", eligible="ineligible_listed"),
    "not-callable-detail": everywhere("model_not_supported", eligible="ineligible_listed"),
    "ineligible": everywhere("model_not_supported", eligible="ineligible") | {CATALOG: {"never_exposed": 1}},
    "aliased": {ELIGIBLE: {"aliased_fallback": 1}, ROUTING: {"other_model": 4}},
    "catch-all": {NEGATIVE: {"vacuous": 1}},
    "catch-all-unknown": {ELIGIBLE: {"callable_unlisted": 1}, CATALOG: {"never_exposed": 1}},
    "suspended": everywhere("no_credential", eligible="suspended"),
    "cooling": everywhere("cooldown", eligible="suspended"),
    "quota-exhausted": everywhere("quota_exhausted", eligible="quota"),
    "wrong-answer": SAYS_OTHER | {GOOD: {"wrong_answer": 8}},
    "stale-answer": SAYS_OTHER | {GOOD: {"stale_answer": 8}},
    "footer": {GOOD: {"wrong_answer": 8}},
    "masked-words": {COMPLETION: {"text_differs": 1}},
    # to the image canary a filter is a refusal; the others count tokens, which are right
    "filtered-answer": {
        GOOD: {"refused_answer": 8},
        IMAGE: {"refused_or_recalled": 12},
        TRIP: {"no_call": 8},
        COMPLETION: {"text_differs": 1},
    },
    "odd-finish": {GOOD: {"odd_finish": 8}, TRIP: {"finish_not_tool": 8}},
    "empty-answer": everywhere("empty_answer") | {TRIP: {"call_lost": 4, "empty_answer": 4}},
    "html-200": everywhere("html"),
    "business-error-200": everywhere("business_error"),
    "error-in-200": everywhere("error_in_200"),
    "half-json": whole("malformed_body"),
    "big-body": everywhere("body_too_large"),
    "empty-200": everywhere("empty_body"),
    "stream-cut": streamed("truncated_stream"),
    "stream-error": streamed("stream_error"),
    "not-a-stream": streamed("not_a_stream"),
    "always-stream": whole("unexpected_stream"),
    "rate-limited": everywhere("rate_limited"),
    "forbidden": everywhere("permission"),
    "unpaid": everywhere("billing"),
    "not-acceptable": everywhere("bad_request"),
    "request-timeout": everywhere("upstream_timeout"),
    "too-large": everywhere("too_large") | {IMAGE: {"stringified": 12}},
    "bad-request": everywhere("bad_request"),
    "server-error": everywhere("upstream_error"),
    "upstream-timeout": everywhere("upstream_timeout"),
    "overloaded": everywhere("overloaded"),
    "unauthorized": everywhere("auth"),
    "slow": everywhere("first_byte_timeout"),  # two seconds, where one is allowed
    "hang": everywhere("first_byte_timeout"),
    "hang-midway": streamed("idle_timeout"),
    # faults of the core
    "swap-call-ids": STOPS_LATE | {TRIP: {"misbound": 8}, IMAGE: {"misbound": 3}},
    # the mirror shows pictures to its model all the same
    "strange-call-ids": STOPS_LATE | {TRIP: {"result_lost": 8}},
    # what is left is a picture that nobody asked about
    "last-turn-only": STOPS_LATE | {TRIP: {"result_lost": 8}, IMAGE: {"seen_but_wrong": 12}},
    "blind-streams": {IMAGE: {"mode_split": 4}},
    # an option of chat's alone
    "no-usage-option": {PARITY: {"missing_terminal_usage": 1}},
    "drop-thinking": {THINKING: {"no_reasoning": 4}},
    # chat and Responses say what was applied; Messages and Gemini show it by their fifth pair
    "clamp-thinking": {THINKING: {"effort_changed": 2, "order_flat": 2}},
    "force-thinking": {THINKING: {"effort_changed": 3, "none_ignored": 1}},
    "low-cap": {
        NEGOTIATION: {"[cap_too_small]": 1},
        GOOD: {"[cap_too_small]": 8},
        THINKING: {"[cap_too_small]": 4},
        IMAGE: {"[cap_too_small]": 12},
        TRIP: {"[cap_too_small]": 8},
        COMPLETION: {"text_differs": 1},
    },
    "own-prompt": {PARITY: {"input_mismatch": 4}},
    "semantic-cache": {
        NEGOTIATION: {"not_callable": 1},
        GOOD: {"stale_answer": 8},
        THINKING: {"effort_changed": 2, "no_reasoning": 2},
        IMAGE: {"dropped_silent": 8, "[control_failed]": 4},
        TRIP: {"arguments_changed": 8},
    },
    # Gemini's empty list still finishes for words
    "hollow-200": whole("empty_answer") | STOPS | {TRIP: {"call_lost": 1, "empty_answer": 3}},
    # Gemini's end is a finish without words, Responses' repeats all that was said
    "ends-alone": {name: {"empty_body": 2, "empty_answer": 1} for name in (IMAGE, GOOD, PARITY, TRIP)}
    | {STREAM: {"empty_body": 2, "empty_answer": 1, "bad_start": 1}} | STOPS_LATE,
    "cut-and-closed": streamed("truncated_stream") | STOPS_LATE,
    "html-as-json": everywhere("html") | STOPS | {HTTP: {"html": 1}},
    "json-in-json": whole("malformed_body") | STOPS,
    "connection-lost": whole("connection_lost") | STOPS
    | {name: {"connection_lost": 4, "truncated_stream": 4} for name in (GOOD, TRIP)}
    | {IMAGE: {"connection_lost": 8, "truncated_stream": 4}, STREAM: {"truncated_stream": 4}},
    "whole-refused": whole("rate_limited") | STOPS,
    "retry-after-lost": {HTTP: {"header_differs": 1}},
    "all-errors-500": {HTTP: {"upstream_error": 1}, NEGATIVE: {"[unproven]": 1}},
    "spares-canaries": {HTTP: {"header_differs": 1}},  # people's own checks bear no mark
    # a name in the answer's own words: chat alone is asked for by eligibility
    "reroute-messages": {ROUTING: {"other_model": 1}},
    "any-key": {NEGATIVE: {"vacuous": 1}, LOOP: {"fault_hidden": 8}},
    "estimate-reasoning": {THINKING: {"reasoning_estimated": 2}},  # bent in chat and Messages
    "stream-refused": streamed("upstream_error") | STOPS_LATE,
    "usage-after-done": {STREAM: {"after_terminal": 1}, PARITY: {"missing_terminal_usage": 1}} | STOPS_LATE,
    "chat-usage": {PARITY: {"missing_usage": 1}, THINKING: {"[counts_absent]": 1}},
    "delta-lost": {PARITY: {"input_zero": 2}},  # these are bent in chat and Messages
    "double-count": {PARITY: {"input_mismatch": 2}},
    "unhealthy": {NEGOTIATION: {"not_alive": 1}},
    "list-html": UNLISTED | {CATALOG: {"html": 1}, ELIGIBLE: {"html": 1}},
    "list-empty": UNLISTED | {CATALOG: {"empty_list": 1}, ELIGIBLE: {"callable_unlisted": 1}},
    "list-stale": UNLISTED | {CATALOG: {"never_exposed": 1}, ELIGIBLE: {"callable_unlisted": 1}},
    "list-broken": UNLISTED | {CATALOG: {"malformed_body": 1}, ELIGIBLE: {"malformed_body": 1}},
    "list-forbidden": UNLISTED | {CATALOG: {"permission": 1}, ELIGIBLE: {"permission": 1}},
    # the model is on the first
    "list-second-page": {CATALOG: {"upstream_error": 1}},
    # nobody has said that there must be one
    "list-gone": {CATALOG: {"(no_list)": 1}, NEGOTIATION: {"(no_list)": 1}, ELIGIBLE: {"[listing_absent]": 1}},
    **SILENT,
    "keep-alives": {},
    "blank-lines": {},
    "carriage-returns": {},
    "split-events": {},
    "upper-headers": {},
})

# faults that take several runs of a case to tell; the last one is judged
RUNS: Mapping[str, int] = {"flat-thinking": 5, "clamp-thinking": 5, "semantic-cache": 2}
