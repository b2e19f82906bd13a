"""Covers wire/gemini/path.py: the model and whether to stream are in the path."""

import json

import pytest

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Ask
from llm_canaries.wire.profile import Profile

GEMINI = DIALECTS["gemini"]


def read(path: str) -> Ask:
    return GEMINI.read_ask(json.dumps({"contents": [{"parts": [{"text": "x"}]}]}).encode(), path)


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro", False),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "gemini-2.5-pro", True),
        ("/v1/models/mirror/echo:streamGenerateContent", "mirror/echo", True),
        ("/v1beta/models/mirror%2Fecho%20a:generateContent?key=k", "mirror/echo a", False),
        ("/v1beta/models/llama3:8b:generateContent", "llama3:8b", False),
        ("/v1beta/models/a%3Fb%23c%25:generateContent", "a?b#c%", False),
        ("/v1beta/models/gemini-3(high):generateContent", "gemini-3(high)", False),
        ("/v1beta1/projects/p/locations/l/publishers/google/models/g:generateContent", "g", False),
        ("/base/v1beta/models/g:generateContent", "g", False),
    ],
)
def test_model_and_stream_are_in_the_path(path: str, model: str, stream: bool) -> None:
    ask = read(path)
    assert (ask.model, ask.stream) == (model, stream)
    request = GEMINI.write_ask(ask, Profile())
    again = read(request.path)
    assert (again.model, again.stream) == (model, stream)
    assert request.path.startswith("/v1beta/models/")
    assert request.path.endswith("?alt=sse") == stream
    assert "?" not in request.path.removesuffix("?alt=sse")
    body, other = GEMINI.with_model(b"{}", path, "x/y z")
    assert (body, read(other).model, read(other).stream) == (b"{}", "x/y z", stream)
    assert other.partition("?")[2] == path.partition("?")[2]
    assert other.startswith(path[: path.index("models/")])


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1beta/models/{call:.+}",
        "/v1beta/models/m",
        "/v1beta/models/m:embedContent",
        "/v1/chat/completions",
        "/v1beta/models/:generateContent",
        "/v1beta/models/m:generateContent/x",
        "/v1beta/tunedmodels/m:generateContent",
    ],
)
def test_a_path_without_a_model_is_told(path: str) -> None:
    with pytest.raises(WireError, match=r"^path: expected /v1beta/models/MODEL:generateContent"):
        read(path)
    with pytest.raises(WireError, match=r"^path"):
        GEMINI.with_model(b"{}", path, "m")
