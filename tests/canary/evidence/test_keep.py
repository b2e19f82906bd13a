"""Covers canary/evidence/keep.py and pack.py: all is there, nothing secret is, and bytes come back as they were."""

import json
import zlib

import pytest
from msgspec.structs import replace
from plays import case, chat, models
from runs import run

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.canary import Finding, Outcome
from llm_canaries.canary.evidence.bodies import Room
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.evidence.pack import Unreadable, pack, unpack
from llm_canaries.canary.scenarios.http import SCENARIO as HTTP
from llm_canaries.canary.scenarios.http import Params
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.canary.scenarios.thinking import Memory
from llm_canaries.config.secrets import Redactor
from llm_canaries.wire.answer import Received, read_answer
from llm_canaries.wire.exchange import Attempt, Look, Loss, Request, Seen
from llm_canaries.wire.fault import Fault, FaultReason

KEY = "planted-secret-0123456789"


def exchange(text="123456", **more):
    its = case(SCENARIO, stream=more.pop("stream", False))
    return chat(sending(its, text_ask(its, "hi", cap=9), "cnry-aaaaaaaaaa"), text, **more)


def kept(answers, secrets=(KEY,), room=None, **more):
    made = replace(run(answers=answers), **more)
    return evidence_of(made, Redactor(secrets), program="1.2", url=f"http://u:{KEY}@g/v1?key={KEY}", room=room)


def spread(key=KEY):
    """An exchange that holds the key wherever a gateway could put it."""
    fault = Fault(reason=FaultReason.AUTH, status=401, message=f"bad {key}", code=key)
    send = replace(exchange().send, headers={"x-note": key}, path=f"/v1/x?key={key}")
    body = json.dumps({"error": {"message": f"bad key {key}"}, "a": key.replace("/", "\\/")}).encode()
    return replace(
        exchange(),
        send=send,
        sent=f'{{"key": "{key}"}}'.encode(),
        body=body,
        headers=(("x-echo", key), ("set-cookie", "a=b"), ("location", f"https://x/?key={key}")),
        fault=fault,
        broke=fault,
        losses=(Loss("tool", key),),
        attempts=(
            Attempt(
                provider="p", credential="one", status=401, duration=0.1,
                request=Request(path=f"/v1?key={key}", headers=(("authorization", key),), body=key.encode()),
            ),
        ),
        upstream=(Seen(dialect="openai_chat", model="m", stream=False, ask=send.ask, body=b'"%s"' % key.encode()),),
    )  # fmt: skip


def test_a_secret_is_nowhere():
    page = replace(models(Look(path=f"/v1/models?key={KEY}"), KEY), headers=(("x-echo", KEY),))
    finding = Finding(outcome=Outcome.FAIL, reason="auth", detail=KEY, because=(f"direct: {KEY}",), memory={"a": KEY})
    evidence = kept([spread(), page], finding=finding, remembered={"b": [KEY]})
    text = zlib.decompress(pack(evidence)).decode()
    assert KEY not in text
    assert text.count("***") > 15
    assert evidence.answers[0].masked and evidence.answers[1].masked


@pytest.mark.parametrize("key", ["käse-schlüssel-密码", 'quo"te\\back/slash', "new\nline-secret"])
def test_a_secret_is_gone_however_json_spells_it(key):
    answer = exchange(body=json.dumps({"error": {"message": key}}).encode())
    evidence = kept([answer], secrets=[key])
    assert evidence.answers[0].masked
    for text in (json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]):
        assert text not in (evidence.answers[0].body.text or "")


def stream_of(*pieces):
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    frames = [head | {"choices": [{"index": 0, "delta": {"content": each}, "finish_reason": None}]} for each in pieces]
    frames.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in frames) + b"data: [DONE]\n\n"


def test_a_stream_that_says_a_secret_in_pieces_is_withheld():
    send = exchange(stream=True).send
    got = Received(
        sent=b"", status=200, headers=(("content-type", "text/event-stream"),), body=stream_of("my ", KEY[:9], KEY[9:])
    )
    answer = read_answer(send, got, 0.0)
    assert answer.reply.text == f"my {KEY}"
    (found,) = kept([answer]).answers
    assert (found.body.withheld, found.body.data, found.body.size) == (True, b"", len(got.body))
    (found,) = kept([read_answer(send, replace(got, body=stream_of("my ", KEY)), 0.0)]).answers
    assert not found.body.withheld and '"content": "***"' in found.body.text


def test_odd_spellings_of_a_secret_are_withheld_as_well():
    """JSON may write any letter as an escape."""
    odd = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
    (found,) = kept([exchange(body=b'{"error": {"message": "%s"}}' % odd.encode(), status=401)]).answers
    assert found.body.withheld


def test_secrets_in_parameters_are_taken_out_and_told():
    its = case(HTTP, params=Params(body={"a": [KEY]}, contains=("b",)))
    evidence = kept([exchange()], case=its)
    assert evidence.params_masked
    assert (evidence.case.params["body"], evidence.case.params["contains"]) == ({"a": ["***"]}, ["b"])
    assert evidence.answers[0].digest == "", "a digest would tell whether a guess is right"


def test_numbers_draws_and_memory_come_back():
    memory = Memory("m", (1.5,) if isinstance(Memory("m").pairs, tuple) else Memory("m").pairs)
    drawn = ((26, 3), (1 << 50176, (1 << 50176) - 1))
    evidence = kept([exchange()], drawn=drawn, remembered=memory, steps=(1,))
    back = unpack(pack(evidence))
    assert back == evidence
    assert [tuple(int(part, 16) for part in each.split(":")) for each in back.drawn] == list(drawn)


def test_measures_that_are_no_numbers_are_left_out():
    finding = Finding(outcome=Outcome.PASS, measures={"a": 1, "b": float("nan"), "c": float("inf")})
    assert unpack(pack(kept([], finding=finding))).finding.measures == {"a": 1.0}


def test_lone_surrogates_are_spelled():
    finding = Finding(outcome=Outcome.FAIL, reason="x", detail="cut \ud83d")
    answer = replace(exchange(), headers=(("x-odd", "caf\udce9"),))
    back = unpack(pack(kept([answer], finding=finding)))
    assert back.finding.detail == "cut \\ud83d"
    assert back.answers[0].headers == (("x-odd", "caf\\udce9"),)


def test_answers_have_room_before_asks():
    answer = replace(exchange(), body=b"a" * 60, sent=b"b" * 60)
    (found,) = kept([answer], room=Room(str, most_run=100)).answers
    assert (found.body.cut, found.sent.cut) == (0, 20)


BROKEN = [b"", b"no zlib", pack(kept([]))[:-4]]
BROKEN += [zlib.compress(text) for text in (b"{}", b"[" * 100_000, b"\xff")]
BROKEN.append(zlib.compress(zlib.decompress(pack(kept([exchange(body=b"\xff")]))).replace(b'"/w=="', b'"no base64!"')))


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_evidence_is_told(data):
    with pytest.raises(Unreadable):
        unpack(data)
