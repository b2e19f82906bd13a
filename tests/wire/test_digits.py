"""Covers wire/digits.py: a number that no double holds keeps its digits through every dialect."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.digits import Digits, number
from llm_canaries.wire.event import Delta
from llm_canaries.wire.json import WireError, decode, encode
from llm_canaries.wire.message import Ask, ToolCall
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Frame

PATH = "/v1beta/models/m:generateContent"
ODD = ["1e400", "-1E400", "1e-400", "0.1000000000000000055", str(2**70), "1e99999999999999999999", "3.0e-320"]
MANTISSAS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})", fullmatch=True)
LITERALS = st.sampled_from(ODD) | st.tuples(
    MANTISSAS,
    st.from_regex(r"(\.[0-9]{1,30})?", fullmatch=True),
    st.from_regex(r"([eE][+-]?[0-9]{1,4})?", fullmatch=True),
).map("".join)


def asked(name: str, literal: str) -> bytes:
    """An ask of `name` whose history holds a call with `literal` among its arguments, as an object."""
    bodies: dict[str, dict[str, Any]] = {
        "openai_chat": {"messages": [{"role": "assistant", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"n": "HERE"}}}]}]},
        "openai_responses": {"input": [{"type": "function_call", "call_id": "c", "name": "f",
                                        "arguments": {"n": "HERE"}}]},
        "anthropic_messages": {"messages": [{"role": "assistant", "content": [
            {"type": "tool_use", "id": "c", "name": "f", "input": {"n": "HERE"}}]}]},
        "gemini": {"contents": [{"role": "model", "parts": [
            {"functionCall": {"id": "c", "name": "f", "args": {"n": "HERE"}}}]}]},
    }  # fmt: skip
    model = {} if name == "gemini" else {"model": "m"}
    return json.dumps(model | bodies[name]).replace('"HERE"', literal).encode()


def said_in(ask: Ask) -> Decimal:
    (call,) = [part for turn in ask.messages for part in turn.content if isinstance(part, ToolCall)]
    return exact(call.arguments)["n"]


def exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize("target", DIALECTS)
def test_arguments_keep_their_digits(source: str, target: str) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(LITERALS.filter(lambda literal: "99999999" not in literal))
    def check(literal: str) -> None:
        ask = DIALECTS[source].read_ask(asked(source, literal), PATH)
        assert said_in(ask) == Decimal(literal)
        request = DIALECTS[target].write_ask(ask, Profile())
        assert said_in(DIALECTS[target].read_ask(request.body, request.path)) == Decimal(literal)

    check()


@settings(max_examples=300, deadline=None)
@given(LITERALS)
def test_a_number_is_a_double_only_where_one_is_the_same(literal: str) -> None:
    value = decode(literal)
    assert encode(value).decode() == literal or Decimal(encode(value).decode()) == Decimal(literal)
    if isinstance(value, Digits):
        assert encode([{"a": value}]).decode() == f'[{{"a":{literal}}}]'


def test_usual_numbers_are_plain_floats() -> None:
    for literal in ("0.0", "-0.0", "0.7", "1e300", "1.7976931348623157e308", "5e-324", "0.30000000000000004"):
        assert type(number(literal)) is float
        assert repr(number(literal)) == repr(float(literal))


def test_a_stream_may_bring_arguments_whole() -> None:
    start = {"type": "content_block_start", "index": 0,
             "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {"n": "HERE"}}}  # fmt: skip
    events = DIALECTS["anthropic_messages"].reader().feed(Frame(data=json.dumps(start).replace('"HERE"', "1e400")))
    assert events[-1] == Delta(0, '{"n":1e400}')


def test_fields_of_an_ask_keep_their_digits_but_a_number_that_is_used_must_be_one() -> None:
    body = b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}],"odd":0.1000000000000000055}'
    ask = DIALECTS["anthropic_messages"].read_ask(body, PATH)
    assert b'"odd":0.1000000000000000055' in DIALECTS["anthropic_messages"].write_ask(ask, Profile()).body
    huge = body.replace(b'"odd":0.1000000000000000055', b'"temperature":1e400')
    with pytest.raises(WireError, match="temperature: expected a number of reasonable size"):
        DIALECTS["anthropic_messages"].read_ask(huge, PATH)
