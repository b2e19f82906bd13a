"""Covers canary/attribution.py: every combination of evidence, held against what each piece of it rules out."""

from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from msgspec.structs import replace

from llm_canaries.canary.attribution import (
    TABLE,
    Again,
    Base,
    Direct,
    Evidence,
    Loop,
    Net,
    Sign,
    blame,
)
from llm_canaries.canary.report.attribution import markdown
from llm_canaries.wire.fault import Domain

DOCS = Path(__file__).parents[2] / "docs" / "attribution.md"
UNKNOWN = {
    "direct": Direct.NOT_RUN, "loop": Loop.NOT_RUN, "again": Again.NOT_RUN, "base": Base.NOT_RUN, "net": Net.UNKNOWN
}  # fmt: skip
KNOWABLE = {
    "direct": set(Direct) - {Direct.NOT_RUN},
    "loop": set(Loop) - {Loop.NOT_RUN},
    "again": set(Again) - {Again.NOT_RUN},
    "base": set(Base) - {Base.NOT_RUN},
    "net": {Net.OK, Net.DOWN},
}
EVERY = [
    Evidence(own=own, sign=sign, direct=direct, loop=loop, again=again, base=base, net=net)
    for own, sign, direct, loop, again, base, net in product(Domain, Sign, Direct, Loop, Again, Base, Net)
]
BEHIND_THE_DOOR = {Domain.TRANSLATION, Domain.ROUTING, Domain.DEPLOYMENT}


def cleared(evidence):
    """Whom the evidence clears, reasoned piece by piece without the table."""
    if evidence.net is Net.DOWN:
        return set(Domain) - {Domain.NETWORK}
    found = set()
    if evidence.direct is Direct.PASSED and (evidence.again is Again.FAILED or evidence.loop is Loop.FAILED):
        found |= {Domain.PROVIDER}  # it works without the gateway, and twice not with it
    if evidence.base is Base.PASSED:  # before the same provider, reached from here, and judged by the same canary
        found |= {Domain.PROVIDER, Domain.NETWORK, Domain.CANARY}
    elif evidence.direct is Direct.SAME:
        found |= BEHIND_THE_DOOR  # it fails without the gateway
    if evidence.loop is Loop.FAILED and evidence.sign is not Sign.LOCAL:
        found |= {Domain.CANARY}  # our own mirror passes it, and the gateway before it does not
        if evidence.direct is not Direct.SAME or evidence.sign in (Sign.PAGE, Sign.SILENT):
            found |= {Domain.PROVIDER}  # it fails without the provider, and silence everywhere has one cause
    if evidence.loop is Loop.VOID and evidence.sign not in (Sign.LOCAL, Sign.PAGE):
        found |= {Domain.PROVIDER}  # it fails without the provider
    fails_anyway = evidence.direct in (Direct.SAME, Direct.OTHER) and evidence.base is not Base.PASSED
    if evidence.sign is Sign.LOCAL and fails_anyway:
        found |= {Domain.POLICY}  # whoever refuses what fails anyway does right
    if evidence.sign is Sign.PAGE and evidence.direct is Direct.PASSED:
        found |= {Domain.PROVIDER}
    return found


def test_the_product_is_whole():
    assert len(EVERY) == len(set(map(repr, EVERY))) == 8 * 9 * 5 * 5 * 3 * 3 * 3


def test_each_combination_is_decided_by_one_line_and_each_line_decides_some():
    decides = Counter()
    for evidence in EVERY:
        first = next(number for number, rule in enumerate(TABLE) if rule.fits(evidence))
        assert blame(evidence).rule is TABLE[first]
        decides[first] += 1
    assert sum(decides.values()) == len(EVERY)
    assert set(decides) == set(range(len(TABLE))), "a line that decides nothing is dead"


def test_no_evidence_keeps_the_scenarios_own_domain():
    for own in Domain:
        for sign in set(Sign) - {Sign.LOCAL, Sign.NAMED, Sign.BEHIND}:
            assert blame(Evidence(own=own, sign=sign)).domain is own, (own, sign)
        assert blame(Evidence(own=own, direct=Direct.UNDECIDED, loop=Loop.UNDECIDED)).domain is own


def test_nobody_is_blamed_whom_the_evidence_clears():
    """By a line that names somebody; the scenario's own domain stands on evidence of its own."""
    for evidence in EVERY:
        verdict = blame(evidence)
        if verdict.rule.domain is not None:
            assert verdict.domain not in cleared(evidence), (evidence, verdict.rule.why)


def test_the_provider_is_never_blamed_for_what_works_without_the_gateway():
    for evidence in EVERY:
        standing = evidence.again is Again.FAILED or evidence.loop is Loop.FAILED
        if evidence.direct is Direct.PASSED and standing and evidence.net is not Net.DOWN:
            assert blame(evidence).domain is not Domain.PROVIDER, evidence


def test_the_gateway_is_never_blamed_for_what_fails_without_it():
    """Unless another gateway shows that a gateway can do it."""
    for evidence in EVERY:
        if evidence.direct is Direct.SAME and evidence.base is not Base.PASSED and evidence.net is not Net.DOWN:
            assert blame(evidence).domain not in BEHIND_THE_DOOR, evidence


def test_a_provider_that_another_gateway_gets_answers_from_is_not_blamed():
    for evidence in EVERY:
        if evidence.base is Base.PASSED and evidence.net is not Net.DOWN:
            assert blame(evidence).rule.domain in (None, *BEHIND_THE_DOOR, Domain.POLICY), evidence


def test_a_down_network_is_all_that_is_blamed_while_it_is_down():
    assert {blame(each).domain for each in EVERY if each.net is Net.DOWN} == {Domain.NETWORK}


def test_more_evidence_never_contradicts_a_blame():
    """Once a line has named somebody, one more piece of evidence leaves that be, or clears whom it named."""
    steps = 0
    for evidence in EVERY:
        before = blame(evidence)
        if before.rule.domain is None:
            continue
        for name, unknown in UNKNOWN.items():
            for known in KNOWABLE[name] if getattr(evidence, name) is unknown else ():
                more = replace(evidence, **{name: known})
                after = blame(more)
                assert after.domain is before.domain or before.domain in cleared(more), (evidence, more, after.domain)
                steps += 1
    assert steps > 10_000


def test_a_gateway_that_failed_once_beside_one_direct_pass_is_not_blamed_for_it():
    """A provider that fails now and then passes nine of ten direct asks too: one pass proves nothing."""
    for own in Domain:
        for sign in (Sign.ANSWERED, Sign.REFUSED, Sign.SILENT):
            once = Evidence(own=own, sign=sign, direct=Direct.PASSED)
            assert blame(once).domain is own
            assert blame(replace(once, again=Again.PASSED)).domain is own


A, R, S = Sign.ANSWERED, Sign.REFUSED, Sign.SILENT


@pytest.mark.parametrize(
    ("own", "sign", "known", "domain"),
    [
        # an image that the gateway loses, and one that the provider cannot see
        ("translation", A, {"direct": "passed", "again": "failed"}, "translation"),
        ("translation", A, {"direct": "same"}, "provider"),
        ("translation", A, {"direct": "same", "loop": "passed"}, "provider"),
        ("translation", A, {"direct": "same", "loop": "void"}, "canary"),
        # one that both lose: mending the gateway would not help
        ("translation", A, {"direct": "same", "loop": "failed"}, "provider"),
        # what our own mirror fails by itself says nothing of the gateway
        ("translation", A, {"loop": "void"}, "translation"),
        # a new build that loses what the one before it passed on, to the same provider
        ("provider", A, {"base": "passed"}, "translation"),
        ("translation", A, {"base": "passed", "direct": "same"}, "translation"),
        ("routing", A, {"base": "passed"}, "routing"),
        ("provider", R, {"base": "passed"}, "deployment"),
        ("policy", Sign.LOCAL, {"base": "passed"}, "policy"),
        ("deployment", Sign.PAGE, {"base": "passed"}, "deployment"),
        ("network", Sign.UNREACHED, {"base": "passed"}, "deployment"),
        ("provider", A, {"base": "failed"}, "provider"),
        ("provider", A, {"base": "passed", "net": "down"}, "network"),
        # a stream cut behind the gateway, and by it
        ("provider", A, {"direct": "passed", "again": "failed"}, "translation"),
        ("provider", A, {"loop": "failed"}, "translation"),
        ("translation", A, {"direct": "other", "loop": "passed"}, "provider"),
        ("translation", A, {"direct": "other"}, "translation"),
        # a 502 that the provider never gave
        ("provider", R, {"direct": "passed", "again": "failed"}, "deployment"),
        ("provider", R, {"direct": "passed", "again": "passed"}, "provider"),
        ("provider", R, {"direct": "same"}, "provider"),
        ("translation", R, {"direct": "passed", "again": "failed"}, "translation"),
        ("client", R, {"direct": "passed", "again": "failed"}, "client"),
        # a cooldown, stale and not
        ("policy", Sign.LOCAL, {}, "policy"),
        ("provider", Sign.LOCAL, {}, "policy"),
        ("provider", Sign.LOCAL, {"direct": "passed"}, "policy"),
        ("policy", Sign.LOCAL, {"direct": "other"}, "provider"),
        ("deployment", Sign.LOCAL, {}, "deployment"),
        ("client", Sign.BEHIND, {}, "deployment"),
        ("client", Sign.BEHIND, {"base": "passed"}, "deployment"),
        ("client", Sign.BEHIND, {"direct": "same"}, "client"),
        # nobody there
        ("deployment", Sign.UNREACHED, {"direct": "passed"}, "deployment"),
        ("deployment", Sign.UNREACHED, {"direct": "same"}, "network"),
        ("network", Sign.UNREACHED, {"net": "ok"}, "deployment"),
        ("network", Sign.UNREACHED, {}, "network"),
        ("deployment", Sign.TLS, {"direct": "same"}, "network"),
        ("deployment", Sign.UNREACHED, {"net": "down"}, "network"),
        ("network", S, {"net": "ok"}, "deployment"),
        ("provider", S, {"direct": "same", "loop": "failed"}, "network"),
        # a sign-in page before the gateway, and behind it
        ("deployment", Sign.PAGE, {"direct": "passed"}, "deployment"),
        ("deployment", Sign.PAGE, {"direct": "same"}, "provider"),
        ("deployment", Sign.PAGE, {"loop": "passed"}, "provider"),
        ("deployment", Sign.PAGE, {"direct": "same", "loop": "failed"}, "network"),
    ],
)
def test_what_people_would_say(own, sign, known, domain):
    types = {"direct": Direct, "loop": Loop, "again": Again, "base": Base, "net": Net}
    verdict = blame(Evidence(own=Domain(own), sign=sign, **{name: types[name](word) for name, word in known.items()}))
    assert verdict.domain == domain, verdict.sentence
    assert verdict.sentence.endswith(f": {domain}")


def test_the_page_for_people_holds_this_table():
    assert markdown() in DOCS.read_text(encoding="utf-8"), "docs/attribution.md: put in what markdown() gives"
