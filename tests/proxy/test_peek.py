"""Covers proxy/peek.py: it agrees with the dialects' own readers and is not put off by anything."""

import json
from contextlib import suppress

import pytest
from answers import ask, whole
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.proxy.peek import LONGEST_ID, Asked, fault_of, peek_ask
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.json import WireError
from llm_canaries.wire.profile import Profile


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["m", "openai/gpt-5", "models with spaces", "gpt-5(high)", "é", "a:b"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_agrees_with_the_reader(dialect: str, model: str, stream: bool) -> None:
    request = DIALECTS[dialect].write_ask(ask(dialect, stream=stream, model=model), Profile())
    read = DIALECTS[dialect].read_ask(request.body, request.path)
    assert peek_ask(dialect, request.body, request.path) == Asked(read.model, read.stream) == Asked(model, stream)


BAD = [b"", b"[]", b"null", b"{", b'{"model":""}', b'{"model":null}', b'{"model":["m"]}', b'{"model":"m"} x', b"\xff",
       b'{"model":"\xff"}', b'{"model":"m","stream":1}', b"[" * 100_000]


@pytest.mark.parametrize("body", BAD)
def test_no_ask(body: bytes) -> None:
    with pytest.raises(WireError):
        peek_ask("openai_chat", body, "/v1/chat/completions")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_model_id_has_an_end(dialect: str) -> None:
    for length, named in ((LONGEST_ID, True), (LONGEST_ID + 1, False)):
        request = DIALECTS[dialect].write_ask(ask(dialect, model="m" * length), Profile())
        if named:
            assert len(peek_ask(dialect, request.body, request.path).model) == length
        else:
            with pytest.raises(WireError, match="longer than 512 characters"):
                peek_ask(dialect, request.body, request.path)


def test_lenient_where_it_may_be() -> None:
    assert peek_ask("openai_chat", b' \n{"stream":null,"model":"m"}\r\n', "") == Asked("m", False)


@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    with suppress(WireError):
        peek_ask("openai_chat", body, "")
    fault_of(200, (), body, 0.0)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_answers_are_answers(dialect: str) -> None:
    assert fault_of(200, (), whole(dialect), 0.0) is None
    said = json.loads(whole(dialect))
    assert fault_of(200, (), json.dumps(said | {"error": None}).encode(), 0.0) is None
    found = fault_of(200, (), json.dumps(said | {"error": {"message": "late", "code": 502}}).encode(), 0.0)
    assert found is not None and found.reason is FaultReason.ERROR_IN_200 and found.message == "late"


def test_a_providers_own_codes() -> None:
    body = b'{"status":"439","msg":"expired","body":null}'
    found = fault_of(200, (), body, 0.0, {"439": FaultReason.AUTH})
    assert found is not None and found.reason is FaultReason.AUTH
