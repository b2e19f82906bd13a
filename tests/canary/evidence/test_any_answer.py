"""Covers canary/evidence: whatever a gateway answers is kept, comes back, and is judged alike again."""

import asyncio
import random
from contextlib import suppress

import msgspec
import pytest
from answers import streamed, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plays import case

from llm_canaries.canary.evidence.judgement import said
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.evidence.pack import pack, unpack
from llm_canaries.canary.evidence.replay import Unreplayable, replay
from llm_canaries.canary.run import run_case
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.secrets import Redactor
from llm_canaries.wire.answer import Received, read_answer, read_page
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Attempt, Look, Loss, Request, Seen
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.message import Text

KEY = "planted-secret-0123456789"
OWN = {"completion": {"prompt": "hi"}, "http": {"body": {"a": 1}}, "negotiation": {}}
words = st.one_of(st.text(max_size=20), st.sampled_from(["4711", "NONE", KEY, f"a {KEY} b", "café\ud83d", "\x00"]))
odd = st.sampled_from(["x-ratelimit-remaining-requests", "retry-after", "location", "content-type", "x-key"])
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
headers = st.lists(st.tuples(odd, st.one_of(printable, st.just(KEY), st.just("caf\udce9"))), max_size=3).map(tuple)


@st.composite
def faults(draw):
    reason = draw(st.sampled_from(FaultReason))
    return Fault(reason=reason, message=draw(words), code=draw(words), retry_after=draw(st.none() | st.floats(0)))


def body_of(data, step):
    """Any bytes; often an answer of the dialect, whole or spoilt somewhere."""
    dialect = step.dialect if not isinstance(step, Look) else "openai_chat"
    text = data.draw(words.filter(lambda each: each.isprintable()))
    made = streamed(dialect, Text(text)) if data.draw(st.booleans()) else whole(dialect, Text(text))
    if isinstance(step, Look):
        made = b'{"data": [{"id": "m"}, {"id": "%s"}]}' % data.draw(st.sampled_from([b"n", KEY.encode()]))
    at, width = data.draw(st.integers(0, len(made))), data.draw(st.sampled_from([0, 0, 1, 20, 2000]))
    return made[:at] + data.draw(st.binary(max_size=3)) * bool(width) + made[at + width :]


def received(data, step):
    status = data.draw(st.sampled_from([None, 200, 200, 200, 200, 302, 404, 429, 500]))
    body = b"" if status is None else body_of(data, step)
    fault = data.draw(faults() if status is None else st.none() | faults())
    ends = sorted({*data.draw(st.lists(st.integers(0, len(body)), max_size=4)), len(body)} - {0})
    return Received(
        sent=data.draw(st.binary(max_size=9)),
        status=status,
        headers=data.draw(headers) or (("content-type", "text/event-stream" if b"data:" in body else "text/x"),),
        body=body,
        cut=fault is not None,
        arrivals=tuple((at / 7, end) for at, end in enumerate(ends, 1)),
        duration=data.draw(st.floats(0, 1e6)),
        attempts=(Attempt(provider="p", credential="", status=status, duration=0.1, request=asked(data)),),
        losses=(Loss("x", data.draw(words)),),
        fault=fault,
    )


def asked(data):
    return data.draw(st.none() | st.builds(Request, path=words, headers=headers, body=st.binary(max_size=9)))


class Lane:
    """Answers anything."""

    def __init__(self, data):
        self._data = data

    async def send(self, step):
        answer = read_answer(step, received(self._data, step), self._data.draw(st.floats(0, 2e9)))
        if isinstance(step.ask, bytes) or not self._data.draw(st.booleans()):
            return answer
        made = DIALECTS[step.dialect].write_ask(step.ask, step.profile)
        ask = DIALECTS[step.dialect].read_ask(made.body, made.path)
        seen = Seen(
            dialect=step.dialect, model=ask.model, stream=ask.stream, ask=ask, body=made.body,
            path=made.path.partition("?")[0],
        )  # fmt: skip
        return msgspec.structs.replace(answer, upstream=(seen,))

    async def look(self, step):
        return read_page(step, received(self._data, step), 5.0)


def a_case(name, dialect, stream):
    scenario = SCENARIOS[name]
    params = msgspec.convert(OWN.get(name, {}), scenario.params)
    return case(scenario, dialect=dialect, stream=stream, params=params, deployed=True, twin="t")


CELLS = [
    (name, dialect, stream)
    for name, scenario in SCENARIOS.items()
    for dialect in DIALECTS
    for stream in (False, True)
    if not scenario.objection(a_case(name, dialect, stream))
]


def test_every_scenario_is_played():
    assert {name for name, _, _ in CELLS} == set(SCENARIOS)


@pytest.mark.parametrize(("name", "dialect", "stream"), CELLS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_answer_is_kept_and_judged_alike_again(name, dialect, stream, data):
    scenario, its = SCENARIOS[name], a_case(name, dialect, stream)
    lane, redact = Lane(data), Redactor([KEY])
    ways = dict.fromkeys(("gateway", "direct", "mirror", "client"), lane)
    run = asyncio.run(run_case(its, scenario, ways, draw=random.Random(7).randrange, now=1.0))
    stored = pack(evidence_of(run, redact, program="x"))
    evidence = unpack(stored)
    assert evidence.judged == said(run.finding, redact)
    assert KEY not in msgspec.json.encode(evidence).decode()
    if any(answer.masked for answer in evidence.answers):  # what a secret was may have decided
        with suppress(Unreplayable):
            asyncio.run(replay(evidence, SCENARIOS))
    else:
        assert asyncio.run(replay(evidence, SCENARIOS)).finding == evidence.judged
