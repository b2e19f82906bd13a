"""Anything a gateway can answer is a finding: every scenario, every dialect, whatever comes back."""

import json
import random
from enum import StrEnum

import msgspec
import pytest
from answers import streamed, whole
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from plays import case

from llm_canaries.canary.canary import Finding, Outcome, SharedReason
from llm_canaries.canary.clients import Aim
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.mirror import model
from llm_canaries.wire.answer import Received, read_answer
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import unfold
from llm_canaries.wire.exchange import Attempt, Both, Loss, Page, Seen, Send
from llm_canaries.wire.fault import Domain, Fault, FaultReason
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.message import Finish, Text, Thinking, Thought, ToolCall, Usage
from llm_canaries.wire.profile import ModelFacts

CLIENTS = {
    "openai_chat": "amp", "openai_responses": "codex", "anthropic_messages": "claude", "gemini": "gemini"
}  # fmt: skip
AIM = Aim(client="x", dialect="x", variable="URL", origin="http://a:1", path="/v1/v1/x", gateway=("http://a:1",))
SHAPES = ("error", "detail", "status", "data", "choices", "output", "content", "candidates")
MOST_STEPS = 60  # the model list alone may have 50 pages

PARAMS = {  # what the scenarios of people's own cannot do without
    "completion": {"prompt": "hi", "contains": ["1"], "output_most": 9, "within_seconds": 1.0, "finish": ["stop"]},
    "http": {"body": {"messages": []}, "header": {"x": "1"}, "contains": ["1"], "lacks": ["2"], "html": True},
}
MORE = {  # other parameters that lead elsewhere
    "tool-result-image": [{"parallel": True}, {"control": False}],
    "eligibility": [{"expect": "absent"}, {"allow_alias": True}],
    "catalog": [{"ids": ["x"], "aliases": ["y"], "prefixes": ["p"]}],
    "routing": [{"expect_model": ["m*"], "expect_header": {"x-a": "1"}, "expect_provider": "p"}],
    "completion": [{"json": {"choices[0].message": None}, "status": 429}],
    "http": [{"get": "/v1/models", "body": "", "json": {"data[*].id": "m"}}],
}

words = st.sampled_from(["", "123456", "NONE", "1", "the number is 4", "\u4e00\u0301"])
numbers = st.one_of(st.none(), st.integers(-5, 10**20), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
anything = st.recursive(
    st.one_of(numbers, words, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
usages = st.one_of(
    st.none(),
    st.builds(
        Usage,
        input=st.one_of(st.none(), st.integers(0, 10**7)),
        output=st.one_of(st.none(), st.integers(0, 10**7)),
        reasoning=st.one_of(st.none(), st.integers(0, 10**7)),
    ),
)
parts = st.one_of(
    st.builds(Text, words),
    st.builds(Thought, words),
    st.builds(
        ToolCall,
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["record_a", "record_b", "read_image", "", "x"]),
        st.sampled_from(["", "{}", '{"code":"1"}', '{"code"', "[]", "null", '{"code":null}', '{"code":[1]}']),
    ),
)


@st.composite
def bodies(draw, dialect, stream):
    """What may come back: sound answers, sound answers spoiled, error envelopes, JSON of any shape, any bytes."""
    kind = draw(st.integers(0, 6))
    if kind <= 2:
        content = draw(st.lists(parts, max_size=4))
        finish = draw(st.sampled_from(list(Finish)))
        sound = (streamed if stream ^ (draw(st.integers(0, 9)) == 0) else whole)(
            dialect, *content, finish=finish, usage=draw(usages)
        )
        return sound if kind == 0 else draw(spoiled(sound))
    if kind == 3:
        said = draw(anything)
        shape = draw(st.sampled_from(SHAPES))
        return json.dumps({shape: said, "usage": draw(anything), "msg": "x", "model": draw(anything)}).encode()
    if kind == 4:
        return json.dumps(draw(anything)).encode()
    if kind == 5:
        rows = draw(st.lists(st.one_of(anything.map(json.dumps), st.text(max_size=12)), max_size=5))
        return "".join(f"event: {draw(words)}\ndata: {row}\n\n" for row in rows).encode("utf-8", "replace")
    return draw(st.binary(max_size=200))


@st.composite
def spoiled(draw, sound):
    """Bytes or lines of a sound answer lost, said twice, put elsewhere, or changed."""
    if draw(st.booleans()):
        frames = sound.split(b"\n\n")
        at = draw(st.integers(0, len(frames) - 1))
        return b"\n\n".join(
            draw(st.sampled_from([frames[:at], frames[at:], frames[:at] + frames[at + 1 :], frames[::-1], frames * 2]))
        )
    at, value = draw(st.integers(0, len(sound))), draw(st.binary(max_size=3))
    return sound[:at] + value + sound[at + draw(st.integers(0, 9)) :]


@st.composite
def headers(draw):
    names = st.sampled_from(["content-type", "retry-after", "x-cpa-trace-id", "X-A", "x-ratelimit-reset-requests"])
    dates = ["-1", "1e9", "soon", "nan", "Wed, 21 Oct 2026 07:28:00 GMT"]
    values = st.sampled_from(["application/json", "text/event-stream", "text/html", "", *dates])
    return tuple(draw(st.lists(st.tuples(names, values), max_size=3)))


usual = st.sampled_from([None, 204, 301, 400, 401, 404, 429, 500, 502, 529])
statuses = st.one_of(st.just(200), st.just(200), usual, st.integers(100, 599))


@st.composite
def faults(draw):
    reason = draw(st.sampled_from(list(FaultReason)))
    return Fault(reason=reason, message=draw(words), retry_after=draw(st.one_of(st.none(), st.floats(0, 1e9))))


def exchange(data, step):
    """Anything a gateway may answer to `step`: often what a sound model says, with something wrong about it."""
    if not isinstance(step.ask, bytes) and data.draw(st.integers(0, 9)) < 7:
        return modelled(data, step)
    status = data.draw(statuses)
    lost = status is None or data.draw(st.integers(0, 9)) == 0
    body = b"" if status is None else data.draw(bodies(step.dialect, step.stream))
    kind = "text/event-stream" if step.stream else "application/json"
    got = Received(
        sent=b"",
        status=status,
        headers=data.draw(headers()) or (("content-type", kind),),
        body=body,
        cut=lost,
        arrivals=((0.1, len(body)),) if body else (),
        duration=data.draw(st.floats(0, 200)),
        attempts=data.draw(st.sampled_from([(), (Attempt(provider="p", credential="", status=200, duration=0.1),)])),
        losses=data.draw(st.sampled_from([(), (Loss("thinking", "level high, said as low"),)])),
        translated=data.draw(st.sampled_from([None, Thinking(effort="low")])),
        fault=data.draw(faults()) if lost else None,
    )
    answer = read_answer(step, got, 0.0)
    if data.draw(st.booleans()) and not isinstance(step.ask, bytes):
        seen = Seen(dialect=step.dialect, model=data.draw(words), stream=step.stream, ask=step.ask, body=b"")
        return msgspec.structs.replace(answer, upstream=(seen,))
    return answer


def modelled(data, step):
    """What the simulated model says, now and then with other counts, words, calls, or another end."""
    reply = model.answer(step.ask, id="r", created=1)
    change = data.draw(st.integers(0, 7))
    others = {
        0: {"usage": data.draw(usages)},
        1: {"content": tuple(data.draw(st.lists(parts, max_size=3)))},
        2: {"finish": data.draw(st.sampled_from([None, *Finish]))},
        3: {"effort": data.draw(words)},
        4: {"content": (Text(data.draw(words)),)},
        5: {"model": data.draw(words)},
    }.get(change, {})
    reply = msgspec.structs.replace(reply, dialect=step.dialect, **others)
    dialect = DIALECTS[step.dialect]
    if step.stream:
        events = unfold(reply)
        writer = dialect.writer(events[0])
        body = b"".join(writer.feed(event) for event in events) + writer.close()
    else:
        body = dialect.write_reply(reply).body
    kind = "text/event-stream" if step.stream else "application/json"
    got = Received(
        sent=b"",
        status=200,
        headers=(("content-type", kind),),
        body=body,
        arrivals=((0.1, len(body)),),
        duration=data.draw(st.floats(0, 200)),
        losses=data.draw(st.sampled_from([(), (Loss("thinking", "level high, said as low"),)])),
    )
    answer = read_answer(step, got, 0.0)
    seen = Seen(dialect=step.dialect, model="m", stream=step.stream, ask=step.ask, body=b"")
    return msgspec.structs.replace(answer, upstream=(seen,) if data.draw(st.booleans()) else ())


def page(data, step):
    """Anything that may come back for a page."""
    status, head = data.draw(statuses), data.draw(headers())
    body = data.draw(
        st.one_of(
            st.binary(max_size=80),
            anything.map(lambda said: json.dumps({"data": said, "has_more": True, "last_id": "x"}).encode()),
            st.lists(st.fixed_dictionaries({"id": st.sampled_from(["m", "n", 1, None])}), max_size=3).map(
                lambda rows: json.dumps({"data": rows}).encode()
            ),
            anything.map(lambda said: json.dumps({"models": [said, {"name": said}], "nextPageToken": said}).encode()),
        )
    )
    fault = data.draw(faults()) if status is None else None
    if status is not None and status >= 300:
        fault = read_fault(status, head, body, 0.0)
    return Page(look=step, status=status, headers=head, body=body, fault=fault, duration=0.1)


def answers(data, step):
    if isinstance(step, Both):
        return tuple(answers(data, each) for each in step.steps)
    return exchange(data, step) if isinstance(step, Send) else page(data, step)


def declared(scenario, reason):
    enums: tuple[type[StrEnum], ...] = (scenario.reasons, FaultReason, SharedReason)
    return any(reason in {each.value for each in enum} for enum in enums)


def params(scenario, data):
    base = PARAMS.get(scenario.name, {})
    chosen = data.draw(st.sampled_from([{}, *MORE.get(scenario.name, [])]))
    merged = {**base, **chosen}
    if chosen.get("status", 200) >= 300:
        merged = {"prompt": "hi", **chosen}
    if "get" in chosen:
        merged = chosen
    return msgspec.convert(merged, scenario.params)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", SCENARIOS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_answer_is_a_finding(name, dialect, data):
    scenario = SCENARIOS[name]
    facts = data.draw(st.sampled_from([ModelFacts(), ModelFacts(vision=True), ModelFacts(budget=(1024, 9000))]))
    stream, chosen = data.draw(st.booleans()), params(scenario, data)
    twin = data.draw(st.sampled_from(["", "own"])) if "direct" not in scenario.needs else "own"
    its = case(scenario, dialect=dialect, stream=stream, facts=facts, deployed=True, twin=twin, params=chosen)
    if "environment" in scenario.needs:
        client = CLIENTS[dialect]
        aim = data.draw(st.sampled_from([None, AIM, replace(AIM, origin="http://b:1"), replace(AIM, problem="no_key")]))
        its = replace(its, params=scenario.params(client=client), aim=aim, upstream=data.draw(words))
    assume(not scenario.objection(its))
    memory = None
    for _ in range(data.draw(st.integers(1, 3))):
        finding = played(scenario, its, memory, data)
        assert isinstance(finding, Finding)
        if finding.outcome is Outcome.PASS:
            assert finding.reason == ""
        else:
            assert declared(scenario, finding.reason), finding
        assert (finding.fault_domain in Domain) if finding.outcome is Outcome.FAIL else finding.fault_domain is None
        assert all(isinstance(value, float) and value == value for value in finding.measures.values())
        if scenario.memory is not None and finding.memory is not None:
            memory = msgspec.json.decode(msgspec.json.encode(finding.memory), type=scenario.memory)
            assert memory == finding.memory


def played(scenario, its, memory, data):
    running = scenario.play(its, its.params, random.Random(7).randrange, memory)
    try:
        step = next(running)
        for _ in range(MOST_STEPS):
            step = running.send(answers(data, step))
    except StopIteration as stop:
        return stop.value
    pytest.fail("the scenario does not end")
