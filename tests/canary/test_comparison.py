"""canary/comparison.py: trials made by hand, and thousands of identical gateways that fail now and then."""

import random

import pytest
from msgspec.structs import replace
from plays import case, chat
from runs import run

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.canary import Severity
from llm_canaries.canary.comparison import Change, Reason, compare, level, more
from llm_canaries.canary.exit_code import compare_exit_code
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.canary.trial import Pair, Plan, Trial, match
from llm_canaries.wire.fault import Fault, FaultReason

PLAN = Plan(rounds=1, confidence=0.95, latency=0.25, tokens=0.1)
WORDS = {
    ".": ("pass", ""),
    "x": ("fail", "html"),
    "y": ("fail", "wrong_answer"),
    "?": ("inconclusive", "cap_too_small"),
    "s": ("skip", "no_endpoint"),
    "o": ("fail", "order_flat"),
}


def pair(name="m", **more):
    its = run(model=name, scenario=more.pop("scenario", "known-good"), **more).case
    return Pair(replace(its, gateway="base"), replace(its, gateway="head"))


def runs(fate, its, answers=()):
    return tuple(replace(run(*WORDS[each], answers=answers), case=its) for each in fate)


def trial(base, head, held="", **more):
    its = pair(**more)
    return Trial(its, runs(base, its.base), runs(head, its.head), held)


def judged(*trials, plan=PLAN):
    return [(each.change, each.reason) for each in compare(trials, plan)]


@pytest.mark.parametrize(
    ("base", "head", "change", "reason"),
    [
        (".", ".", Change.SAME, ""),
        (".", "x", Change.CHANCE, "html"),
        ("." * 6, "x" * 6, Change.NEW, "html"),
        ("." * 6, "xxxxx.", Change.NEW, "html"),
        ("." * 6, "xxx...", Change.CHANCE, "html"),
        ("x" * 6, "x" * 6, Change.KNOWN, "html"),
        ("x" * 6, "y" * 6, Change.CHANGED, "wrong_answer"),
        ("x" * 6, "yx.xxx", Change.KNOWN, "html"),
        ("x", ".", Change.FIXED, "html"),
        (".", "?", Change.UNDECIDED, "cap_too_small"),
        ("?", ".", Change.UNDECIDED, "cap_too_small"),
        ("?", "?", Change.UNDECIDED, "cap_too_small"),
        ("s", "s", Change.SAME, ""),
        (".", "s", Change.LOST, "no_longer_tested"),
        ("s", "x", Change.GAINED, "html"),
        ("s", ".", Change.GAINED, ""),
        ("s", "?", Change.UNDECIDED, "cap_too_small"),
        ("." * 5, "....o", Change.CHANCE, "order_flat"),
        ("", "", Change.UNDECIDED, ""),
    ],
)
def test_one_pair(base, head, change, reason):
    (found,) = compare([trial(base, head)], PLAN)
    assert (found.change, found.reason) == (change, reason)
    assert found.change.worse == (change in (Change.NEW, Change.CHANGED, Change.LOST))


def test_counts_are_told():
    (found,) = compare([trial("." * 6, "xx?xxxx")], PLAN)
    assert (found.base, found.head) == ("0 of 6 failed", "6 of 6 failed")
    assert found.p == pytest.approx(1 / 924)


def test_a_reason_that_takes_many_runs_to_find_needs_no_more_of_them():
    (found,) = compare([trial("." * 5, "....o", scenario="thinking")], PLAN)
    assert (found.change, found.reason) == (Change.NEW, "order_flat")
    (found,) = compare([trial("....o", "....o", scenario="thinking")], PLAN)
    assert found.change is Change.KNOWN


def refused(reason):
    its = case(SCENARIO)
    exchange = chat(sending(its, text_ask(its, "hi", cap=9), "cnry-aaaaaaaaaa"))
    return replace(exchange, fault=Fault(reason=reason, status=401), reply=None)


def test_a_refusal_is_told_after_one_ask_and_never_asked_again():
    its = pair()
    found = Trial(its, runs(".", its.base), runs("x", its.head, (refused(FaultReason.AUTH),)))
    assert more(found, PLAN, level(PLAN, [its])) == 0
    (difference,) = compare([found], PLAN)
    assert difference.change is Change.NEW
    assert "asked once only" in difference.detail
    outage = Trial(its, runs(".", its.base), runs("x", its.head, (refused(FaultReason.UPSTREAM_ERROR),)))
    assert more(outage, PLAN, level(PLAN, [its])) > 0


def test_a_withheld_pair_is_undecided_and_says_why():
    (found,) = compare([trial("", "", held="home wants no more asks of m for 30 s")], PLAN)
    assert (found.change, found.reason) == (Change.UNDECIDED, "held_retry_after")
    assert found.detail == "home wants no more asks of m for 30 s"


def test_only_what_looks_worse_and_can_be_proven_is_run_again():
    share = level(PLAN, [pair()])
    assert more(trial("", ""), PLAN, share) == 1
    assert more(trial(".", "."), PLAN, share) == 0
    assert more(trial("x", "."), PLAN, share) == 0
    assert more(trial("x", "x"), PLAN, share) == 0
    assert more(trial(".", "?"), PLAN, share) == 0
    assert more(trial(".", "x"), PLAN, share) == 5
    assert more(trial("x", "y"), PLAN, share) == 5, "another reason"
    assert more(trial("..", "x."), PLAN, share) == 4, "one may go the other way"
    assert more(trial("...", "x.."), PLAN, share) == 0, "two may not"
    assert more(trial("." * 6, "x" * 6), PLAN, share) == 0
    assert more(trial(".", "x", held="wait"), PLAN, share) == 0


def test_a_canary_s_cases_prove_together_what_none_proves_alone():
    plan = replace(PLAN, rounds=10)
    trials = [trial("." * 10, "xx........", name=f"m{n}") for n in range(8)]
    found = compare(trials, plan)
    assert [each.change for each in found[:8]] == [Change.CHANCE] * 8
    assert [(each.change, each.reason, each.base, each.head) for each in found[8:]] == [
        (Change.NEW, "html", "0 of 80 failed", "16 of 80 failed")
    ]
    assert found[8].pair is None


def test_confirmations_enter_no_ratio():
    trials = [trial(".", "x", name="m0"), *(trial(".", ".", name=f"m{n}") for n in range(1, 8))]
    confirmed = [replace_runs(trials[0], "....", "x..."), *trials[1:]]
    assert judged(*trials) == judged(*confirmed)


def replace_runs(its, base, head):
    return Trial(its.pair, runs(base, its.pair.base), runs(head, its.pair.head))


def timed(durations, tokens, its):
    made = []
    for duration, count in zip(durations, tokens, strict=True):
        answer = chat(
            sending(its, text_ask(its, "hi", cap=9), "cnry-aaaaaaaaaa"),
            "1",
            usage={"prompt_tokens": count, "completion_tokens": 1, "total_tokens": count + 1},
        )
        made.append(replace(run(answers=(replace(answer, duration=duration),)), case=its))
    return tuple(made)


def growth(factor, tokens=(100, 100), runs=20, base=1.0):
    draw, its = random.Random(5), pair(dialect="openai_chat")
    durations = [base * (1 + draw.random()) for _ in range(runs)]
    return Trial(
        its,
        timed(durations, [tokens[0]] * runs, its.base),
        timed([each * factor for each in durations], [tokens[1]] * runs, its.head),
    )


@pytest.mark.parametrize(
    ("its", "found"),
    [
        (growth(1.0), []),
        (growth(1.3), [(Change.GROWN, Reason.SLOWER)]),
        (growth(1.2), []),  # sure, and less than matters
        (growth(0.5), []),
        (growth(1.3, runs=6), [(Change.CHANCE, Reason.SLOWER)]),
        (growth(1.3, runs=2), []),
        (growth(1.5, base=0.01), []),  # five milliseconds
        (growth(1.0, tokens=(100, 115)), [(Change.GROWN, Reason.COSTLIER)]),
        (growth(1.0, tokens=(100, 105)), []),
        (growth(1.0, tokens=(115, 100)), []),
        (growth(1.4, tokens=(100, 200)), [(Change.GROWN, Reason.SLOWER), (Change.GROWN, Reason.COSTLIER)]),
    ],
)
def test_latency_and_tokens(its, found):
    plan = replace(PLAN, rounds=20)
    differences = [each for each in compare([its], plan) if each.pair is None]
    assert [(each.change, each.reason) for each in differences] == found
    assert all(each.severity is Severity.WARNING for each in differences)


def test_only_runs_that_passed_at_both_sides_are_measured():
    its = growth(2.0)
    failed = tuple(replace(each, finding=run("fail", "html").finding) for each in its.head)
    found = compare([Trial(its.pair, its.base, failed)], replace(PLAN, rounds=20))
    assert [each.change for each in found] == [Change.NEW], "no latency and no tokens"


def test_matching():
    base = [run(model=name, gateway="old").case for name in "abc"]
    head = [run(model=name, gateway="new").case for name in "bcd"]
    found = match(base, head, lambda case: case.model)
    assert [(each.base.gateway, each.head.gateway, each.base.model) for each in found.pairs] == [
        ("old", "new", "b"),
        ("old", "new", "c"),
    ]
    assert [case.model for case in found.base_only] == ["a"]
    assert [case.model for case in found.head_only] == ["d"]


def played(pairs, plan, chances, draw):
    """Trials of gateways that fail with the given chances, run as the service runs them."""
    share, trials = level(plan, pairs), []
    for its in pairs:
        found = Trial(its)
        while rounds := more(found, plan, share):
            for _ in range(rounds):
                fate = ["x" if draw.random() < each else "." for each in chances]
                base, head = runs(fate[0], its.base), runs(fate[1], its.head)
                found = Trial(its, found.base + base, found.head + head)
                if len(found.head) >= plan.rounds and not more(found, plan, share):
                    break
        trials.append(found)
    return trials


@pytest.mark.parametrize(
    ("chance", "rounds", "seeds"), [(0.005, 1, 80), (0.005, 10, 10), (0.1, 3, 20), (0.5, 1, 30), (0.5, 5, 15)]
)
def test_identical_gateways_are_called_worse_no_more_often_than_said(chance, rounds, seeds):
    plan, draw = replace(PLAN, rounds=rounds), random.Random(17)
    pairs = [pair(name=f"m{n}", canary=f"c{n % 11}") for n in range(47)]
    wrong = 0
    for _ in range(seeds):
        found = compare(played(pairs, plan, (chance, chance), draw), plan)
        wrong += any(each.change.worse for each in found)
    if chance <= 0.005:
        assert wrong == 0
    # 5 % and four standard deviations
    assert wrong <= 0.05 * seeds + 4 * (0.05 * 0.95 * seeds) ** 0.5


def test_one_fault_of_47_pairs_is_found_with_few_runs():
    plan, draw = PLAN, random.Random(23)
    pairs = [pair(name=f"m{n}") for n in range(47)]
    trials = played(pairs[:46], plan, (0.005, 0.005), draw) + played(pairs[46:], plan, (0.0, 1.0), draw)
    share = level(plan, pairs)
    broken = trials[-1]
    while rounds := more(broken, plan, share):
        base, head = runs("." * rounds, broken.pair.base), runs("x" * rounds, broken.pair.head)
        broken = Trial(broken.pair, broken.base + base, broken.head + head)
    found = compare([*trials[:-1], broken], plan)
    assert [each.pair.head.model for each in found if each.change.worse] == ["m46"]
    assert sum(len(each.head) for each in trials) < 100


@pytest.mark.parametrize(
    ("trials", "fail_on", "allow", "code"),
    [
        ([trial(".", ".")], "warning", False, 0),
        ([trial("." * 6, "x" * 6)], "warning", False, 1),
        ([trial("." * 6, "x" * 6, severity="warning")], "critical", False, 0),
        ([trial("." * 6, "x" * 6, severity="warning")], "warning", False, 1),
        ([trial(".", "?")], "warning", False, 3),
        ([trial(".", "?")], "warning", True, 0),
        ([trial(".", "s")], "critical", False, 1),
        ([], "warning", False, 3),
        ([], "warning", True, 0),
    ],
)
def test_exit_code(trials, fail_on, allow, code):
    found = compare(trials, PLAN) if trials else []
    assert compare_exit_code(found, fail_on=Severity(fail_on), allow_undecided=allow) == code
