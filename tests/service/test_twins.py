"""Twins as evidence, of real runs at a deployed gateway: kept, shown, exported, bounded, and judged again."""

import json
import zlib

import jsonschema
import pytest
from bent_gateways import LIMITS, losing_images, proxied, settings_of
from har_schema import HAR
from msgspec.structs import replace

from llm_canaries.canary.canary import Outcome, Twin
from llm_canaries.canary.evidence.bodies import MOST_RUN, Room
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.evidence.pack import Unreadable, pack, unpack
from llm_canaries.canary.evidence.replay import attributed_again, differences, replay, replay_twins
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.report.evidence import evidence_text
from llm_canaries.canary.report.har import har
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.verdict import passed
from llm_canaries.config.secrets import Redactor
from llm_canaries.service.gate import gate
from llm_canaries.service.mutants.core import CORE_MUTANTS
from llm_canaries.service.playing import Order

CUT = CORE_MUTANTS["cut-and-closed"].bend


@pytest.fixture
def failing(clock, draw, unused_tcp_port):
    """The runs of one case at a gateway that is bent, with its twins; the gateway leads `looped` to our mirror."""

    async def failing(canary, bend, *, model="mirror/healthy", looped="", stream=True, repeat=1, asked=""):
        async with proxied(clock, draw) as url:
            loop = f"loopback: {{model: {looped}, upstream: {looped}}}, " if looped else ""
            settings = settings_of(
                f"gateways:\n"
                f"  home: {{kind: openai-compatible, url: '{url}', dialects: [openai_chat], models: [{model}], "
                f"twin: own, {loop}{LIMITS}}}\n"
                f"  own: {{kind: embedded, models: [{model}], {LIMITS}}}\n"
                f"mirror: {{key: our-mirrors-key, listen: '127.0.0.1:{unused_tcp_port}'}}\n"
            )
            wanted = Wanted(canaries=(canary,), gateways=("home",), models=(asked,) if asked else ())
            found = cases(settings.config, settings.binding, wanted)
            chosen = [case for case in found if case.canary == canary and case.stream in (stream, None)]
            order = Order(config=settings.config, cases=chosen[:1], bend=bend, attribution=True, repeat=repeat)
            return await gate(order, clock=clock, draw=draw, redact=str, report=lambda run: None)

    return failing


def kept(run, secrets=(), room=None):
    return unpack(pack(evidence_of(run, Redactor(secrets), program="x", url="http://u:p@g:1/v1", room=room)))


async def test_twins_are_kept_beside_the_run_and_marked(failing):
    (run,) = await failing("tool-result-image", losing_images)
    evidence = kept(run)
    assert [(twin.way, twin.name) for twin in evidence.twins] == [
        ("direct", "directly, through own"),
        ("again", "once more at home"),
    ]
    assert [twin.run.url for twin in evidence.twins] == ["", evidence.url]
    assert len(evidence.answers) == len(run.answers), "they are no part of the run"
    text = evidence_text(evidence, 7)
    assert text.count("(no part of the run, and in no ratio)") == 2
    own, *twins = text.split("\n\nTwin, ")
    assert own.count("→ openai_chat") == len(run.exchanges)
    assert twins[0].startswith("directly, through own, model mirror/healthy (no part")
    assert twins[0].rstrip().endswith("pass")
    marks = {each.mark for twin in evidence.twins for each in twin.run.exchanges}
    assert len(marks) == sum(len(twin.run.exchanges) for twin in evidence.twins)
    assert all(mark in text for mark in marks)
    assert text.splitlines()[-1].startswith("  fail dropped_silent (translation)")


async def test_they_are_exported_as_pages_of_their_own(failing):
    (run,) = await failing("tool-result-image", losing_images)
    log = json.loads(har(kept(run), 7))
    jsonschema.validate(log, HAR, cls=jsonschema.Draft202012Validator)
    assert [page["id"] for page in log["log"]["pages"]] == ["run_7", "run_7_direct", "run_7_again"]
    entries = log["log"]["entries"]
    ways = [entry.get("_way", "") for entry in entries]
    assert ways == [""] * len(run.answers) + [twin.way for twin in run.twins for _ in twin.run.answers]
    assert all(entry["comment"].startswith("a twin: ") for entry in entries if "_way" in entry)
    hosts = {entry.get("_way", ""): entry["request"]["url"].split("/")[2] for entry in entries}
    assert hosts == {"": "***@g:1", "direct": "own.invalid", "again": "***@g:1"}


async def test_no_secret_is_in_a_twin_and_the_run_has_the_room_first(failing):
    (run,) = await failing("known-good", CUT)
    said = run.twins[0].run.exchanges[0].reply.text  # the number that it was asked for
    assert said.isdecimal() and said in everything(kept(run))
    assert said not in everything(kept(run, secrets=[said]))
    own = sum(len(each.sent) + len(each.body) for each in run.exchanges)
    tight = kept(run, room=Room(str, most_run=own + 10))
    assert all(each.body.whole and each.sent.whole for each in tight.exchanges)
    twins = [each for twin in tight.twins for each in twin.run.exchanges]
    assert sum(len(each.body.data) + len(each.sent.data) for each in twins) <= 10
    assert MOST_RUN == 1024 * 1024


def everything(evidence):
    return evidence_text(evidence) + har(evidence) + zlib.decompress(pack(evidence)).decode()


async def test_a_replay_judges_the_run_alone_and_comes_to_the_same_blame(failing):
    for canary, bend in (("known-good", CUT), ("tool-result-image", losing_images)):
        (run,) = await failing(canary, bend)
        evidence = kept(run)
        again = await replay(evidence, SCENARIOS)
        assert differences(evidence.judged, again.finding) == []
        assert evidence.finding.fault_domain == "translation"
        twins, left = await replay_twins(evidence, SCENARIOS)
        assert left == ()
        assert {way: each.finding.outcome for way, each in twins.items()} == {"direct": "pass", "again": "fail"}
        verdict = attributed_again(evidence, again.run, twins)
        assert (verdict.domain, verdict.sentence) == ("translation", evidence.finding.because[-1])


async def test_a_replay_that_finds_another_thing_in_a_twin_finds_another_blame(failing):
    """The direct run's bytes are a failure of the same kind now: then it was the provider's."""
    (run,) = await failing("known-good", CUT)
    direct, again = run.twins
    spoilt = replace(run, twins=(Twin("direct", again.run), again))
    evidence = kept(spoilt)
    twins, _ = await replay_twins(evidence, SCENARIOS)
    verdict = attributed_again(evidence, (await replay(evidence, SCENARIOS)).run, twins)
    assert (verdict.domain, evidence.finding.fault_domain) == ("provider", "translation")
    assert direct.run.finding.outcome is Outcome.PASS


async def test_a_twin_of_which_bytes_are_missing_is_taken_as_recorded(failing):
    (run,) = await failing("known-good", CUT)
    own = sum(len(each.sent) + len(each.body) for each in run.exchanges)
    evidence = kept(run, room=Room(str, most_run=own))
    twins, left = await replay_twins(evidence, SCENARIOS)
    assert [line.partition(":")[0] for line in left] == ["directly, through own", "once more at home"]
    assert twins["direct"].finding.outcome is Outcome.PASS
    verdict = attributed_again(evidence, (await replay(evidence, SCENARIOS)).run, twins)
    assert verdict.domain == "translation"


async def test_a_run_that_passes_by_todays_judge_blames_nobody(failing):
    (run,) = await failing("known-good", CUT)

    def lenient(case, params, draw, memory):
        yield from SCENARIOS["known-good"].play(case, params, draw, memory)
        return passed()

    scenarios = {"known-good": replace(SCENARIOS["known-good"], play=lenient)}
    evidence = kept(run)
    found = await replay(evidence, scenarios)
    assert attributed_again(evidence, found.run, (await replay_twins(evidence, scenarios))[0]) is None


async def test_later_failures_of_a_row_have_no_twins_and_stand_on_what_was_found(failing):
    _, second = await failing("known-good", CUT, repeat=2)
    evidence = kept(second)
    assert evidence.twins == ()
    assert any(each.startswith("that was found at the first failure of this row") for each in evidence.finding.because)
    found = await replay(evidence, SCENARIOS)
    assert attributed_again(evidence, found.run, {}).domain == "translation"


async def test_what_provider_and_gateway_both_lose_is_no_canarys_fault(failing):
    """Our own mirror, asked without any gateway, passes what the gateway loses before it: there are two faults."""
    (run,) = await failing("tool-result-image", losing_images, model="mirror/drop-image", looped="mirror/healthy")
    assert [twin.way for twin in run.twins] == ["direct", "loop", "control"]
    assert (run.finding.reason, run.finding.fault_domain) == ("dropped_silent", "provider")
    assert run.finding.because[-1].startswith("two faults: it fails directly, and at the gateway")
    assert "at our own mirror, without any gateway: passed" in run.finding.because
    evidence = kept(run)
    twins, _ = await replay_twins(evidence, SCENARIOS)
    assert attributed_again(evidence, (await replay(evidence, SCENARIOS)).run, twins).domain == "provider"


async def test_a_mirror_that_fails_by_itself_tells_nothing_of_a_gateway(failing):
    (run,) = await failing("known-good", CUT, looped="mirror/stream-cut")
    told = [each for each in run.finding.because if "mirror" in each]
    assert [twin.way for twin in run.twins] == ["direct", "again", "loop", "control"]
    assert told[-1].startswith("at our own mirror, without any gateway: failed with truncated_stream")
    assert run.attributed.evidence.loop == "void"
    assert run.finding.fault_domain == "translation", "by the direct run"


async def test_a_case_of_the_loopback_model_is_attributed_by_a_control(failing):
    (run,) = await failing("known-good", CUT, looped="mirror/catch-all", asked="mirror/catch-all")
    assert run.case.model == "mirror/catch-all"
    assert run.judged.fault_domain == "provider"
    assert [twin.way for twin in run.twins] == ["control"]
    assert run.finding.fault_domain == "translation"
    assert run.finding.because[-1] == "our own mirror answered rightly, and the gateway lost it: translation"
    evidence = kept(run)
    twins, _ = await replay_twins(evidence, SCENARIOS)
    assert attributed_again(evidence, (await replay(evidence, SCENARIOS)).run, twins).domain == "translation"


def test_evidence_whose_twins_are_damaged_is_told():
    with pytest.raises(Unreadable):
        unpack(zlib.compress(b'{"twins": [["direct", {}]]}'))
