"""Covers service/attributing.py with a deployed gateway that is real on the wire, and bent."""

from collections import Counter
from contextlib import asynccontextmanager

import pytest
from bent_gateways import losing_images, paired, proxied, settings_of
from msgspec.structs import replace
from plays import case

from llm_canaries.canary.canary import Outcome
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.service.attributing import looped_back
from llm_canaries.service.gate import gate
from llm_canaries.service.mutants.bent import Bent, Whole
from llm_canaries.service.mutants.core import CORE_MUTANTS
from llm_canaries.service.playing import Order
from llm_canaries.service.providers import spoken_by
from llm_canaries.wire.fault import Fault, FaultReason


class Counting:
    """A gateway that counts what it is asked."""

    def __init__(self, gateway, counts):
        self._gateway, self._counts, self.limits = gateway, counts, gateway.limits

    @asynccontextmanager
    async def open(self, send):
        self._counts["asks"] += 1
        async with self._gateway.open(send) as answer:
            yield answer

    def look(self, look):
        return self._gateway.look(look)


def refusing(status, body, times=10**6, headers=()):
    """A bend that answers `status` so many times, and passes on what comes then."""
    left = [times]

    def answer(send, whole):
        left[0] -= 1
        kind = ("content-type", "application/json")
        return Whole(status=status, headers=(kind, *headers), pieces=(body,)) if left[0] >= 0 else whole

    return lambda gateway: Bent(gateway, lambda send: send, answer, lambda look, whole: whole)


def breaking(fault):
    """A bend that breaks every answer off before its first byte."""
    return lambda gateway: Bent(
        gateway,
        lambda send: send,
        lambda send, whole: replace(whole, pieces=(), fault=fault),
        lambda look, whole: whole,
    )


@pytest.fixture
async def run(clock, draw):
    """Runs one canary at the deployed gateway, bent; the runs, and how often it and its twin's provider were asked."""

    async def run(select, *, bend=lambda gateway: gateway, model="mirror/healthy", stream=False, more="", **fields):
        counts = Counter()
        async with proxied(clock, draw) as url:
            settings = paired(fields.pop("url", url), model, more)
            wanted = Wanted(canaries=(select,), gateways=("home",))
            found = cases(settings.config, settings.binding, wanted)
            chosen = [case for case in found if case.canary == select and case.stream in (stream, None)]
            assert len(chosen) == 1, chosen
            order = Order(
                config=settings.config, cases=chosen, bend=lambda gateway: Counting(bend(gateway), counts),
                **{"attribution": True} | fields,
            )  # fmt: skip
            return await gate(order, clock=clock, draw=draw, redact=str, report=lambda run: None), counts["asks"]

    return run


async def found(run, *arguments, **fields):
    (only,), asked = await run(*arguments, **fields)
    return only.finding, asked


async def test_what_passes_is_asked_once(run):
    finding, asked = await found(run, "known-good")
    assert finding.outcome is Outcome.PASS
    assert (finding.because, asked) == ((), 1)


async def test_an_image_that_the_gateway_loses_is_its_translation(run):
    finding, _ = await found(run, "tool-result-image", bend=losing_images, stream=True)
    assert (finding.reason, finding.fault_domain) == ("dropped_silent", "translation")
    assert finding.because == (
        "at home: failed with dropped_silent, by itself a matter of: translation",
        "directly, through own: passed",
        "once more at home: failed",
        "the same ask through the embedded core passed; the gateway lost it, twice: translation",
    )
    assert finding.detail.endswith(finding.because[-1])


async def test_an_image_that_the_provider_does_not_see_is_the_providers(run):
    finding, _ = await found(run, "tool-result-image", model="mirror/drop-image")
    assert (finding.reason, finding.fault_domain) == ("dropped_silent", "provider")
    assert finding.because[1].startswith("directly, through own: failed with dropped_silent")


async def test_a_stream_that_the_gateway_cuts_is_its_translation_though_it_looks_like_the_providers(run):
    bend = CORE_MUTANTS["cut-and-closed"].bend
    alone, _ = await found(run, "known-good", bend=bend, stream=True, attribution=False)
    assert (alone.reason, alone.fault_domain, alone.because) == ("truncated_stream", "provider", ())
    finding, _ = await found(run, "known-good", bend=bend, stream=True)
    assert (finding.reason, finding.fault_domain) == ("truncated_stream", "translation")


async def test_a_stream_that_the_provider_cuts_is_the_providers(run):
    finding, _ = await found(run, "known-good", model="mirror/stream-cut", stream=True)
    assert finding.fault_domain == "provider"


BAD_GATEWAY = b'{"error":{"message":"bad gateway","type":"server_error","code":null}}'


async def test_errors_that_no_provider_gave_are_the_deployments(run):
    finding, asked = await found(run, "known-good", bend=refusing(502, BAD_GATEWAY))
    assert (finding.reason, finding.fault_domain) == ("upstream_error", "deployment")
    assert asked == 2, "once, and once more"


async def test_an_error_that_passes_keeps_its_own_domain(run):
    finding, asked = await found(run, "known-good", bend=refusing(502, BAD_GATEWAY, times=1))
    assert (finding.outcome, finding.fault_domain) == (Outcome.FAIL, "provider")
    assert "a fault that passes" in finding.detail
    assert asked == 2


COOLDOWN = (
    b'{"error":{"code":"model_cooldown","message":"All credentials for model m are cooling down","reset_seconds":9}}'
)


async def test_a_refusal_of_the_gateways_own_is_its_policy_and_nobody_is_asked_again(run):
    finding, asked = await found(run, "known-good", bend=refusing(429, COOLDOWN))
    assert (finding.reason, finding.fault_domain) == ("cooldown", "policy")
    assert finding.because[-1] == "the gateway refused by itself: policy"
    assert not any(each.startswith("directly") for each in finding.because)
    assert asked == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429])
async def test_nothing_is_asked_again_after_what_changes_the_gateways_state(run, status):
    finding, asked = await found(run, "known-good", bend=refusing(status, b'{"error":{"message":"no","type":"x"}}'))
    assert finding.outcome is Outcome.FAIL
    assert asked == 1
    assert not any(each.startswith("directly") for each in finding.because)


async def test_a_gateway_that_is_not_there_is_the_deployments(run, unused_tcp_port):
    finding, _ = await found(run, "known-good", url=f"http://127.0.0.1:{unused_tcp_port}")
    assert (finding.reason, finding.fault_domain) == ("connect", "deployment")
    assert "the provider answered directly" in finding.detail


async def test_a_gateway_that_hangs_up_is_the_deployments(run):
    lost = Fault(reason=FaultReason.CONNECTION_LOST, message="reset")
    finding, _ = await found(run, "known-good", bend=breaking(lost))
    assert (finding.reason, finding.fault_domain) == ("connection_lost", "deployment")


async def test_a_row_of_failures_asks_directly_once(run):
    runs, asked = await run("tool-result-image", bend=losing_images, stream=True, repeat=3)
    assert [each.finding.fault_domain for each in runs] == ["translation"] * 3
    _, alone = await run("tool-result-image", bend=losing_images, stream=True, repeat=3, attribution=False)
    _, once = await run("tool-result-image", bend=losing_images, stream=True)
    _, once_alone = await run("tool-result-image", bend=losing_images, stream=True, attribution=False)
    assert asked - alone == once - once_alone > 0, "what is compared is asked after the first of the row"


async def test_what_only_several_runs_show_is_compared_with_no_single_one(run):
    runs, _ = await run("thinking", model="mirror/flat-thinking", repeat=5)
    last = runs[-1].finding
    assert (last.reason, last.fault_domain, last.because) == ("order_flat", "translation", ())


LOOPED = "mirror: {{listen: 127.0.0.1:{port}, key: sk-mirror}}\n"


@pytest.mark.parametrize(
    ("model", "bend", "sentence"),
    [
        # with no twin that serves the model, the mirror behind the gateway is all there is to compare with
        ("mirror/healthy", losing_images, "our own mirror answered rightly, and the gateway lost it: translation"),
        ("mirror/drop-image", lambda sound: sound, "the gateway is right where our own mirror answers: translation"),
    ],
)
async def test_the_way_to_our_own_mirror_is_evidence_as_well(clock, draw, unused_tcp_port, model, bend, sentence):
    async with proxied(clock, draw) as url:
        settings = settings_of(
            f"gateways:\n  home: {{kind: openai-compatible, url: '{url}', dialects: [openai_chat], models: [{model}],\n"
            f"    loopback: {{model: mirror/footer}}}}\n"
            + LOOPED.format(port=unused_tcp_port)
        )
        found = cases(settings.config, settings.binding, Wanted(canaries=("tool-result-image",)))
        chosen = [case for case in found if case.canary == "tool-result-image" and case.stream and case.model == model]
        order = Order(config=settings.config, cases=chosen, bend=bend, attribution=True)
        (run,) = await gate(order, clock=clock, draw=draw, redact=str, report=lambda run: None)
    assert run.finding.because[-1] == sentence
    assert run.finding.because[1].startswith("to our own mirror, through home: ")


DOORS = """
gateways:
  home:
    kind: openai-compatible
    url: http://h
    models: [claude-sonnet-4-5]
    loopback: {model: loop/chat, upstream: mirror/healthy, doors: {anthropic_messages: loop/messages}}
    twin: direct
  direct:
    kind: embedded
    models: [claude-sonnet-4-5]
    providers:
      one: {url: "http://h", profile: anthropic, models: ["claude-*"]}
      two: {url: "http://h", profile: openai, models: ["gpt-*"]}
mirror: {url: "http://h", key: key}
"""


def test_our_mirror_is_reached_by_the_door_for_the_dialect_of_the_cases_provider():
    config = settings_of(DOORS).config
    loop, profiles = config.gateways["home"].loopback, read_profiles()
    spoken = {name: spoken_by(config.gateways["direct"], name, profiles) for name in ("claude-x", "gpt-x", "o-x")}
    assert spoken["claude-x"] == ("anthropic_messages",) and len(spoken["gpt-x"]) == 2 and spoken["o-x"] == ()
    its = case(SCENARIOS["known-good"], model="claude-x")
    found = {name: looped_back(its, loop, each).model for name, each in spoken.items()}
    assert found == {"claude-x": "loop/messages", "gpt-x": "loop/chat", "o-x": "loop/chat"}
    assert looped_back(replace(its, model="loop/chat"), loop, ("anthropic_messages",)).model == "loop/chat"


def without_list(gateway):
    """A gateway whose model list is a 502, and whose answers are well."""
    bad = Whole(status=502, headers=(("content-type", "application/json"),), pieces=(BAD_GATEWAY,))
    return Bent(gateway, lambda send: send, lambda send, whole: whole, lambda look, whole: bad)


@pytest.mark.parametrize("canary", ["catalog", "eligibility"])
async def test_a_list_that_does_not_come_is_the_gateways_own(run, canary):
    finding, _ = await found(run, canary, bend=without_list)
    assert (finding.reason, finding.fault_domain) == ("upstream_error", "deployment")
    assert finding.because[1:3] == ("directly, through own: passed", "once more at home: failed")


async def test_what_is_missing_from_a_list_is_asked_of_nobody_else(run):
    more = "canaries: [{scenario: catalog, name: catalog, gateway: home, params: {ids: [nobody], debounce: 1}}]"
    (only,), _ = await run("catalog", more=more)
    assert (only.finding.reason, only.finding.fault_domain) == ("never_exposed", "routing")
    assert only.twins == ()


async def test_a_key_that_is_refused_behind_the_gateway_is_the_gateways_own(run):
    """CLIProxyAPI names the credential that it chose, which it does for nobody whom it does not let in."""
    traced = (("X-Cpa-Trace-Id", "20261201152720-c95fde8e0f480ac2-ea44756a"),)
    body = b'{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}'
    finding, asked = await found(run, "known-good", bend=refusing(401, body, headers=traced))
    assert (finding.reason, finding.fault_domain, asked) == ("auth", "deployment", 1)
    finding, _ = await found(run, "known-good", bend=refusing(401, b'{"error":"Invalid API key"}'))
    assert (finding.reason, finding.fault_domain) == ("auth", "client")
