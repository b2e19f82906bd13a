"""canary/gating.py: groups played with runs made by hand."""

import random
from collections import Counter

import pytest
from msgspec.structs import replace
from runs import run

from llm_canaries.canary.canary import Severity
from llm_canaries.canary.claim import parse_claim
from llm_canaries.canary.gating import By, Gated, Group, Rules, Why, groups
from llm_canaries.canary.sequential import Decision

PASS, FAIL, UNDECIDED, SKIP = Decision.PASS, Decision.FAIL, Decision.UNDECIDED, Decision.SKIP


def cases(count, **more):
    return [run(model=f"m{each}", scenario="known-good", **more).case for each in range(count)]


def rules(*claims, **more):
    return Rules(claims=tuple(map(parse_claim, claims or ("failures < 5%",))), confidence=0.95, **more)


def play(group, judge, width=1):
    """The cases in the order in which they ran; `judge(case, n)` is (outcome, reason)."""
    played = []
    while batch := group.next(width):
        assert len(batch) <= width
        for case in batch:
            outcome, reason = judge(case, len(played))
            played.append(case)
            group.add(replace(run(outcome, reason), case=case))
        assert len(played) < 10_000
    return played


def healthy(case, n):
    return "pass", ""


def test_cases_take_turns_and_a_pass_comes_at_the_end_of_one():
    group = Group(cases(8), rules())
    played = play(group, healthy)
    assert [case.model for case in played[:9]] == [*(f"m{n}" for n in range(8)), "m0"]
    assert len(played) == 72, "71 are enough, and a turn is 8"
    (verdict,) = group.verdicts()
    assert (verdict.decision, verdict.failures, verdict.runs, verdict.made, verdict.most) == (PASS, 0, 72, 72, 144)
    assert 0.04 < verdict.upper < 0.05
    assert verdict.lower == pytest.approx(0, abs=1e-6)


def test_runs_in_flight_together_change_no_verdict():
    draw = random.Random(3)
    fate = [draw.random() < 0.03 for _ in range(200)]

    def judge(case, n):
        return ("fail", "html") if fate[n] else ("pass", "")

    found = set()
    for width in (1, 3, 8):
        group = Group(cases(8), rules())
        play(group, judge, width)
        found.add(tuple((v.decision, v.failures, v.runs, v.made) for v in group.verdicts()))
    assert len(found) == 1


def test_an_outage_is_decided_within_the_first_turn():
    group = Group(cases(8), rules())
    assert len(play(group, lambda case, n: ("fail", "connect"))) == 3
    (verdict,) = group.verdicts()
    assert (verdict.decision, verdict.failures, verdict.runs) == (FAIL, 3, 3)
    assert 0.05 < verdict.lower < verdict.upper == 1


def test_one_bad_case_of_eight_fails_the_group():
    group = Group(cases(8), rules())
    play(group, lambda case, n: ("fail", "html") if case.model == "m5" else ("pass", ""))
    (verdict,) = group.verdicts()
    assert verdict.decision in (FAIL, UNDECIDED)
    apart = [Group([case], rules()) for case in cases(8)]
    for each in apart:
        play(each, lambda case, n: ("fail", "html") if case.model == "m5" else ("pass", ""))
    assert [each.verdicts()[0].decision for each in apart] == [PASS] * 5 + [FAIL] + [PASS] * 2


def test_a_failure_is_made_up_for_within_the_default_and_the_rest_is_told():
    group = Group(cases(1), rules())
    play(group, lambda case, n: ("fail", "html") if n == 0 else ("pass", ""))
    (verdict,) = group.verdicts()
    assert (verdict.decision, verdict.failures, verdict.runs, verdict.most) == (PASS, 1, 133, 142)
    short = Group(cases(1), rules(most=100))
    play(short, lambda case, n: ("fail", "html") if n == 0 else ("pass", ""))
    (verdict,) = short.verdicts()
    assert (verdict.decision, verdict.why, verdict.made, verdict.needed) == (UNDECIDED, Why.MAX_RUNS, 100, 33)


def test_needed_runs_are_whole_turns():
    group = Group(cases(8), rules(most=20))
    play(group, healthy)
    (verdict,) = group.verdicts()
    assert (verdict.decision, verdict.runs, verdict.needed) == (UNDECIDED, 20, 52)
    assert verdict.upper > 0.05


def test_runs_that_say_nothing_do_not_count_and_are_bounded():
    group = Group(cases(2), rules())
    played = play(group, lambda case, n: ("inconclusive", "cap_too_small") if n % 2 else ("pass", ""))
    (verdict,) = group.verdicts()
    assert (verdict.decision, verdict.runs, verdict.made) == (PASS, 71, 142)
    assert len(played) == 142
    mute = Group(cases(2), rules())
    assert len(play(mute, lambda case, n: ("inconclusive", "cap_too_small"))) == 10
    (verdict,) = mute.verdicts()
    assert (verdict.decision, verdict.why, verdict.runs, verdict.made) == (UNDECIDED, Why.UNCOUNTED, 0, 10)


def test_a_case_that_skips_is_not_asked_again():
    group = Group(cases(2), rules())
    played = play(group, lambda case, n: ("skip", "text_only_model") if case.model == "m1" else ("pass", ""))
    assert Counter(case.model for case in played) == {"m0": 71, "m1": 1}
    (verdict,) = group.verdicts()
    assert (verdict.decision, verdict.made) == (PASS, 71)
    empty = Group(cases(2), rules())
    assert len(play(empty, lambda case, n: ("skip", "text_only_model"))) == 2
    assert empty.verdicts()[0].decision is SKIP


def test_a_hold_ends_a_group_with_its_reason():
    group = Group(cases(1), rules())
    for _ in range(3):
        group.add(replace(run(), case=group.next(1)[0]))
    group.hold(Why.HELD, "rate_limited: no more asks for 30 s", made=1)
    assert group.done
    assert group.next(1) == []
    (verdict,) = group.verdicts()
    assert (verdict.decision, verdict.why, verdict.runs, verdict.made) == (UNDECIDED, Why.HELD, 3, 4)
    assert verdict.detail.startswith("rate_limited")
    decided = Group(cases(1), rules())
    play(decided, healthy)
    decided.hold(Why.HELD, "too late")
    assert decided.verdicts()[0].decision is PASS


def test_claims_share_their_runs_and_end_apart():
    group = Group(cases(1), rules("failures < 5%", "failures < 10%", "html < 20%"))
    assert len(play(group, healthy)) == 71
    assert [(v.decision, v.made) for v in group.verdicts()] == [(PASS, 71), (PASS, 35), (PASS, 17)]


def test_groups_by_canary_case_and_all():
    its = cases(2) + cases(2, gateway="h") + cases(1, canary="d", severity="warning")
    by = {each: groups(its, rules(by=each)) for each in By}
    assert [len(found.cases) for found in by[By.CANARY]] == [2, 2, 1]
    assert len(by[By.CASE]) == 5
    assert len(by[By.ALL]) == 1
    names = [found.verdicts()[0].name for each in By for found in by[each]]
    assert names[:4] == ["c g", "c h", "d g", "c g m0 openai_chat stream=false"]
    assert names[-1] == "all cases"
    assert [found.verdicts()[0].severity for found in by[By.CANARY]] == [
        Severity.CRITICAL,
        Severity.CRITICAL,
        Severity.WARNING,
    ]
    assert by[By.ALL][0].verdicts()[0].severity is Severity.CRITICAL


def test_a_claim_that_concerns_no_case_of_a_group_leaves_it_out():
    its = [*cases(1), run(canary="t", scenario="tool-result-image").case]
    assert [found.cases[0].canary for found in groups(its, rules("dropped_silent < 5%"))] == ["t"]


@pytest.mark.parametrize(
    ("decisions", "whole"),
    [
        ([PASS, PASS], PASS),
        ([PASS, SKIP], PASS),
        ([PASS, UNDECIDED], UNDECIDED),
        ([UNDECIDED, FAIL], FAIL),
        ([SKIP], UNDECIDED),
        ([], UNDECIDED),
    ],
)
def test_the_whole_gate(decisions, whole):
    (verdict,) = Group(cases(1), rules()).verdicts()
    made = tuple(replace(verdict, decision=each) for each in decisions)
    assert Gated(rules=rules(), verdicts=made).decision is whole
