"""Every class of failure on record has a mutant that is caught for the right reason: the table in docs/mutants.md.

That what is declared is what is found, `canaries mutants` proves; here the declarations are held against the record:
protocols.md B5, D2 and H3, and the silent-failure matrix of cliproxyapi.md 11. `UPDATE=1` writes the table.
"""

import os
import re
from pathlib import Path

import pytest

from llm_canaries.canary.scenarios.image_answers import Reason as ImageReason
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.service.mutants.catalogue import catalogue
from llm_canaries.service.mutants.silent import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"
IMAGE, GOOD, ELIGIBLE, THINKING = "tool-result-image", "known-good", "eligibility", "thinking"
PARITY, TRIP, STREAM, LOOP = "usage-parity", "tool-round-trip", "stream-conformance", "loopback"

# class: (mutant, the scenario that catches it, as what)
USAGE = {  # protocols.md B5
    "missing_terminal_usage": [("no-terminal-usage", PARITY, "missing_terminal_usage"),
                               ("no-usage", PARITY, "missing_usage")],
    "stream_options_not_forwarded": [("no-usage-option", PARITY, "missing_terminal_usage"),
                                     ("no-usage-option", LOOP, "usage_changed")],
    "zero_usage": [("zero-usage", PARITY, "zero_usage"), ("short-total", PARITY, "total_mismatch_short")],
    "start_zero": [("start-zero", LOOP, "usage_changed")],
    "delta_lost": [("delta-lost", PARITY, "input_zero"), ("zero-input", PARITY, "input_zero")],
    "double_count": [("double-count", PARITY, "input_mismatch"), ("double-count", LOOP, "usage_changed")],
    "cache_semantics": [("excess-cache", PARITY, "cache_over_input"), ("cache-beside", LOOP, "usage_changed"),
                        ("drop-cache-counts", LOOP, "usage_changed")],
    "reasoning_lost": [("lost-reasoning", PARITY, "reasoning_lost")],
    "reasoning_excluded_from_output": [("excess-reasoning", PARITY, "reasoning_over_output"),
                                       ("hidden-total", PARITY, "total_mismatch_hidden_reasoning")],
    "reasoning_estimated": [("estimated-reasoning", PARITY, "reasoning_estimated"),
                            ("estimated-reasoning", THINKING, "reasoning_estimated"),
                            ("estimate-reasoning", LOOP, "reasoning_estimated")],
    "input_mismatch": [("drifting-input", PARITY, "input_mismatch"), ("own-prompt", PARITY, "input_mismatch")],
    "duplicate_terminal": [("double-usage", PARITY, "duplicate_terminal_usage"),
                           ("double-finish", STREAM, "finish_twice")],
    "usage_after_done": [("usage-after-done", PARITY, "missing_terminal_usage"),
                         ("usage-after-done", STREAM, "after_terminal")],
    "no_done": [("no-end", STREAM, "no_terminal")],
    "truncated_stream": [("stream-cut", GOOD, "truncated_stream"), ("cut-and-closed", GOOD, "truncated_stream")],
    "mode_broken": [("whole-refused", PARITY, "rate_limited"), ("stream-refused", PARITY, "upstream_error")],
    "format_leak": [("always-stream", GOOD, "unexpected_stream"), ("not-a-stream", GOOD, "not_a_stream"),
                    ("chat-usage", PARITY, "missing_usage")],
}  # fmt: skip
ELSEWHERE = {"self_accounting"}  # a gateway's own record is read by the watched systems, not by a canary
IMAGES = {  # protocols.md D2
    "dropped_silent": [("drop-image", IMAGE, "dropped_silent"),
                       ("gateway-loses-images", IMAGE, "dropped_silent: translation"),
                       ("provider-is-blind", IMAGE, "dropped_silent: provider")],
    "placeholder": [("placeholder-image", IMAGE, "placeholder")],
    "stringified": [("stringify-image", IMAGE, "stringified"), ("too-large", IMAGE, "stringified")],
    "seen_but_wrong": [("misread-image", IMAGE, "seen_but_wrong")],
    "rejected_type": [("reject-image", IMAGE, "rejected_type")],
    "rejected_media": [("reject-media", IMAGE, "rejected_media")],
    "id_mismatch": [("reject-id", IMAGE, "id_mismatch"), ("strange-call-ids", LOOP, "id_changed")],
    "order": [("reject-order", IMAGE, "order"), ("turn-calls", LOOP, "order_changed")],
    "refused_or_recalled": [("recall-tool", IMAGE, "refused_or_recalled"),
                            ("filtered-answer", IMAGE, "refused_or_recalled")],
    "misbound": [("swap-results", IMAGE, "misbound"), ("swap-call-ids", LOOP, "misbound")],
    "mode_split": [("blind-streams", IMAGE, "mode_split")],
    "control_failed": [("blind", IMAGE, "[control_failed]")],
    "unclassified": [("blind-guess", IMAGE, "[unclassified]")],
    "auth": [("unauthorized", IMAGE, "auth")],
    "quota": [("quota-exhausted", IMAGE, "quota_exhausted"), ("rate-limited", IMAGE, "rate_limited")],
    "upstream": [("server-error", IMAGE, "upstream_error"), ("overloaded", IMAGE, "overloaded")],
    "timeout": [("hang", IMAGE, "first_byte_timeout"), ("upstream-timeout", IMAGE, "upstream_timeout")],
    "gateway": [("cooling", IMAGE, "cooldown"), ("suspended", IMAGE, "no_credential")],
}  # fmt: skip
MATRIX = {  # cliproxyapi.md 11, row by row
    "HTML login page, 200": [("silent-html", GOOD, "html"), ("silent-html", GOOD, "empty_body"),
                             ("html-200", GOOD, "html")],
    "error object with 200": [("silent-error", GOOD, "error_in_200"), ("error-in-200", GOOD, "error_in_200")],
    "error object mid stream": [("silent-error-midway", GOOD, "stream_error"),
                                ("silent-error-midway", GOOD, "truncated_stream"),
                                ("smooth-stream-error", LOOP, "fault_hidden")],
    "stream cut after 1 chunk": [("silent-cut", GOOD, "truncated_stream")],
    "empty 200": [("silent-empty", GOOD, "empty_answer"), ("hollow-200", GOOD, "empty_answer"),
                  ("ends-alone", GOOD, "empty_body")],
    "codex response.failed": [("silent-cooldown", GOOD, "upstream_error"), ("silent-cooldown", GOOD, "no_credential")],
    "codex response.incomplete": [("low-cap", GOOD, "[cap_too_small]"), ("hide-length", LOOP, "finish_changed")],
    "codex cut": [("silent-codex-cut", GOOD, "upstream_timeout"), ("silent-codex-cut", GOOD, "stream_error")],
    "claude mid-stream overloaded": [("silent-cooldown", GOOD, "no_credential"),
                                     ("stream-error", GOOD, "stream_error")],
}  # fmt: skip
OTHERS = {  # the words of the task itself, and what H3 has beside the above
    "thinking ignored": [("ignore-thinking", THINKING, "none_ignored"), ("drop-thinking", THINKING, "no_reasoning"),
                         ("flat-thinking", THINKING, "order_flat"), ("force-thinking", THINKING, "none_ignored")],
    "thinking clamped": [("clamp-thinking", THINKING, "effort_changed"), ("wrong-effort", THINKING, "effort_changed")],
    "thinking unbounded": [("unbounded-thinking", THINKING, "over_budget")],
    "thinking grows": [("growing-thinking", THINKING, "ReasoningGrowth")],
    "ids swapped": [("swap-call-ids", TRIP, "misbound"), ("one-call-id", TRIP, "id_repeated"),
                    ("no-call-id", TRIP, "id_missing")],
    "order broken": [("early-finish", STREAM, "out_of_order"), ("turn-calls", LOOP, "order_changed")],
    "Retry-After lost": [("retry-after-lost", LOOP, "retry_after_lost"),
                         ("retry-after-lost", "http", "header_differs")],
    "stale cache": [("stale-answer", GOOD, "stale_answer"), ("semantic-cache", GOOD, "stale_answer")],
    "buffered stream": [("buffered", STREAM, "buffered")],
    "slow": [("slow", GOOD, "first_byte_timeout"), ("hang-midway", GOOD, "idle_timeout")],
    "error after 200": [("stream-error", GOOD, "stream_error"), ("connection-lost", GOOD, "connection_lost")],
    "business error in a 200": [("business-error-200", GOOD, "business_error"),
                                ("not-acceptable", GOOD, "bad_request")],
    "unsupported model": [("not-callable", ELIGIBLE, "ineligible_listed"),
                          ("not-callable-detail", ELIGIBLE, "ineligible_listed"),
                          ("ineligible", ELIGIBLE, "ineligible")],
    "alias fallback": [("aliased", ELIGIBLE, "aliased_fallback"), ("reroute-messages", "routing", "other_model")],
    "suspended, then gone": [("suspended", ELIGIBLE, "suspended"), ("list-empty", "catalog", "empty_list")],
    "stale cooldown": [("stale-cooldown", "stale-cooldown", "stale_cooldown: policy")],
}  # fmt: skip
PARTS = {"Usage": USAGE, "Images in tool results": IMAGES, "Silent failures": MATRIX, "Others": OTHERS}
CLAIMS = [(name, *claim) for part in PARTS.values() for name, claims in part.items() for claim in claims]
MUTANTS = {mutant.name: mutant for mutant in catalogue()}


@pytest.mark.parametrize(("name", "mutant", "scenario", "verdict"), CLAIMS)
def test_a_class_is_caught_as_it_should_be(name: str, mutant: str, scenario: str, verdict: str) -> None:
    its = MUTANTS[mutant]
    assert not its.control
    assert its.expected.get(scenario, {}).get(verdict, 0) > 0, (name, its.expected)


def test_every_class_is_there() -> None:
    """Images have their classes from the scenario's own reasons; the matrix has a mutant for each of its rows."""
    assert {reason.value for reason in ImageReason} <= set(IMAGES)
    assert {mutant for mutant, *_ in CLAIMS_OF_MATRIX if mutant in ROWS} == set(ROWS)
    assert not ELSEWHERE & set(USAGE)


CLAIMS_OF_MATRIX = [claim for claims in MATRIX.values() for claim in claims]


def test_every_reason_of_usage_parity_is_a_mutants() -> None:
    found = {verdict.strip("[]") for mutant in MUTANTS.values() for verdict in mutant.expected.get(PARITY, {})}
    assert {reason.value for reason in SCENARIOS[PARITY].reasons} <= found


def table() -> str:
    """The classes as Markdown: class, mutants, who catches them as what."""
    lines = []
    for title, part in PARTS.items():
        lines += [f"### {title}", "", "| class | mutant | caught by | as |", "|---|---|---|---|"]
        for name, claims in part.items():
            lines += [f"| {name} | `{mutant}` | `{scenario}` | `{verdict}` |" for mutant, scenario, verdict in claims]
        lines.append("")
    return "\n".join(lines)


def test_the_page_has_this_table() -> None:
    said = PAGE.read_text(encoding="utf-8")
    head, mark, rest = said.partition("<!-- classes -->\n")
    assert mark
    if os.environ.get("UPDATE"):
        PAGE.write_text(f"{head}{mark}{table()}", encoding="utf-8")
    else:
        assert rest == table(), "UPDATE=1 writes it"


def test_the_page_names_mutants_that_are_there() -> None:
    head = PAGE.read_text(encoding="utf-8").partition("<!-- classes -->")[0]
    named = set(re.findall(r"--mutant ([\w-]+)", head))
    assert named and named <= set(MUTANTS)
