"""The small parts of the door, without a socket: keys, headers, paths, arrays, and shapes of pages."""

import hmac
import json
from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict

from llm_canaries.proxy.breaker import Breaker
from llm_canaries.proxy.server import keys as keys_module
from llm_canaries.proxy.server.arrays import as_array
from llm_canaries.proxy.server.keys import ClientKeys, shown_keys
from llm_canaries.proxy.server.pages import Pages
from llm_canaries.proxy.server.passed import to_client, to_provider
from llm_canaries.proxy.server.paths import AskPaths, list_dialect, own_path
from llm_canaries.proxy.server.refusal import refusal
from llm_canaries.proxy.server.status import circuit_breakers, health, metrics, provider_status
from llm_canaries.proxy.traffic import Passed, Tokens, Traffic
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason


def test_every_key_is_compared_whichever_is_right(monkeypatch):
    compared = []

    def counting(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(keys_module, "hmac", SimpleNamespace(compare_digest=counting))
    own = ClientKeys(["first", "a much longer second", "third"])
    for shown, admitted in (("first", True), ("third", True), ("none of them", False)):
        compared.clear()
        assert own.admit([shown]) is admitted
        assert compared == [(32, 32)] * 3, "as many, and as long, for any key"


def test_a_door_without_keys_stands_open():
    assert ClientKeys().admit([]) and not ClientKeys()
    assert not ClientKeys(["k"]).admit([]) and ClientKeys(["k"])
    assert not ClientKeys(["k"]).admit([""])


def test_no_key_is_kept():
    assert "ck-planted" not in repr(vars(ClientKeys(["ck-planted"])))


def test_keys_of_odd_characters():
    assert ClientKeys(["clé"]).admit(["clé"])
    assert not ClientKeys(["clé"]).admit(["cl\udce9"])


def test_every_place_of_a_key():
    headers = CIMultiDict({"Authorization": "Bearer a", "X-Api-Key": "b", "X-Goog-Api-Key": "c"})
    assert list(shown_keys(headers, {"key": "d"})) == ["a", "b", "c", "d"]
    assert list(shown_keys(CIMultiDict({"Authorization": "Basic a"}), {})) == []


def test_headers_that_pass():
    said = (("Content-Type", "a"), ("Set-Cookie", "b"), ("X-RateLimit-Limit-Tokens", "c"), ("Server", "d"))
    more = (("Anthropic-RateLimit-Requests-Remaining", "e"), ("Request-Id", "f"), ("Content-Length", "9"))
    assert to_client(said + more) == {
        "content-type": "a",
        "x-ratelimit-limit-tokens": "c",
        "anthropic-ratelimit-requests-remaining": "e",
        "request-id": "f",
    }
    headers = CIMultiDict({"Anthropic-Beta": "x", "OpenAI-Beta": "y", "Authorization": "z"})
    assert to_provider("anthropic_messages", headers) == {"anthropic-beta": "x"}
    assert to_provider("openai_chat", headers) == {"openai-beta": "y"}
    assert to_provider("gemini", headers) == {}


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", "openai_chat"),
        ("/v1/responses", "openai_responses"),
        ("/v1/messages", "anthropic_messages"),
        ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini"),
        ("/v1beta/models/mirror/healthy:streamGenerateContent", "gemini"),
        ("/v1/chat/completions/", None),
        ("/v1beta/models/", None),
        ("/v1beta/models", None),
        ("/v1/models", None),
        ("/", None),
    ],
)
def test_paths(path: str, dialect: str | None):
    assert AskPaths().dialect(path) == dialect


def test_every_dialect_has_a_door():
    found = {AskPaths().dialect(each.path.replace("{call:.+}", "m:generateContent")) for each in DIALECTS.values()}
    assert found == set(DIALECTS)


def test_lists():
    claude, google = {"anthropic-version": "2023-06-01"}, {"x-goog-api-client": "google-genai-sdk/3"}
    assert list_dialect("/v1/models", {}) == "openai_chat"
    assert list_dialect("/v1/models", claude) == "anthropic_messages"
    assert list_dialect("/v1beta/models", claude) == "gemini"
    assert list_dialect("/v1/models", google) == "gemini"
    assert list_dialect("/v2/models", google) is None


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha", "v1beta2"])
def test_any_version_of_googles_api(version: str):
    for method, own in (("generateContent", ""), ("streamGenerateContent", "?alt=sse")):
        path = f"/{version}/models/a%2Fb:{method}"
        assert AskPaths().dialect(path) == "gemini"
        assert own_path("gemini", path) == f"/v1beta/models/a%2Fb:{method}{own}"
    assert own_path("openai_chat", "/v1/chat/completions") == "/v1/chat/completions"


async def _slices(*slices: bytes) -> Any:
    for each in slices:
        yield each


@pytest.mark.parametrize(
    ("slices", "values"),
    [
        ((), []),
        ((b": ping\n\n",), []),
        ((b'data: {"a":1}\n\n',), [{"a": 1}]),
        ((b'data: {"a"', b":1}\r\n\r\nda", b'ta: {"b":2}\n\n'), [{"a": 1}, {"b": 2}]),
        ((b'data: {"a":1}\n\ndata: {"error":{}}',), [{"a": 1}, {"error": {}}]),
    ],
)
async def test_arrays(slices: tuple[bytes, ...], values: list[Any]):
    assert json.loads(b"".join([chunk async for chunk in as_array(_slices(*slices))])) == values


def test_a_refusal_keeps_the_status_and_the_wait_that_were_said():
    fault = Fault(reason=FaultReason.RATE_LIMITED, status=418, retry_after=1.2)
    said = refusal("anthropic_messages", fault)
    assert (said.status, said.headers["retry-after"]) == (418, "2")
    assert refusal("openai_chat", Fault(reason=FaultReason.CONNECT)).status == 502


def test_metrics_of_a_price():
    passed = Passed(requests=2, successes=1, tokens=Tokens(1, 10, 2), dollars=0.1234567, statuses={0: 1, 200: 1})
    said = metrics({"p": passed})["p"]
    assert said["cost_dollars"] == 0.123457 and said["total_tokens"] == 12
    assert said["status_counts"] == {"none": 1, "200": 1}


OPEN = Breaker(failures=5, open_until=130.0)


def test_breakers_of_credentials_belong_to_their_provider():
    page = circuit_breakers({"a/one": OPEN, "a/two": Breaker(), "ab": OPEN}, 100.0, 1000.0)
    assert page["a/one"] == {"state": "open", "failure_count": 5, "next_retry_time": 1030.0}
    own = provider_status("a", Passed(), page, 1000.0)
    assert own["circuit_breakers"].keys() == {"a/one", "a/two"}
    assert (own["available"], own["status"]) == (True, "degraded")


@pytest.mark.parametrize(
    ("now", "states", "whole"),
    [(100.0, ("open", "healthy"), "degraded"), (130.0, ("half_open", "healthy"), "degraded")],
)
def test_health_is_computed_when_read(now: float, states: tuple[str, str], whole: str):
    page = circuit_breakers({"a": OPEN, "b": Breaker()}, now, 0.0)
    said = health({"a": Passed(), "b": Passed()}, page, 0.0)
    assert (said["circuit_breakers"]["a"]["state"], said["providers"][1]["status"]) == states
    assert said["status"] == whole


def test_nobody_well_is_unhealthy():
    page = circuit_breakers({"a": OPEN}, 100.0, 0.0)
    assert health({"a": Passed(requests=4, successes=1)}, page, 7.9) == {
        "status": "unhealthy",
        "providers": [{"provider": "a", "status": "unhealthy", "error_rate": 0.75, "last_check": "7"}],
        "circuit_breakers": page,
    }


@pytest.mark.parametrize(
    ("remote", "shown", "status"), [("10.1.2.3", "", 401), ("10.1.2.3", "k", 200), ("::1", "", 200)]
)
async def test_operators_pages_from_elsewhere_need_a_key(remote, shown, status, clock, embedded):
    pages = Pages(embedded(), Traffic(["p"]), clock)
    request: Any = SimpleNamespace(
        method="GET", remote=remote, headers=CIMultiDict({"x-api-key": shown} if shown else {}), query={}
    )
    answer = await pages.answer(request, "/v1/metrics/providers", ClientKeys(["k"]))
    assert answer.status == status
