"""service/compare.py: real gateways, one of them broken in every way that the mirror knows."""

import random

import pytest
from msgspec.structs import replace

from llm_canaries.canary.comparison import Change, compare
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.trial import Plan, match
from llm_canaries.service.compare import comparing, paired
from llm_canaries.service.mutants.bench import bench_settings
from llm_canaries.service.mutants.expected import EXPECTED
from llm_canaries.service.playing import Order
from llm_canaries.wire import nonce

# one of each kind: images, calls, streams, counts, thinking, lists, words, bodies, refusals
FAULTS = (
    "drop-image",
    "one-call-id",
    "ignore-choice",
    "no-end",
    "zero-usage",
    "drifting-input",
    "no-thinking",
    "aliased",
    "catch-all",
    "wrong-answer",
    "masked-words",
    "html-200",
    "unauthorized",
)
PLAN = Plan(rounds=1, confidence=0.95, latency=0.25, tokens=0.1)


async def played(model, clock, draw, *, plan=PLAN, select=(), bends=None, dialects=None):
    settings = bench_settings()
    sides = [
        [
            case
            for case in cases(settings.config, settings.binding, Wanted(canaries=select, models=(f"mirror/{name}",)))
            if dialects is None or case.dialect in dialects
        ]
        for name in ("healthy", model)
    ]
    matched = match(*sides, key=lambda case: (case.canary, case.dialect, case.stream))
    assert matched.base_only == matched.head_only == ()
    bends = bends or (lambda gateway: gateway, lambda gateway: gateway)
    orders = [
        Order(config=settings.config, cases=[getattr(pair, side) for pair in matched.pairs], bend=bend)
        for side, bend in zip(("base", "head"), bends, strict=True)
    ]
    ended = []
    trials = await comparing(
        tuple(orders),
        matched.pairs,
        plan,
        clock=clock,
        draw=draw,
        redact=(str, str),
        learn=(lambda secret: None, lambda secret: None),
        end=ended.append,
    )
    assert [trial.pair for trial in trials] == list(matched.pairs)
    assert sorted(map(id, ended)) == sorted(map(id, trials))
    return trials, compare(trials, plan)


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_kind_of_fault_is_worse_with_its_reason(fault, clock, draw):
    expected = EXPECTED[fault]
    _, found = await played(fault, clock, draw, select=tuple(expected))
    wanted = {(name, reason) for name in expected for reason in expected[name] if not reason.startswith("[")}
    told = {(each.scenario, each.reason) for each in found if each.change.worse}
    # over so many asks the clocks of a busy machine may differ; of failures nothing is left to chance
    assert {each for each in told if each[1] not in ("slower", "costlier")} == wanted


async def test_a_rate_limit_is_told_and_ends_the_asking(clock, draw):
    trials, found = await played("rate-limited", clock, draw, select=("known-good", "routing"))
    assert {each.reason for each in found if each.change is Change.NEW} == {"rate_limited"}
    assert {each.reason for each in found if each.change is Change.UNDECIDED} == {"held_retry_after"}
    assert sum(len(trial.head) for trial in trials) <= 8, "those that were in flight at the mirror when it came"


def flaky(draw, chance):
    """Stands before a gateway and answers some of its asks with a 502."""

    class Flaky:
        def __init__(self, gateway):
            self._gateway = gateway

        def open(self, send):
            return self._gateway.open(broken(send) if draw(1000) < chance * 1000 else send)

        def __getattr__(self, name):
            return getattr(self._gateway, name)

    return Flaky


def broken(send):
    """The same ask of a model that answers with an error of its upstream."""
    return replace(send, ask=replace(send.ask, model="mirror/server-error"))


async def test_identical_gateways_with_transients_are_never_worse(clock, draw):
    transient = random.Random(3).randrange
    bends = (flaky(transient, 0.005), flaky(transient, 0.005))
    plan = Plan(rounds=4, confidence=0.95, latency=0.9, tokens=0.1)
    select = ("known-good", "tool-round-trip", "usage-parity", "stream-conformance")
    trials, found = await played("healthy", clock, draw, plan=plan, select=select, bends=bends)
    failed = sum(run.finding.reason == "upstream_error" for each in trials for run in (*each.base, *each.head))
    assert failed, "the seed has transients in it"
    assert [each for each in found if each.change.worse] == []


def test_both_sides_draw_the_same_numbers_and_marks_of_their_own():
    source = random.Random(1).randrange
    base, head = paired(7, source), paired(7, source)
    marks = {nonce.mark(base), nonce.mark(head)}
    assert len(marks) == 2
    assert nonce.digits(base, 9) == nonce.digits(head, 9)
    assert nonce.digits(paired(8, source), 9) != nonce.digits(paired(7, source), 9)


async def test_the_runs_of_a_pair_ask_for_the_same(clock, draw):
    plan = Plan(rounds=3, confidence=0.95, latency=0.25, tokens=0.1)
    trials, _ = await played("healthy", clock, draw, plan=plan, select=("known-good",), dialects=("openai_chat",))
    for trial in trials:
        words = [
            [run.exchanges[0].send.ask.messages[0].content[0].text.partition("] ")[2] for run in runs]
            for runs in (trial.base, trial.head)
        ]
        assert words[0] == words[1]
        assert len(set(words[0])) == 3, "every round has numbers of its own"
        marks = [run.exchanges[0].send.mark for run in (*trial.base, *trial.head)]
        assert len(set(marks)) == 6
