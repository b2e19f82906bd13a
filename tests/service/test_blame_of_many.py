"""Covers service/gating.py and service/compare.py: whose fault failures are, at gateways real on the wire."""

import json
from collections import Counter
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest
from bent_gateways import LIMITS, losing_images, proxied, settings_of

from llm_canaries.canary.claim import parse_claim
from llm_canaries.canary.comparison import Change, compare
from llm_canaries.canary.gating import By, Gated, Rules, groups
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.report.compared import Compared, compared_value
from llm_canaries.canary.report.gate import gate_value
from llm_canaries.canary.report.github import compared_commands, gate_annotations
from llm_canaries.canary.report.junit import compared_junit, gate_junit
from llm_canaries.canary.report.sarif import results_compared, sarif_report
from llm_canaries.canary.trial import Plan, match
from llm_canaries.service.compare import comparing
from llm_canaries.service.gating import gating
from llm_canaries.service.mutants.bent import Bent, Whole
from llm_canaries.service.mutants.core import CORE_MUTANTS
from llm_canaries.service.playing import Order

PLAN = Plan(rounds=1, confidence=0.95, latency=9.0, tokens=9.0)
CUT = CORE_MUTANTS["cut-and-closed"].bend
BAD_GATEWAY = b'{"error":{"message":"bad gateway","type":"server_error","code":null}}'
REFUSED = b'{"error":{"message":"who are you","type":"invalid_request_error","code":"invalid_api_key"}}'


def refusing(status, body):
    def answer(send, whole):
        return Whole(status=status, headers=(("content-type", "application/json"),), pieces=(body,))

    return lambda gateway: Bent(gateway, lambda send: send, answer, lambda look, whole: whole)


def now_and_then(bend, turns):
    """A gateway that is bent at some of its asks, one `turns` says each: x or ."""
    left = list(turns)

    class Sometimes:
        def __init__(self, gateway):
            self._gateway, self._bent, self.limits = gateway, bend(gateway), gateway.limits

        @asynccontextmanager
        async def open(self, send):
            chosen = self._bent if left and left.pop(0) == "x" else self._gateway
            async with chosen.open(send) as answer:
                yield answer

        def look(self, look):
            return self._gateway.look(look)

    return Sometimes


def counting(bend, asked):
    class Counting:
        def __init__(self, gateway):
            self._gateway, self.limits = bend(gateway), gateway.limits

        @asynccontextmanager
        async def open(self, send):
            asked["asks"] += 1
            async with self._gateway.open(send) as answer:
                yield answer

        def look(self, look):
            return self._gateway.look(look)

    return Counting


def sound(gateway):
    return gateway


def of_two(url, *, twin=True, other=False, model="mirror/healthy"):
    """Two deployed gateways before one provider, whom their twin asks; `other`: that of the new one another."""
    common = f"kind: openai-compatible, url: '{url}', dialects: [openai_chat], models: [{model}], {LIMITS}"
    more = ", twin: own" if twin else ""
    return settings_of(
        f"gateways:\n"
        f"  old: {{{common}{more}}}\n"
        f"  new: {{{common}{', twin: another' if other else more}}}\n"
        f"  own: {{kind: embedded, models: [{model}], {LIMITS}}}\n"
        f"  another: {{kind: embedded, models: [{model}], {LIMITS}, providers: {{p: {{url: '{url}', profile: mirror, "
        f"models: ['mirror/*']}}}}}}\n"
    )


class Keeper:
    """Keeps runs in memory."""

    def __init__(self):
        self.runs, self.closed = {}, False

    async def memory(self, case, scenario):
        return None

    async def keep(self, run, scenario):
        self.runs[len(self.runs) + 1] = run
        return len(self.runs)

    async def amend(self, run):
        assert run.number in self.runs
        self.runs[run.number] = run

    async def close(self):
        self.closed = True


@pytest.fixture
async def gated(clock, draw):
    """Plays a gate of one canary's streams at a bent gateway."""

    async def gated(select, bend, *, stream=True, by=By.CASE, attribution=True, model="mirror/healthy"):
        asked, keeper = Counter(), Keeper()
        async with proxied(clock, draw) as url:
            settings = of_two(url, model=model)
            found = cases(settings.config, settings.binding, Wanted(canaries=(select,), gateways=("new",)))
            its = [case for case in found if case.canary == select and case.stream is stream]
            rules = Rules(claims=(parse_claim("failures < 5%"),), confidence=0.95, by=by)
            order = Order(
                config=settings.config, cases=its, bend=counting(bend, asked), attribution=attribution, afterwards=True,
                keeper=keeper,
            )  # fmt: skip
            made, runs = groups(its, rules), []
            judged = await gating(
                order, made, clock=clock, draw=draw, redact=str, report=runs.append, end=lambda group: None
            )
        runs = [judged.get(id(run), run) for run in runs]
        verdicts = tuple(verdict for group in made for verdict in group.verdicts(judged))
        assert keeper.closed
        assert [run.finding for run in keeper.runs.values()] == [run.finding for run in runs]
        return Gated(rules=rules, verdicts=verdicts), runs, asked["asks"]

    return gated


async def test_under_a_gate_each_failure_says_whose_fault_it_is_and_each_case_is_asked_about_once(gated):
    found, runs, asked = await gated("tool-result-image", losing_images, by=By.CASE)
    (verdict,) = found.verdicts
    assert (verdict.failures, verdict.runs, verdict.made) == (2, 2, 2), "what was asked afterwards is not counted"
    (blamed,) = verdict.blamed
    assert (blamed.reason, blamed.fault_domain, blamed.failures) == ("dropped_silent", "translation", 2)
    assert blamed.because[-1].endswith("through the embedded core passed; the gateway lost it, twice: translation")
    assert [run.finding.fault_domain for run in runs] == ["translation"] * 2
    assert [twin.way for twin in runs[0].twins] == ["direct", "again"]
    assert runs[1].twins == (), "found out once"
    assert "that was found at the first of these failures, run 1" in runs[1].finding.because
    assert asked == sum(len(run.exchanges) for run in (*runs, runs[0].twins[1].run)), "once more, and no more"


async def test_a_gate_that_is_told_not_to_asks_nobody(gated):
    found, runs, asked = await gated("known-good", CUT, attribution=False)
    assert (found.verdicts[0].failures, asked) == (2, 2)
    assert {run.finding.fault_domain for run in runs} == {"provider"}, "as the answer looks"
    assert {run.finding.because for run in runs} == {()}


async def test_what_the_provider_fails_directly_is_its_own(gated):
    found, _, _ = await gated("known-good", sound, model="mirror/footer")
    assert [each.fault_domain for each in found.verdicts[0].blamed] == ["provider"]
    assert "fails in the same way directly" in found.verdicts[0].blamed[0].detail


async def test_a_failure_now_and_then_that_passes_once_more_blames_no_gateway(gated):
    bend = now_and_then(refusing(502, BAD_GATEWAY), "x")
    found, runs, _ = await gated("known-good", bend, stream=False)
    assert found.decision.value == "pass"
    (blamed,) = found.verdicts[0].blamed
    assert (blamed.failures, blamed.fault_domain) == (1, "provider")
    assert "a fault that passes" in blamed.detail
    assert sum(run.finding.outcome.value == "fail" for run in runs) == 1


async def test_nobody_is_asked_again_under_a_gate_after_a_refusal(gated):
    found, runs, asked = await gated("known-good", refusing(401, REFUSED), stream=False)
    assert asked == len(runs)
    assert {each.fault_domain for each in found.verdicts[0].blamed} == {"client"}


async def test_a_gate_tells_whose_fault_in_every_format(gated):
    found, _, _ = await gated("known-good", CUT)
    (row,) = gate_value(found)["groups"]
    assert row["blamed"][0]["fault_domain"] == "translation"
    assert row["blamed"][0]["because"][0].startswith("at new: failed with truncated_stream")
    case = ET.fromstring(gate_junit(found)).find("testsuite/testcase")
    assert case.find("properties/property[@name='whose_fault']").get("value") == "translation"
    assert "truncated_stream (translation)" in case.find("failure").get("message")
    assert "directly, through own: passed" in case.find("failure").text.splitlines()
    (line,) = gate_annotations(found)
    assert "truncated_stream (translation)" in line


@pytest.fixture
async def compared(clock, draw):
    """Compares a sound gateway with a bent one before the same provider; what differs, and how often head was asked."""

    async def compared(select, bend, *, stream=True, base=sound, attribution=True, **fields):
        asked = Counter()
        async with proxied(clock, draw) as url:
            settings = of_two(url, **fields)
            sides = [
                [
                    case
                    for case in cases(settings.config, settings.binding, Wanted(canaries=(select,), gateways=(name,)))
                    if case.canary == select and case.stream is stream
                ]
                for name in ("old", "new")
            ]
            matched = match(*sides, key=lambda case: (case.canary, case.model, case.dialect, case.stream))
            orders = [
                Order(config=settings.config, cases=its, bend=by, attribution=attribution, afterwards=True)
                for its, by in zip(sides, (base, counting(bend, asked)), strict=True)
            ]
            trials = await comparing(
                tuple(orders), matched.pairs, PLAN, clock=clock, draw=draw, redact=(str, str),
                learn=(lambda secret: None, lambda secret: None), end=lambda trial: None,
            )  # fmt: skip
        found = [each for each in compare(trials, PLAN) if each.change is not Change.SAME]
        whole = Compared(base="old", head="new", plan=PLAN, trials=tuple(trials), differences=tuple(found))
        return whole, asked["asks"]

    return compared


async def difference(compared, *arguments, **fields):
    found, _ = await compared(*arguments, **fields)
    (only,) = found.differences
    return only


async def test_what_passes_at_base_and_fails_at_head_is_heads_own_without_any_twin(compared):
    found = await difference(compared, "known-good", CUT, twin=False)
    assert (found.change, found.reason, found.fault_domain) == (Change.NEW, "truncated_stream", "translation")
    assert found.because == (
        "at head: failed with truncated_stream, by itself a matter of: provider",
        "at base: 0 of 6 failed",
        "the same ask passes at base, before the same provider, and head loses it: translation",
    )


async def test_errors_that_base_does_not_give_are_the_deployments(compared):
    found = await difference(compared, "known-good", refusing(502, BAD_GATEWAY), twin=False)
    assert (found.reason, found.fault_domain) == ("upstream_error", "deployment")
    assert "head gives no answer" in found.detail


async def test_base_is_believed_before_one_direct_run(compared):
    """A provider that fails directly now and then is not blamed for what head alone fails every time."""
    found = await difference(compared, "tool-result-image", losing_images)
    assert found.fault_domain == "translation"
    assert "directly, through own: passed" in found.because


async def test_what_fails_at_both_is_asked_about_and_is_no_change(compared):
    found = await difference(compared, "known-good", CUT, base=CUT)
    assert (found.change, found.fault_domain) == (Change.KNOWN, "translation"), "both builds cut it"
    alone = await difference(compared, "known-good", CUT, base=CUT, twin=False)
    assert (alone.change, alone.fault_domain) == (Change.KNOWN, "provider")
    assert alone.because[-1] == "it fails at base as well: no change from there to head: provider"


async def test_what_may_be_chance_blames_nobody_for_it(compared):
    found = await difference(compared, "known-good", now_and_then(refusing(502, BAD_GATEWAY), "x"), twin=False)
    assert (found.change, found.fault_domain) == (Change.CHANCE, "provider")
    assert found.because == (), "nothing but the answer is known"


async def test_a_refusal_that_was_asked_once_leaves_base_out(compared):
    found = await difference(compared, "known-good", refusing(401, REFUSED))
    assert (found.change, found.fault_domain) == (Change.NEW, "client")
    assert "asked once only" in found.detail


async def test_without_attribution_head_is_asked_no_more_and_nobody_is_named_by_evidence(compared):
    without, asked = await compared("known-good", CUT, attribution=False)
    assert (without.differences[0].fault_domain, without.differences[0].because) == ("provider", ())
    _, more = await compared("known-good", CUT)
    assert more == asked + 1, "once more, afterwards"


async def test_gateways_whose_twins_ask_others_are_no_evidence_of_each_other(compared):
    found = await difference(compared, "known-good", CUT, other=True)
    assert "at base: 0 of 6 failed, before another provider, which its twin names" in found.because
    assert found.because[-1] == "the same ask through the embedded core passed; the gateway lost it, twice: translation"


async def test_a_comparison_tells_whose_fault_in_every_format(compared):
    whole, _ = await compared("known-good", CUT, twin=False)
    (said,) = compared_value(whole)["differences"]
    assert (said["fault_domain"], said["because"][1]) == ("translation", "at base: 0 of 6 failed")
    failure = ET.fromstring(compared_junit(whole)).find("testsuite/testcase/failure")
    assert "truncated_stream (translation)" in failure.get("message")
    assert failure.text.splitlines()[1] == "at base: 0 of 6 failed"
    assert "(translation)" in compared_commands(whole)[0]
    place = dict.fromkeys([whole.trials[0].pair.head.key, "known-good"])
    (result,) = json.loads(sarif_report(results_compared(whole.differences, place), {}, "1"))["runs"][0]["results"]
    assert result["properties"]["faultDomain"] == "translation"
    assert result["properties"]["because"][-1].startswith("the same ask passes at base")
