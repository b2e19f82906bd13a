"""Every fault model through every scenario: the reason it is there for, and nothing else failing."""

from collections import Counter

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from llm_canaries.canary.canary import Outcome
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.load import load
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS
from llm_canaries.mirror.server import Mirror
from llm_canaries.service.gate import Order, gate
from llm_canaries.service.settings import known, read_settings, shipped

LIMITS = "limits: {connect: 1s, first_byte: 1s, idle: 1s, total: 5s}"
EMBEDDED = f"gateways: {{it: {{kind: embedded, models: [mirror/healthy], {LIMITS}}}}}"

IMAGE, GOOD, ELIGIBLE, THINKING, PARITY, TRIP = SCENARIOS
# how many cases each has in the default matrix
CELLS = {IMAGE: 4, GOOD: 4, ELIGIBLE: 1, THINKING: 2, PARITY: 2, TRIP: 4}


def everywhere(reason, *, eligible=None):
    """Every cell of every scenario fails with `reason`."""
    return {name: {reason: count} for name, count in CELLS.items()} | {ELIGIBLE: {eligible or reason: 1}}


def streamed(reason):
    """The streaming cells fail with `reason`."""
    return {IMAGE: {reason: 2}, GOOD: {reason: 2}, PARITY: {reason: 2}, TRIP: {reason: 2}}


def whole(reason):
    """The cells that ask for one body fail with `reason`."""
    half = {name: {reason: 2} for name in (IMAGE, GOOD, THINKING, PARITY, TRIP)}
    return half | {ELIGIBLE: {reason: 1}}


# fault model: scenario: reason: number of cases; a reason in brackets is inconclusive, all others are failures
EXPECTED = {
    "healthy": {},
    "drop-image": {IMAGE: {"dropped_silent": 4}},
    "placeholder-image": {IMAGE: {"placeholder": 4}},
    "stringify-image": {IMAGE: {"stringified": 4}},
    "misread-image": {IMAGE: {"seen_but_wrong": 4}},
    "blind-guess": {IMAGE: {"[unclassified]": 4}},
    "recall-tool": {IMAGE: {"refused_or_recalled": 4}, TRIP: {"called_again": 4}},
    "reject-image": {IMAGE: {"rejected_type": 4}},
    "reject-media": {IMAGE: {"rejected_media": 4}},
    "reject-id": {IMAGE: {"id_mismatch": 4}},
    "reject-order": {IMAGE: {"order": 4}},
    "drop-tools": {TRIP: {"no_call": 4}},
    "rename-tools": {TRIP: {"name_changed": 4}},
    "one-call": {TRIP: {"[one_call]": 4}},
    "drop-arguments": {TRIP: {"arguments_lost": 4}},
    "broken-arguments": {TRIP: {"arguments_broken": 3, "arguments_lost": 1}},  # a whole Messages answer holds an object
    "changed-arguments": {TRIP: {"arguments_changed": 4}},
    "no-call-id": {TRIP: {"id_missing": 4}},
    "one-call-id": {TRIP: {"id_repeated": 4}},
    "stop-with-calls": {TRIP: {"finish_not_tool": 4}},
    "swap-results": {TRIP: {"misbound": 4}},
    "drop-results": {TRIP: {"result_lost": 4}},
    "ignore-choice": {TRIP: {"choice_ignored": 4}},
    "zero-usage": {PARITY: {"zero_usage": 2}, THINKING: {"[counts_absent]": 2}},
    "no-usage": {PARITY: {"missing_usage": 2}, THINKING: {"[counts_absent]": 2}},
    "no-terminal-usage": {PARITY: {"missing_terminal_usage": 2}},
    "short-total": {PARITY: {"total_mismatch_short": 1}},  # Messages reports no total
    "hidden-total": {PARITY: {"total_mismatch_hidden_reasoning": 1}},
    "excess-reasoning": {PARITY: {"reasoning_over_output": 2}},
    "excess-cache": {PARITY: {"cache_over_input": 1}},  # in Messages the input is what is left beside the cache
    "zero-output": {PARITY: {"output_zero": 2}, THINKING: {"[counts_absent]": 2}},
    "zero-input": {PARITY: {"input_zero": 2}},
    "text-usage": {PARITY: {"invalid_count": 2}, THINKING: {"[counts_absent]": 2}},
    "over-cap": {PARITY: {"output_over_cap": 2}},
    "drifting-input": {PARITY: {"input_mismatch": 2}},
    "inflated-stream": {PARITY: {"output_ratio": 2}},
    "split-model": {PARITY: {"[not_comparable]": 2}},
    "lost-reasoning": {PARITY: {"reasoning_lost": 2}},
    "shrinking-usage": {PARITY: {"usage_shrank": 1}},  # only Messages counts at the start as well
    "ignore-thinking": {THINKING: {"none_ignored": 2}},
    "unbounded-thinking": {THINKING: {"over_budget": 1}},  # chat sends a level, which is no ceiling
    "no-thinking": {THINKING: {"no_reasoning": 2}},
    "wrong-effort": {THINKING: {"effort_changed": 2}},
    "flat-thinking": {},  # undetermined after one pair; see test_flat_thinking
    "not-listed": {ELIGIBLE: {"callable_unlisted": 1}},
    "not-callable": everywhere("model_not_supported", eligible="ineligible_listed"),
    "ineligible": everywhere("model_not_supported", eligible="ineligible"),
    "aliased": {ELIGIBLE: {"aliased_fallback": 1}},
    "suspended": everywhere("no_credential", eligible="suspended"),
    "cooling": everywhere("cooldown", eligible="suspended"),
    "quota-exhausted": everywhere("quota_exhausted", eligible="quota"),
    "wrong-answer": {GOOD: {"wrong_answer": 4}, IMAGE: {"seen_but_wrong": 4}, TRIP: {"no_call": 4}},
    "stale-answer": {GOOD: {"stale_answer": 4}, IMAGE: {"seen_but_wrong": 4}, TRIP: {"no_call": 4}},
    # to the image canary a filter is a refusal; the others count tokens, which are right
    "filtered-answer": {GOOD: {"refused_answer": 4}, IMAGE: {"refused_or_recalled": 4}, TRIP: {"no_call": 4}},
    "odd-finish": {GOOD: {"odd_finish": 4}, TRIP: {"finish_not_tool": 4}},
    "empty-answer": everywhere("empty_answer"),
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
    "too-large": everywhere("too_large") | {IMAGE: {"stringified": 4}},
    "bad-request": everywhere("bad_request"),
    "server-error": everywhere("upstream_error"),
    "upstream-timeout": everywhere("upstream_timeout"),
    "overloaded": everywhere("overloaded"),
    "unauthorized": everywhere("auth"),
    "slow": everywhere("first_byte_timeout"),  # two seconds, where one is allowed
    "hang": everywhere("first_byte_timeout"),
    "hang-midway": streamed("idle_timeout"),
}


async def run(text, model, clock, draw, repeat=1):
    definitions, problems = shipped()
    assert not problems
    config = load(text, known(definitions), file="test", environ={}, read_file=str)
    binding = read_settings(None, {}).binding
    chosen = cases(config, binding, Wanted(models=(f"mirror/{model}",)))
    order = Order(config=config, cases=chosen, repeat=repeat)
    return await gate(order, clock=clock, draw=draw, redact=str, report=lambda run: None)


def verdicts(runs):
    found = {}
    for each in runs:
        outcome, reason = each.finding.outcome, str(each.finding.reason)
        if outcome is not Outcome.PASS:
            assert outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
            word = reason if outcome is Outcome.FAIL else f"[{reason}]"
            found.setdefault(each.case.scenario, Counter())[word] += 1
    return {name: dict(counts) for name, counts in found.items()}


def test_every_fault_model_is_expected():
    assert set(EXPECTED) == set(MISBEHAVIOURS)


@pytest.mark.parametrize("model", MISBEHAVIOURS)
async def test_fault(model, clock, draw):
    runs = await run(EMBEDDED, model, clock, draw)
    assert len(runs) == sum(CELLS.values())
    assert verdicts(runs) == {name: counts for name, counts in EXPECTED[model].items() if counts}


async def test_every_reason_of_a_failure_names_a_domain(clock, draw):
    for model in ("drop-image", "zero-usage", "not-listed", "html-200"):
        for each in await run(EMBEDDED, model, clock, draw):
            assert (each.finding.fault_domain is not None) == (each.finding.outcome is Outcome.FAIL)


CANARY = "canaries: [{{scenario: {}, name: it, dialects: [openai_chat], stream: [false], params: {}}}]"


async def test_an_unknown_model_is_unlisted(clock, draw):
    runs = await run(EMBEDDED, "no-such-model", clock, draw)
    expected = {name: {"model_not_found": count} for name, count in CELLS.items()} | {ELIGIBLE: {"unlisted": 1}}
    assert verdicts(runs) == expected


async def test_a_model_that_was_to_be_absent(clock, draw):
    text = f"{EMBEDDED}\n{CANARY.format(ELIGIBLE, '{expect: absent}')}"
    assert verdicts(await run(text, "healthy", clock, draw)) == {ELIGIBLE: {"unexpectedly_eligible": 1}}


async def test_an_answer_later_than_asked_for(clock, draw):
    text = EMBEDDED.replace("first_byte: 1s", "first_byte: 4s")
    text = f"{text}\n{CANARY.format(GOOD, '{within_seconds: 1s}')}"
    assert verdicts(await run(text, "slow", clock, draw)) == {GOOD: {"too_slow": 1}}


async def test_a_gateway_without_a_model_list(clock, draw):
    mirror = Mirror(clock)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", mirror.asks("openai_chat"))
    async with TestServer(app) as server:
        gateway = f"it: {{kind: openai-compatible, url: '{server.make_url('')}', models: [mirror/healthy]}}"
        text = f"gateways: {{{gateway}}}\n{CANARY.format(ELIGIBLE, '{}')}"
        assert verdicts(await run(text, "healthy", clock, draw)) == {ELIGIBLE: {"[listing_absent]": 1}}


async def test_a_gateway_with_one_dialect_only(clock, draw):
    app = web.Application()
    app.router.add_post("/v1/chat/completions", Mirror(clock).asks("openai_chat"))
    async with TestServer(app) as server:
        gateway = f"it: {{kind: openai-compatible, url: '{server.make_url('')}', models: [mirror/healthy]}}"
        text = f"gateways: {{{gateway}}}\ncanaries: [{{use: known-good, gateway: it}}]"
        runs = await run(text, "healthy", clock, draw)
        told = {(each.case.dialect, str(each.finding.outcome), str(each.finding.reason)) for each in runs}
        assert told == {("openai_chat", "pass", ""), ("anthropic_messages", "skip", "no_endpoint")}
        certain = text.replace("models:", "dialects: [openai_chat, anthropic_messages], models:")
        assert verdicts(await run(certain, "healthy", clock, draw)) == {GOOD: {"no_route": 2}}


def test_every_reason_of_a_scenario_is_reached_here():
    """By a fault model, or by one of the tests above where it takes a setting as well."""
    reached = {name: set() for name in SCENARIOS}
    for row in EXPECTED.values():
        for name, reasons in row.items():
            reached[name] |= {reason.strip("[]") for reason in reasons}
    reached[THINKING].add("order_flat")
    reached[ELIGIBLE] |= {"unlisted", "unexpectedly_eligible", "listing_absent"}
    reached[GOOD].add("too_slow")
    for name, scenario in SCENARIOS.items():
        assert {reason.value for reason in scenario.reasons} <= reached[name]


async def test_flat_thinking_is_found_by_the_fifth_pair(clock, draw):
    runs = [each for each in await run(EMBEDDED, "flat-thinking", clock, draw, 5) if each.case.scenario == THINKING]
    assert [each.finding.outcome for each in runs] == ([Outcome.PASS] * 4 + [Outcome.FAIL]) * 2
    assert {str(each.finding.reason) for each in runs} == {"", "order_flat"}


# what a translation between the dialects leaves of a fault: the same verdicts, unless the target cannot say it
TRANSLATED = [
    "healthy",
    "drop-image",
    "stringify-image",
    "zero-usage",
    "no-terminal-usage",
    "drifting-input",
    "ignore-thinking",
    "no-thinking",
    "not-listed",
    "not-callable",
    "html-200",
    "business-error-200",
    "half-json",
    "stream-cut",
    "stream-error",
    "rate-limited",
    "big-body",
    "hang-midway",
]


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages"])
@pytest.mark.parametrize("model", TRANSLATED)
async def test_fault_behind_a_provider_of_one_dialect(model, dialect, mirror_url, clock, draw):
    provider = f"up: {{url: '{mirror_url}', profile: mirror, dialects: [{dialect}]}}"
    text = f"gateways: {{it: {{kind: embedded, models: [mirror/healthy], {LIMITS}, providers: {{{provider}}}}}}}"
    runs = await run(text, model, clock, draw)
    assert verdicts(runs) == {name: counts for name, counts in EXPECTED[model].items() if counts}
