"""Where an ask goes: Gemini keeps the model and whether to stream in the path."""

import re
from urllib.parse import quote, unquote

from msgspec import Struct

from llm_canaries.wire.clip import clipped
from llm_canaries.wire.json import WireError

ROUTE = "/v1beta/models/{call:.+}"
MODELS = "/v1beta/models"

_START = "/v1beta/models/"
_WHOLE, _STREAM = "generateContent", "streamGenerateContent"
_CALL = re.compile(rf"((?:[^?]*?/)?models/)([^?]+):({_WHOLE}|{_STREAM})(\?.*)?", re.DOTALL)
_PLAIN = "/:@!$&'()*+,;="  # what a path may hold as it is (RFC 3986), besides letters, digits and -._~


class Called(Struct, frozen=True):
    """A path taken apart; `before` and `after` are as they stood, the model is decoded."""

    before: str
    model: str
    stream: bool
    after: str


def read_path(path: str) -> Called:
    """What `path` asks for, on any version of the API or on Vertex AI. Raises WireError."""
    found = _CALL.fullmatch(path)
    if found is None:
        raise WireError(f"path: expected {_START}MODEL:{_WHOLE} or :{_STREAM}, got {clipped(path, 200) or 'nothing'}")
    before, model, method, after = found.groups(default="")
    return Called(before, unquote(model), method == _STREAM, after)


def write_path(model: str, stream: bool) -> str:
    """The path that asks `model`; without `alt=sse` a stream would come as one JSON array."""
    return _START + quote(model, safe=_PLAIN) + (f":{_STREAM}?alt=sse" if stream else f":{_WHOLE}")


def for_model(path: str, model: str) -> str:
    """`path` for another model. Raises WireError."""
    called = read_path(path)
    return called.before + quote(model, safe=_PLAIN) + f":{_STREAM if called.stream else _WHOLE}" + called.after
