"""Known bodies spoiled at random places, and what every reader and writer must stand of them."""

import json
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Event, fold, unfold
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Ask, Reply
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Frame

PATH = "/v1beta/models/m:generateContent"  # says nothing to the dialects that keep the model in the body
MANY = settings(max_examples=200, deadline=None, derandomize=True)

WORDS = (
    *("text", "image", "image_url", "tool_use", "tool_result", "thinking", "redacted_thinking", "function", "base64"),
    *("url", "user", "assistant", "system", "tool", "developer", "document", "file", "refusal", "enabled", "auto"),
    *("input_json_delta", "text_delta", "message_start", "message_delta", "content_block_start", "error", "any"),
)
KEYS = (
    *("type", "text", "content", "role", "id", "name", "input", "source", "data", "url", "message", "error", "code"),
    *("function", "arguments", "tool_calls", "usage", "choices", "delta", "index", "status", "detail", "msg", "model"),
    *("image_url", "signature", "thinking", "is_error", "tool_use_id", "finish_reason", "success", "details", "title"),
)
NUMBERS = st.sampled_from([0, -1, 5, 2**63, 10**40, 1.5, -0.0, 1e300])
LEAVES = st.none() | st.booleans() | NUMBERS | st.sampled_from([*WORDS, "", "\u2028", "data:a;base64,QQ"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def paths(value: Any) -> list[tuple[Any, ...]]:
    """Where every value inside `value` stands."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *rest) for key, each in inside for rest in paths(each))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at `path`."""
    if not path:
        return new
    inner = replaced(value[path[0]], path[1:], new)
    if isinstance(value, dict):
        return value | {path[0]: inner}
    return [*value[: path[0]], inner, *value[path[0] + 1 :]]


def spoiled(*bodies: Any) -> st.SearchStrategy[bytes]:
    """A known body with one or two of its values replaced by any JSON value, or any JSON at all."""
    places = [(body, path) for body in bodies for path in paths(body)]
    one = st.builds(lambda place, new: replaced(*place, new), st.sampled_from(places), VALUES)
    less = st.builds(lambda body, keys: {k: v for k, v in body.items() if k not in keys}, st.sampled_from(bodies),
                     st.sets(st.sampled_from(KEYS)))  # fmt: skip
    texts = (one | less | VALUES).map(lambda value: json.dumps(value).encode())
    beyond = texts.map(lambda text: text.replace(b"1e+300", b"1e400").replace(b"1.5", b"0.1000000000000000055"))
    return texts | beyond | st.binary(max_size=30)


def well_typed(value: Ask | Reply) -> None:
    """Every typed field of `value` holds its declared type, all the way down; numbers of no double are in `extra`."""
    msgspec.convert(msgspec.to_builtins(value, enc_hook=float), type(value))


def read_asks(name: str, body: bytes) -> None:
    try:
        ask = DIALECTS[name].read_ask(body, PATH)
    except WireError:
        return
    well_typed(ask)
    for other in DIALECTS.values():
        written = other.write_ask(ask, Profile())
        other.read_ask(written.body, written.path)


def read_replies(name: str, body: bytes) -> None:
    try:
        reply = DIALECTS[name].read_reply(body)
    except WireError:
        return
    well_typed(reply)
    for other in DIALECTS.values():
        other.read_reply(other.write_reply(reply).body)
    assert fold(name, unfold(reply)) is not None


def read_streams(name: str, *bodies: bytes) -> None:
    reader, events = DIALECTS[name].reader(), list[Event]()
    for body in bodies:
        try:
            events += reader.feed(Frame(data=body.decode("utf-8", "replace")))
        except WireError:
            continue
    events += reader.close()
    for event in events:
        msgspec.convert(msgspec.to_builtins(event, enc_hook=float), type(event))
    if (reply := fold(name, events)) is not None:
        well_typed(reply)
    for other in DIALECTS.values():
        writer = other.writer(fold_head(reply))
        b"".join(writer.feed(event) for event in events)


def fold_head(reply: Reply | None) -> Any:
    """A head for any answer."""
    return unfold(reply or Reply(dialect="", id="", model=""))[0]
