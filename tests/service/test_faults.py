"""Fault models through every scenario: the reason each is there for, and nothing else failing."""

import asyncio
import random
import time
from collections import Counter

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from llm_canaries.canary.canary import Outcome
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.load import load
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS
from llm_canaries.mirror.server import Mirror
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.gate import gate
from llm_canaries.service.mutants.bench import bench_cases, bench_settings, play
from llm_canaries.service.mutants.catalogue import catalogue
from llm_canaries.service.mutants.core import CORE_MUTANTS
from llm_canaries.service.mutants.expected import (
    CATALOG,
    CELLS,
    COMPLETION,
    ELIGIBLE,
    EXPECTED,
    GOOD,
    HTTP,
    IMAGE,
    NEGATIVE,
    NEGOTIATION,
    ROUTING,
    RUNS,
    THINKING,
    TRIP,
    everywhere,
)
from llm_canaries.service.mutants.replays import stored, unlike
from llm_canaries.service.playing import Order
from llm_canaries.service.settings import known, read_settings, shipped
from llm_canaries.wire.dialects import DIALECTS

pytestmark = pytest.mark.alone

LIMITS = "limits: {connect: 3s, first_byte: 1s, idle: 1s, total: 5s}"
EMBEDDED = f"gateways: {{it: {{kind: embedded, models: [mirror/healthy], {LIMITS}}}}}"

# what each fault must be caught as is shipped: llm_canaries/service/mutants/expected.py


async def run(text, model, clock, draw, repeat=1, concurrency=None):
    definitions, problems = shipped()
    assert not problems
    config = load(text, known(definitions), file="test", environ={}, read_file=str)
    binding = read_settings(None, {}).binding
    chosen = cases(config, binding, Wanted(models=(f"mirror/{model}",)))
    order = Order(config=config, cases=chosen, repeat=repeat, concurrency=concurrency)
    return await gate(order, clock=clock, draw=draw, redact=str, report=lambda run: None)


def verdicts(runs):
    found = {}
    for each in runs:
        outcome, reason = each.finding.outcome, str(each.finding.reason)
        if outcome is Outcome.SKIP:
            # no wrong model is asked for behind a provider, and a blind model has no picture to be shown
            assert (each.case.scenario, reason) == (NEGATIVE, "no_companion")
        elif outcome is not Outcome.PASS:
            assert outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
            word = reason if outcome is Outcome.FAIL else f"[{reason}]"
            found.setdefault(each.case.scenario, Counter())[word] += 1
    return {name: dict(counts) for name, counts in found.items()}


def shipped_alone(catches):
    """What the shipped canaries say: the people's own of the mutants' bench are not in these configurations."""
    return {name: counts for name, counts in catches.items() if name not in (COMPLETION, HTTP, NEGOTIATION)}


def test_every_fault_is_expected():
    assert set(EXPECTED) == set(MISBEHAVIOURS) | set(CORE_MUTANTS)
    assert not set(MISBEHAVIOURS) & set(CORE_MUTANTS)
    assert set(RUNS) < set(EXPECTED)


def test_the_matrix_is_the_one_expected():
    assert Counter(case.scenario for case in bench_cases(bench_settings(), "healthy")) == CELLS


# `canaries mutants` plays all of them in CI; here one for each scenario and each way in which a mutant is played
SLICE = [
    "healthy", "drop-image", "catch-all", "list-gone", "no-thinking", "drifting-input", "rename-tools", "changing-id",
    "reroute-messages", "masked-words", "unhealthy", "spares-canaries", "round-numbers", "stale-cooldown", "big-body",
    "hang-midway", "clamp-thinking", "gateway-fails", "keep-alives", "silent-html",
]  # fmt: skip


@pytest.fixture(scope="module")
def played():
    """What became of every mutant of the slice, all played together: they wait more than they work.

    With it the evidence of every run, as it is stored, and what was found then.
    """
    mutants = [mutant for mutant in catalogue() if mutant.name in SLICE]
    clock, draw = Clock(time.monotonic, time.time), random.Random(20260101).randrange
    kept = {name: [] for name in SLICE}

    def keep(mutant, runs):
        kept[mutant.name] += stored(runs)

    work = play(
        mutants, settings=bench_settings(), without=(), clock=clock, draw=draw, report=lambda caught: None, see=keep
    )
    with asyncio.Runner() as runner:
        return {each.mutant.name: (each, kept[each.mutant.name]) for each in runner.run(work)}


@pytest.mark.parametrize("mutant", SLICE)
def test_fault(mutant, played):
    caught, _ = played[mutant]
    assert caught.differences == []
    assert not caught.missed


@pytest.mark.parametrize("mutant", SLICE)
def test_replay(mutant, played):
    """The evidence of every scenario under a fault, read back and judged again, gives the same finding."""
    _, kept = played[mutant]
    assert len(kept) >= 1
    assert unlike(mutant, kept) == []


def test_evidence_that_says_something_else_is_told(played):
    _, kept = played["drop-image"]
    one = next(each for each in kept if each.finding.outcome is Outcome.FAIL)
    (told,) = unlike("it", [replace(one, finding=replace(one.finding, reason="placeholder"))])
    assert told.startswith("it: tool-result-image") and "fail placeholder then, fail dropped_silent now" in told


def test_the_slice_has_a_mutant_for_every_scenario():
    mutants = [mutant for mutant in catalogue() if mutant.name in SLICE]
    told = {name for mutant in mutants for name in mutant.expected}
    assert told == {name for name, scenario in SCENARIOS.items() if "environment" not in scenario.needs}


async def test_every_reason_of_a_failure_names_a_domain(clock, draw):
    for model in ("drop-image", "zero-usage", "not-listed", "html-200"):
        for each in await run(EMBEDDED, model, clock, draw):
            assert (each.finding.fault_domain is not None) == (each.finding.outcome is Outcome.FAIL)


CANARY = "canaries: [{{scenario: {}, name: it, dialects: [openai_chat], stream: [false], params: {}}}]"


async def test_an_unknown_model_is_unlisted(clock, draw):
    runs = await run(EMBEDDED, "no-such-model", clock, draw)
    expected = everywhere("model_not_found", eligible="unlisted") | {CATALOG: {"never_exposed": 1}}
    assert verdicts(runs) == shipped_alone(expected)


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


async def test_a_stringified_result_is_understood_and_asked_in_responses_alone(clock, draw):
    text = f"{EMBEDDED}\n{CANARY.format(IMAGE, '{stringified: true}')}".replace("openai_chat", "openai_responses")
    assert verdicts(await run(text, "healthy", clock, draw)) == {}
    assert verdicts(await run(text, "stringify-image", clock, draw)) == {IMAGE: {"stringified": 1}}
    assert await run(text.replace("openai_responses", "openai_chat"), "healthy", clock, draw) == []


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
    reached[THINKING] |= {"order_flat", "effort_unknown"}  # the latter where nothing is known: its own tests
    reached[ELIGIBLE] |= {"unlisted", "unexpectedly_eligible", "listing_absent"}
    reached[GOOD].add("too_slow")
    reached[NEGOTIATION] |= {"no_list", "fallback_used"}  # the latter where there is a twin: its own tests
    reached["loopback"] = set(SCENARIOS["loopback"].reasons)  # its own tests, one by one
    reached["client-route"] = set(SCENARIOS["client-route"].reasons)  # its own tests, one by one
    reached["stale-cooldown"] = set(SCENARIOS["stale-cooldown"].reasons)  # and its own, likewise
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
    at_once = 20 if model == "hang-midway" else None  # nothing but waiting
    runs = await run(text, model, clock, draw, concurrency=at_once)
    expected = EXPECTED[model] | CUT_EARLY.get((model, dialect), {})
    assert verdicts(runs) == shipped_alone(expected)
