"""Covers canary/scenarios/http.py: what goes out, byte for byte, and what is expected back."""

import json

import msgspec
import pytest
from plays import case, chat, error, play

from llm_canaries.canary.scenarios.http import SCENARIO, Params
from llm_canaries.wire.exchange import Look, Page, Send
from llm_canaries.wire.fault import Fault, FaultReason

BODY = {"messages": [{"role": "user", "content": "[{mark}] hi"}]}


def params(**fields):
    return msgspec.convert(fields, Params)


def played(answers, dialect="openai_chat", stream=False, **fields):
    return play(SCENARIO, answers, dialect=dialect, stream=stream, params=params(**fields))


def judged(answers, **fields):
    finding, _ = played(answers, **fields)
    return (finding.outcome, finding.reason)


def paged(body=b'{"status":"ok"}', status=200, headers=(), fault=None):
    return lambda step: Page(look=step, status=status, headers=headers, body=body, fault=fault, duration=0.2)


HI = lambda step: chat(step, "hi")  # noqa: E731


def test_text_goes_out_as_it_is():
    text = '{ "model" : "m",\n "messages": [] }'
    _, (step,) = played(HI, body=text)
    assert isinstance(step, Send)
    assert step.ask == text.encode()


def test_a_mapping_gets_what_it_lacks():
    _, (step,) = played(HI, body=BODY)
    said = json.loads(step.ask)
    assert said["model"] == "m"
    assert "stream" not in said
    assert said["messages"][0]["content"] == f"[{step.mark}] hi"
    _, (streamed,) = played(HI, body=BODY, stream=True)
    assert json.loads(streamed.ask)["stream"] is True
    _, (own,) = played(HI, body=BODY | {"model": "x-{model}"})
    assert json.loads(own.ask)["model"] == "x-m"


@pytest.mark.parametrize(
    ("dialect", "stream", "path"),
    [
        ("openai_chat", False, ""),
        ("gemini", False, "/v1beta/models/m:generateContent"),
        ("gemini", True, "/v1beta/models/m:streamGenerateContent?alt=sse"),
    ],
)
def test_where_it_goes(dialect, stream, path):
    unread = lambda step: chat(step, body=b"{}")  # noqa: E731
    _, (step,) = played(unread, dialect=dialect, stream=stream, body={"contents": []})
    assert (step.path, step.stream, step.dialect) == (path, stream, dialect)
    assert ("model" in json.loads(step.ask)) == (dialect != "gemini")
    _, (own,) = played(unread, body=BODY, path="/v1/models/{model}/x", headers={"x-t": "1"})
    assert (own.path, dict(own.headers)) == ("/v1/models/m/x", {"x-t": "1"})


def test_a_page_is_read():
    finding, (step,) = played(paged(), get="/v1/models/{model}?n={mark}")
    assert isinstance(step, Look)
    assert step.path.startswith("/v1/models/m?n=cnry-")
    assert finding.outcome == "pass"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"json": {"status": "ok"}, "contains": ["ok"], "lacks": ["bad"], "matches": ["^\\{"]}, ""),
        ({"json": {"status": "down"}}, "json_differs"),
        ({"contains": ["bad"]}, "text_differs"),
        ({"lacks": ["ok"]}, "text_differs"),
        ({"matches": ["^ok"]}, "text_differs"),
        ({"header": {"x-a": "^1$"}}, ""),
        ({"header": {"x-a": "^2$"}}, "header_differs"),
        ({"header": {"x-b": ""}}, "header_differs"),
        ({"status": 204}, "status_differs"),
        ({"within_seconds": 0.3}, ""),
        ({"within_seconds": 0.1}, "late"),
    ],
)
def test_expectations_of_a_page(fields, reason):
    answers = paged(headers=(("x-a", "1"),))
    assert judged(answers, get="/health", **fields) == ("fail" if reason else "pass", reason)


def test_faults_of_a_page():
    gone = Fault(reason=FaultReason.NO_ROUTE, status=404)
    assert judged(paged(b"", 404, fault=gone), get="/x") == ("fail", "no_route")
    assert judged(paged(b"", 404, fault=gone), get="/x", status=404) == ("pass", "")
    down = Fault(reason=FaultReason.CONNECT)
    assert judged(paged(b"", None, fault=down), get="/x", status=404) == ("fail", "connect")
    html = paged(b"<html>", fault=Fault(reason=FaultReason.HTML, status=200))
    assert judged(html, get="/x") == ("fail", "html")
    assert judged(html, get="/x", html=True) == ("pass", "")


def test_a_200_that_is_no_answer_is_a_failure_on_the_dialect_s_own_path():
    odd = lambda step: chat(step, body=b'{"data":[{"embedding":[1]}]}')  # noqa: E731
    assert judged(odd, body=BODY) == ("fail", "malformed_body")
    assert judged(odd, body=BODY, path="/v1/embeddings", json={"data[0].embedding[0]": 1}) == ("pass", "")
    error_inside = lambda step: chat(step, body=b'{"error":{"message":"no"}}')  # noqa: E731
    assert judged(error_inside, body=BODY, path="/v1/embeddings") == ("fail", "error_in_200")


def test_a_refusal_may_be_what_is_expected():
    refused = lambda step: error(step, 400, "messages: expected an array")  # noqa: E731
    assert judged(refused, body="{}") == ("fail", "bad_request")
    assert judged(refused, body="{}", status=400, contains=["expected an array"]) == ("pass", "")
    assert judged(HI, body=BODY, status=400) == ("fail", "status_differs")


@pytest.mark.parametrize(
    ("fields", "more", "words"),
    [
        ({"body": BODY, "json": {"a": 1}}, {"stream": True}, "a streamed answer has none"),
        ({"get": "/v1/models"}, {"stream": True}, "is not streamed"),
        ({"get": "/healthz"}, {}, "no page but `/v1/models`"),
        ({"body": BODY | {"stop": ["x"]}}, {"dialect": "openai_responses"}, "no stop sequences"),
    ],
)
def test_what_cannot_be_asked(fields, more, words):
    assert words in SCENARIO.objection(case(SCENARIO, params=params(**fields), **more))


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"body": BODY, "json": {"a": 1}}, {}),
        ({"body": BODY, "json": {"a": 1}, "status": 429}, {"stream": True}),
        ({"get": "/v1/models?limit=1"}, {}),
        ({"get": "/healthz"}, {"deployed": True}),
        ({"get": "/nothing", "status": 404}, {}),
        ({"body": BODY | {"stop": ["x"]}}, {}),
        ({"body": BODY | {"stop": ["x"]}, "status": 400}, {"dialect": "openai_responses"}),
    ],
)
def test_what_can_be_asked(fields, more):
    assert SCENARIO.objection(case(SCENARIO, params=params(**fields), **more)) == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "either a `body` to send or a page to `get`"),
        ({"body": "{}", "get": "/x"}, "either a `body` to send or a page to `get`"),
        ({"get": "/x", "path": "/y"}, "go with a `body`"),
        ({"get": "/x", "headers": {"a": "b"}}, "go with a `body`"),
        ({"get": "health"}, "`get` begins with `/`"),
        ({"body": "{}", "path": "v1"}, "`path` begins with `/`"),
        ({"get": "/x", "header": {"a": "("}}, "is not a pattern"),
        ({"get": "/x", "json": {"": 1}}, "path is empty"),
        ({"body": "{}", "headers": {"Authorization": "x"}}, "belong to the gateway"),
        ({"get": "/x", "status": 700}, "<= 599"),
    ],
)
def test_parameters_that_make_no_sense(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        params(**fields)


def test_a_page_costs_no_tokens():
    for fields, tokens in (({"get": "/x"}, 0), ({"body": "{}", "tokens": 50}, 50)):
        its = case(SCENARIO, params=params(**fields))
        assert SCENARIO.cost(its, its.params).output_tokens == tokens
