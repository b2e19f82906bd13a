"""Covers canary/report/har.py: HAR 1.2 by its own schema, with the bytes and the times of what came."""

import json
import os
from base64 import b64decode
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest
from har_schema import HAR
from msgspec.structs import replace
from plays import case, chat, counts, error, models
from referencing import Registry, Resource
from runs import run

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.evidence.bodies import Room
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.report.har import har
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.config.secrets import Redactor
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look

KEY = "planted-secret-0123456789"


def exchange(text="123456", make=chat, stream=False, dialect="openai_chat", **more):
    its = case(SCENARIO, stream=stream, dialect=dialect)
    step = sending(its, text_ask(its, "hi", cap=9), "cnry-aaaaaaaaaa")
    return make(step, text, **more)


def document(*answers, url="http://g:8317/v1", room=None, outcome="fail"):
    kept = evidence_of(run(outcome, "x", answers=answers), Redactor([KEY]), program="1.2", url=url, room=room)
    said = json.loads(har(kept, 7))
    jsonschema.validate(said, HAR, cls=jsonschema.Draft202012Validator)
    return said["log"]


def timed(answer, *arrivals, duration, at):
    return replace(answer, arrivals=arrivals, duration=duration, at=at)


def test_the_schema_itself_refuses_what_is_no_har():
    jsonschema.Draft202012Validator.check_schema(HAR)
    for said in ({}, {"log": {}}, {"log": {"version": "1.1", "creator": {"name": "a", "version": "b"}, "entries": []}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(said, HAR)


@pytest.fixture(scope="module")
def independent():
    """A validator of others: the files of the npm package har-schema (ISC), which .ci/run brings."""
    folder = Path(os.environ.get("HAR_SCHEMA", "nowhere"))
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"HAR_SCHEMA={str(folder)!r} is not there, and CI must check against the schema")
        pytest.skip("HAR_SCHEMA does not name the folder of the package har-schema; .ci/run brings it")
    files = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    known = Registry().with_resources((each["$id"].rstrip("#"), Resource.from_contents(each)) for each in files)
    return jsonschema.Draft6Validator({"$ref": "har.json"}, registry=known)


def test_others_take_it_for_har(independent):
    streamed = timed(exchange("one", stream=True), (0.25, 10), duration=2.0, at=1_700_000_002.5)
    silent = replace(exchange(), status=None, headers=(), body=b"", arrivals=(), reply=None)
    odd = exchange(body=b"caf\xe9" * 100)
    page = models(Look(path="/v1/models?a=b"), "a")
    independent.validate({"log": document(streamed, silent, odd, page, error(silent.send, 429, "slow down"))})
    with pytest.raises(jsonschema.ValidationError):
        independent.validate({"log": document(odd) | {"entries": [{}]}})


def test_a_streamed_answer_has_its_bytes_and_its_times():
    answer = exchange("one two", stream=True, usage=counts(12, 3))
    answer = timed(answer, (0.25, 10), (1.5, len(answer.body)), duration=2.0, at=1_700_000_002.5)
    (entry,) = document(answer)["entries"]
    assert entry["response"]["content"]["text"].encode() == answer.body
    assert entry["response"]["content"]["mimeType"] == "text/event-stream"
    assert entry["timings"] == {"send": 0, "wait": 250.0, "receive": 1750.0}
    assert entry["time"] == sum(entry["timings"].values()) == 2000.0
    started = datetime.fromisoformat(entry["startedDateTime"])
    assert started.timestamp() == 1_700_000_000.5
    assert entry["_arrivals"] == [[250.0, 10], [1500.0, len(answer.body)]]
    assert entry["_usage"]["input"] == 12


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [True, False])
def test_the_ask_is_there_in_every_dialect(dialect, stream):
    answer = exchange(stream=stream, dialect=dialect)
    sent = DIALECTS[dialect].write_ask(answer.send.ask, answer.send.profile)
    (entry,) = document(replace(answer, sent=sent.body))["entries"]
    request = entry["request"]
    assert (request["method"], request["url"]) == ("POST", f"http://g:8317{sent.path}")
    assert request["postData"]["text"].encode() == sent.body
    assert [(pair["name"], pair["value"]) for pair in request["queryString"]] == (
        [("alt", "sse")] if "?" in sent.path else []
    )


def test_a_page_a_refusal_and_silence():
    silent = replace(exchange(), status=None, headers=(), body=b"", arrivals=(), reply=None)
    refused = error(exchange().send, 429, "slow down", code="rate_limited")
    page, bad, none = document(models(Look(path="/v1/models"), "a"), refused, silent, url="")["entries"]
    assert page["request"]["url"] == "http://g.invalid/v1/models"
    assert "postData" not in page["request"]
    assert (bad["response"]["status"], bad["response"]["statusText"]) == (429, "Too Many Requests")
    assert bad["_fault"]["reason"] == "rate_limited"
    assert (none["response"]["status"], none["response"]["bodySize"]) == (0, -1)
    assert none["timings"]["receive"] == 0


def test_bytes_that_are_no_text_and_bytes_that_are_not_kept():
    answer = exchange(body=b"caf\xe9" * 100)
    (entry,) = document(answer)["entries"]
    content = entry["response"]["content"]
    assert (content["encoding"], b64decode(content["text"])) == ("base64", answer.body)
    (entry,) = document(answer, room=Room(str, most_body=100))["entries"]
    content = entry["response"]["content"]
    assert (content["size"], len(b64decode(content["text"]))) == (400, 100)
    assert content["comment"] == "cut: the last 300 of 400 bytes are not kept"


def test_no_secret_is_in_it():
    answer = replace(exchange(f"key {KEY}"), sent=KEY.encode(), headers=(("location", f"https://x/?key={KEY}"),))
    said = json.dumps(document(answer, url=f"https://u:{KEY}@h/v1?key={KEY}"))
    assert KEY not in said
    assert "https://***@h/v1/chat/completions" in said
