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
from llm_canaries.wire.dialects import DIALECTS

LIMITS = "limits: {connect: 1s, first_byte: 1s, idle: 1s, total: 5s}"
EMBEDDED = f"gateways: {{it: {{kind: embedded, models: [mirror/healthy], {LIMITS}}}}}"

IMAGE, GOOD, ELIGIBLE, THINKING, PARITY, TRIP, STREAM, CATALOG, ROUTING, NEGATIVE, COMPLETION, HTTP = SCENARIOS
# how many cases each has in the default matrix; of the images' 12, four are of two images and not streamed
CELLS = {
    IMAGE: 12, GOOD: 8, ELIGIBLE: 1, THINKING: 4, PARITY: 4, TRIP: 8, STREAM: 4, CATALOG: 1, ROUTING: 4, NEGATIVE: 1,
}  # fmt: skip


def everywhere(reason, *, eligible=None):
    """Every cell of every scenario that asks the model fails with `reason`."""
    asking = {name: {reason: count} for name, count in CELLS.items() if name != CATALOG}
    return asking | {ELIGIBLE: {eligible or reason: 1}}


def streamed(reason, count=4):
    """The streaming cells, or `count` of each scenario's, fail with `reason`."""
    return {name: {reason: count} for name in (IMAGE, GOOD, PARITY, TRIP, STREAM)}


def whole(reason):
    """The cells that ask for one body fail with `reason`."""
    half = {name: {reason: 4} for name in (GOOD, THINKING, PARITY, TRIP, ROUTING)}
    return half | {IMAGE: {reason: 8}, ELIGIBLE: {reason: 1}, NEGATIVE: {reason: 1}}


SAID_TWICE = {GOOD: {"wrong_answer": 1}, IMAGE: {"[control_failed]": 1}, TRIP: {"id_repeated": 1}}  # words, in Gemini

# other words where calls were: chat and Messages still finish for calls
UNCALLED = {"call_lost": 4, "no_call": 4}

# fault model: scenario: reason: number of cases; a reason in brackets is inconclusive, all others are failures
EXPECTED = {
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
    "flat-thinking": {},  # undetermined after one pair; see test_flat_thinking
    "not-listed": {ELIGIBLE: {"callable_unlisted": 1}, CATALOG: {"never_exposed": 1}},
    "not-callable": everywhere("model_not_supported", eligible="ineligible_listed"),
    "ineligible": everywhere("model_not_supported", eligible="ineligible") | {CATALOG: {"never_exposed": 1}},
    "aliased": {ELIGIBLE: {"aliased_fallback": 1}, ROUTING: {"other_model": 4}},
    "catch-all": {NEGATIVE: {"vacuous": 1}},
    "catch-all-unknown": {ELIGIBLE: {"callable_unlisted": 1}, CATALOG: {"never_exposed": 1}},
    "suspended": everywhere("no_credential", eligible="suspended"),
    "cooling": everywhere("cooldown", eligible="suspended"),
    "quota-exhausted": everywhere("quota_exhausted", eligible="quota"),
    "wrong-answer": {GOOD: {"wrong_answer": 8}, IMAGE: {"[control_failed]": 12}, TRIP: UNCALLED},
    "stale-answer": {GOOD: {"stale_answer": 8}, IMAGE: {"[control_failed]": 12}, TRIP: UNCALLED},
    # to the image canary a filter is a refusal; the others count tokens, which are right
    "filtered-answer": {GOOD: {"refused_answer": 8}, IMAGE: {"refused_or_recalled": 12}, TRIP: {"no_call": 8}},
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
    "too-large": everywhere("too_large") | {IMAGE: {"stringified": 12}},
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
    assert verdicts(runs) == everywhere("model_not_found", eligible="unlisted") | {CATALOG: {"never_exposed": 1}}


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


# routing's expectations: parameters, and what comes of the healthy model; a reason in brackets is inconclusive
EXPECTATIONS = [
    ("{expect_model: ['mirror/*']}", None),
    ("{expect_model: [gpt-5, 'claude-*']}", "other_model"),
    ("{expect_header: {X-RateLimit-Limit-Requests: '100*'}}", None),
    ("{expect_header: {x-ratelimit-limit-requests: '5'}}", "other_header"),
    ("{expect_header: {x-portkey-provider: openai}}", "[no_evidence]"),
    ("{expect_provider: mirror}", None),
    ("{expect_provider: elsewhere}", "other_provider"),
    ("{expect_upstream_model: [mirror/healthy]}", None),
    ("{expect_upstream_model: [mirror/other]}", "other_upstream_model"),
]


@pytest.mark.parametrize(("params", "reason"), EXPECTATIONS)
async def test_a_route_and_what_was_expected_of_it(params, reason, clock, draw):
    runs = await run(f"{EMBEDDED}\n{CANARY.format(ROUTING, params)}", "healthy", clock, draw)
    assert verdicts(runs) == ({ROUTING: {reason: 1}} if reason else {})


# people's own checks of the healthy model, which repeats what it is told to
OWN = [
    (COMPLETION, "{prompt: 'reply with exactly this and nothing else: Paris', matches: ['(?i)^paris$']}", None),
    (COMPLETION, "{prompt: hi, json: {'choices[0].finish_reason': stop, 'usage.nothing': null}}", None),
    (COMPLETION, "{prompt: hi, json: {model: gpt-5}}", "json_differs"),
    (COMPLETION, "{prompt: hi, contains: [Paris]}", "text_differs"),
    (COMPLETION, "{prompt: hi, lacks: [ok]}", "text_differs"),
    (COMPLETION, "{prompt: hi, matches: ['^no$']}", "text_differs"),
    (COMPLETION, "{prompt: hi, finish: [stop], output_most: 9, effort: none}", None),
    (COMPLETION, "{prompt: hi, finish: [length]}", "finish_differs"),
    (COMPLETION, "{prompt: hi, input_most: 2}", "tokens_differ"),
    (COMPLETION, "{prompt: hi, reasoning_least: 100, effort: high, cap: 4096}", None),
    (COMPLETION, "{prompt: hi, status: 404}", "status_differs"),
    (COMPLETION, "{prompt: hi, within_seconds: 1ms}", "late"),
    (HTTP, "{get: /v1/models, header: {content-type: '^app.*json'}, json: {'data[*].id': mirror/healthy}}", None),
    (HTTP, "{get: /v1/models, json: {'data[*].id': mirror/not-listed}}", "json_differs"),
    (HTTP, "{get: /v1/models, header: {content-type: html}}", "header_differs"),
    (HTTP, "{get: /v1/models, header: {x-nothing: '.'}}", "header_differs"),
    (HTTP, "{get: /v1/models, status: 404}", "status_differs"),
    (HTTP, "{get: /nothing, status: 404}", None),
    (HTTP, "{body: {messages: [{role: user, content: hi}]}, json: {'choices[0].message.content': ok}}", None),
    (HTTP, "{body: {messages: [{role: user, content: hi}]}, lacks: ['\"ok\"']}", "text_differs"),
    (HTTP, "{body: {messages: [{role: user, content: hi}]}, within_seconds: 1ms}", "late"),
    (HTTP, "{body: '{\"model\": \"{model}\", \"messages\": 5}', status: 400}", None),
    (HTTP, "{body: '{\"model\": \"{model}\", \"messages\": 5}'}", "bad_request"),
]


@pytest.mark.parametrize(("scenario", "params", "reason"), OWN)
async def test_people_s_own_checks(scenario, params, reason, clock, draw):
    runs = await run(f"{EMBEDDED}\n{CANARY.format(scenario, params)}", "healthy", clock, draw)
    assert len(runs) == 1
    assert verdicts(runs) == ({scenario: {reason: 1}} if reason else {})


async def test_tokens_that_nobody_counts(clock, draw):
    text = f"{EMBEDDED}\n{CANARY.format(COMPLETION, '{prompt: hi, output_most: 9}')}"
    assert verdicts(await run(text, "no-usage", clock, draw)) == {COMPLETION: {"[no_counts]": 1}}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", ["false", "true"])
async def test_a_completion_in_every_dialect(dialect, stream, clock, draw):
    prompt = "{prompt: 'reply with exactly this and nothing else: Paris', contains: [Paris], output_least: 1}"
    text = f"{EMBEDDED}\n{CANARY.format(COMPLETION, prompt)}".replace("openai_chat", dialect)
    (got,) = await run(text.replace("[false]", f"[{stream}]"), "healthy", clock, draw)
    assert (got.finding.outcome, got.case.dialect, got.case.stream_word) == (Outcome.PASS, dialect, stream)


BODIES = {
    "openai_chat": "{messages: [{role: user, content: hi}]}",
    "openai_responses": "{input: hi}",
    "anthropic_messages": "{max_tokens: 99, messages: [{role: user, content: hi}]}",
    "gemini": "{contents: [{role: user, parts: [{text: hi}]}]}",
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", ["false", "true"])
async def test_a_raw_body_in_every_dialect(dialect, stream, clock, draw):
    text = f"{EMBEDDED}\n{CANARY.format(HTTP, f'{{body: {BODIES[dialect]}, contains: [ok]}}')}"
    (got,) = await run(text.replace("openai_chat", dialect).replace("[false]", f"[{stream}]"), "healthy", clock, draw)
    assert (got.finding.outcome, got.finding.detail) == (Outcome.PASS, "")


async def test_a_stringified_result_is_understood_and_when_it_is_not(clock, draw):
    text = f"{EMBEDDED}\n{CANARY.format(IMAGE, '{stringified: true}')}".replace("openai_chat", "openai_responses")
    assert verdicts(await run(text, "healthy", clock, draw)) == {}
    assert verdicts(await run(text, "stringify-image", clock, draw)) == {IMAGE: {"stringified": 1}}
    chat = text.replace("openai_responses", "openai_chat")
    assert verdicts(await run(chat, "healthy", clock, draw)) == {IMAGE: {"[unwritable_ask]": 1}}


async def test_a_blind_model_that_is_said_to_see_is_a_failure(clock, draw):
    text = EMBEDDED.replace("[mirror/healthy]", "[{id: mirror/blind, vision: true}]")
    text = f"{text}\n{CANARY.format(IMAGE, '{}')}"
    assert verdicts(await run(text, "blind", clock, draw)) == {IMAGE: {"control_failed": 1}}


async def test_no_companion_where_none_may_be_sent(mirror_url, clock, draw):
    gateway = f"it: {{kind: openai-compatible, url: '{mirror_url}', models: [{{id: mirror/healthy, vision: false}}]}}"
    (got,) = await run(f"gateways: {{{gateway}}}\n{CANARY.format(NEGATIVE, '{}')}", "healthy", clock, draw)
    assert (got.finding.outcome, got.finding.reason) == (Outcome.SKIP, "no_companion")
    assert len(got.answers) == 1, "nothing that must fail is sent to a gateway whose upstream is not our mirror"


class Lists:
    """A gateway whose model list is another one at each look."""

    def __init__(self, *lists):
        self.lists = iter(lists)

    async def answer(self, request):
        ids = next(self.lists)
        if ids is None:
            return web.Response(status=404)
        return web.json_response({"object": "list", "data": [{"id": each, "object": "model"} for each in ids]})


M, N = "mirror/healthy", "mirror/other"


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        ([[M], [N, M], [M]], ["pass", "pass", "pass"]),
        ([[M, N], [N], [N], [N, M]], ["pass", "[unsettled]", "vanished", "pass"]),
        ([[M, N], [N], [M, N], [N]], ["pass", "[unsettled]", "pass", "[unsettled]"]),
        ([[N], [N]], ["never_exposed", "never_exposed"]),
        ([[], [M], []], ["empty_list", "pass", "empty_list"]),
        ([None, [M], None], ["skip", "pass", "[no_list]"]),
    ],
)
async def test_lists_that_change(lists, told, clock, draw):
    app = web.Application()
    app.router.add_get("/v1/models", Lists(*lists).answer)
    async with TestServer(app) as server:
        gateway = f"it: {{kind: openai-compatible, url: '{server.make_url('')}', models: [{M}]}}"
        runs = await run(f"gateways: {{{gateway}}}\n{CANARY.format(CATALOG, '{}')}", "healthy", clock, draw, len(lists))
    words = {"fail": "{}", "inconclusive": "[{}]"}
    assert [words.get(r.finding.outcome, r.finding.outcome).format(r.finding.reason) for r in runs] == told


def test_every_reason_of_a_scenario_is_reached_here():
    """By a fault model, or by one of the tests above where it takes a setting as well."""
    reached = {name: set() for name in SCENARIOS}
    for _params, reason in EXPECTATIONS:
        reached[ROUTING] |= {reason.strip("[]")} if reason else set()
    for scenario, _params, reason in OWN:
        reached[scenario] |= {reason} if reason else set()
    reached[CATALOG] |= {"vanished", "unsettled", "empty_list", "no_list"}
    reached[NEGATIVE] |= {"no_companion", "unproven"}  # the latter in the scenario's own tests
    reached[COMPLETION] |= {"no_counts"} | reached[HTTP]
    reached[HTTP] |= reached[COMPLETION]  # one set of expectations for both
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
    assert [each.finding.outcome for each in runs] == ([Outcome.PASS] * 4 + [Outcome.FAIL]) * 4
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


# cut after Responses' first events, which say nothing that a Gemini stream could say
CUT_EARLY = {("stream-cut", "openai_responses"): {TRIP: {"truncated_stream": 3, "empty_body": 1}}}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", TRANSLATED)
async def test_fault_behind_a_provider_of_one_dialect(model, dialect, mirror_url, clock, draw):
    provider = f"up: {{url: '{mirror_url}', profile: mirror, dialects: [{dialect}]}}"
    more = f"dialects: [{', '.join(DIALECTS)}], providers: {{{provider}}}"
    text = f"gateways: {{it: {{kind: embedded, models: [mirror/healthy], {LIMITS}, {more}}}}}"
    runs = await run(text, model, clock, draw)
    expected = EXPECTED[model] | CUT_EARLY.get((model, dialect), {})
    assert verdicts(runs) == {name: counts for name, counts in expected.items() if counts}
