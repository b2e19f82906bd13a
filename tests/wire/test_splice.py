"""Covers wire/splice.py: large strings never come out otherwise than msgspec alone would bring them."""

import base64
import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.wire import data_url
from llm_canaries.wire import json as wire_json
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Ask, Document, Image, Message
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.splice import LARGE, Large, decode, encode, string

STEADY = settings(max_examples=150, deadline=None, derandomize=True)
IMAGE = base64.b64encode(random.Random(1).randbytes(LARGE)).decode()
ODD = ['"', "\\", "\n", "\x00", "\x1f", "\x7f", "é", "\u2028", "🐤", "\\u0041", '\\"', " ", "-_", "data:"]


def dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize("odd", ["", *ODD])
@pytest.mark.parametrize("place", [0, len(IMAGE) // 2, len(IMAGE)])
def test_a_large_string_is_read_and_written_as_it_is(odd: str, place: int) -> None:
    data = IMAGE[:place] + odd + IMAGE[place:]
    body = dumped({"a": data, "b": [data, 1.5]})
    assert decode(body) == json.loads(body) == wire_json.decode(body)
    for head in ("", "data:image/png;base64,", 'a "quoted" \\ head\n'):
        written = wire_json.encode({"a": [string(head, data)], "b": 1})
        assert written == msgspec.json.encode({"a": [head + data], "b": 1})


def test_only_what_is_plain_is_spliced() -> None:
    assert isinstance(string("", IMAGE), Large)
    assert string("x", IMAGE[: LARGE - 1]) == "x" + IMAGE[: LARGE - 1]
    for odd in set(ODD) - {" ", "-_", "data:", "\x7f"}:
        assert string("", IMAGE + odd) == IMAGE + odd


NUMBER = b"0.7e-4242"  # what stands for the first large string while the rest is read
LONG = IMAGE.encode()
NO_JSON = (msgspec.DecodeError, UnicodeError)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a":"' + LONG + b'","b":' + NUMBER + b"}", id="the number itself after it"),
        pytest.param(b'{"b":' + NUMBER + b',"a":"' + LONG + b'"}', id="the number itself before it"),
        pytest.param(b'{"b":"0.7e-4242","a":"' + LONG + b'"}', id="the number as a string"),
        pytest.param(b'{"' + LONG + b'":1}', id="a key"),
        pytest.param(b'{"' + LONG + b'":"' + LONG + b'"}', id="a key and its value"),
        pytest.param(b'["\\"' + LONG + b'"]', id="after an escaped quote"),
        pytest.param(b'["' + LONG + b'\\""]', id="before an escaped quote"),
        pytest.param(b'["x\\\\","' + LONG + b'","\\\\"]', id="after an escaped backslash"),
        pytest.param(b'["a"' + b" " * LARGE + b',"b"]', id="blanks between strings"),
        pytest.param(b'["a",' + b"1.25," * LARGE + b'"b"]', id="numbers between strings"),
        pytest.param(b'["a"\n,' + b"\t" * LARGE + b'"' + LONG + b'"]', id="both"),
        pytest.param(b'"' + LONG + b'"', id="nothing else"),
        pytest.param(b' \n"' + LONG + b'"\n', id="blanks around it"),
        pytest.param(b'{"a":"' + LONG + b'","a":"' + LONG + b'x"}', id="a key twice"),
        pytest.param(b'["' + LONG + b'",0.1000000000000000055]', id="a number that no double is"),
        pytest.param(b'["' + b'","'.join([LONG] * 12) + b'"]', id="twelve of them"),
    ],
)
def test_the_value_is_what_it_is_without_splicing(body: bytes) -> None:
    assert len(body) >= LARGE
    assert decode(body) == msgspec.json.decode(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'["' + LONG + b"\n" + LONG + b'"]', id="a raw line end in a string"),
        pytest.param(b'["' + LONG + b"\x00" + b'"]', id="a raw NUL in a string"),
        pytest.param(b'["' + LONG + b"\xff" + b'"]', id="not UTF-8"),
        pytest.param(b'["\xff","' + LONG + b'"]', id="not UTF-8 before it"),
        pytest.param(b'["' + LONG + b'","\xff"]', id="not UTF-8 after it"),
        pytest.param(b'["' + LONG, id="no end"),
        pytest.param(b'["' + LONG + b'"', id="no end of the array"),
        pytest.param(LONG + b'"' + LONG, id="no beginning"),
        pytest.param(b'"a"' + LONG + b'"b"', id="a string inside a string"),
        pytest.param(b'["a"' + LONG + b'"b"]', id="... in an array"),
        pytest.param(b'["a" "' + LONG + b'"]', id="no comma"),
        pytest.param(b'["a":"' + LONG + b'"]', id="a colon in an array"),
        pytest.param(b'["' + LONG + b'"]]', id="something after the end"),
    ],
)
def test_what_is_no_json_stays_none(body: bytes) -> None:
    with pytest.raises(NO_JSON) as alone:
        msgspec.json.decode(body)
    with pytest.raises(NO_JSON) as spliced:
        decode(body)
    assert str(spliced.value) == str(alone.value)
    with pytest.raises(WireError):
        wire_json.decode(body)


PIECES = st.sampled_from(
    [
        *(LONG, LONG[: LARGE // 2], b'"', b'"', b"\\", b"\\\\", b",", b":", b"[", b"]", b"{", b"}", b" " * LARGE),
        *(b"\n", b"1", NUMBER, b"null", b"\x00", b"\xff", "é".encode()),
    ]
)


@STEADY
@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_any_bytes_are_read_as_without_splicing(body: bytes) -> None:
    def outcome(read: object) -> object:
        try:
            return read(body)  # type: ignore[operator]
        except NO_JSON as error:
            return str(error)

    assert outcome(decode) == outcome(msgspec.json.decode)


VALUES = st.recursive(
    st.sampled_from([IMAGE, IMAGE + '"', IMAGE + "\n", "x", 1, 0.7, None, True, "0.7e-4242"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", IMAGE]), inner, max_size=3),
    max_leaves=8,
)


@STEADY
@given(VALUES)
def test_any_value_survives_both_ways(value: object) -> None:
    def wrapped(inner: object) -> object:
        if isinstance(inner, str):
            return string("", inner)
        if isinstance(inner, list):
            return [wrapped(each) for each in inner]
        return {key: wrapped(each) for key, each in inner.items()} if isinstance(inner, dict) else inner

    body = wire_json.encode(wrapped(value))
    assert body == msgspec.json.encode(value)
    assert wire_json.decode(body) == value


def test_what_nobody_can_encode_is_told() -> None:
    with pytest.raises(TypeError, match="object"):
        encode({"a": string("", IMAGE), "b": object()})


@pytest.mark.parametrize("odd", ["", *ODD])
@pytest.mark.parametrize("source", ["anthropic_messages", "openai_chat"])
@pytest.mark.parametrize("target", ["anthropic_messages", "openai_chat"])
def test_images_cross_unchanged(source: str, target: str, odd: str) -> None:
    """A picture of any letters, through a dialect's request and back, is the same picture."""
    image = Image(data=IMAGE + odd, media_type="image/png")
    ask = Ask(dialect=source, model="m", messages=(Message("user", (image,)),), max_tokens=5)
    written = DIALECTS[target].write_ask(ask, Profile())
    json.loads(written.body)
    (message,) = DIALECTS[target].read_ask(written.body, written.path).messages
    assert message.content == (image,)


@pytest.mark.parametrize("media", ["image/png", None, 'a"b\n'])
def test_a_data_url_is_the_same_spliced_or_not(media: str | None) -> None:
    for part in (Image(data=IMAGE, media_type=media), Document(data=IMAGE, media_type=media), Image(url="https://x/y")):
        assert wire_json.encode(data_url.spliced(part)) == wire_json.encode(data_url.join(part))
