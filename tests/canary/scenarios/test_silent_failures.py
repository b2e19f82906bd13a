"""The silent-failure matrix (cliproxyapi.md 11), byte for byte as clients saw it, and usage bugs on record (B5).

Each is a 200 that known-good, the scenario of every gateway, or usage-parity must not take for an answer.
"""

import json

import pytest
from plays import chat, play

from llm_canaries.canary.scenarios import known_good, usage_parity
from llm_canaries.canary.verdict import usage_of


def sse(*rows, done=False, named=False):
    lines = []
    for row in rows:
        head = f"event: {row['type']}\n" if named else ""
        lines.append(f"{head}data: {json.dumps(row)}\n\n")
    return ("".join(lines) + ("data: [DONE]\n\n" if done else "")).encode()


def chunk(text=None, finish=None):
    delta = {} if text is None else {"role": "assistant", "content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def response(status, output=None, **more):
    said = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": status}
    return said | ({} if output is None else {"output": output}) | more


HTML = b"\n<html><body>Sign in</body></html>"
ERROR = {"error": {"message": "boom", "type": "server_error", "code": "internal_server_error"}}
CREATED = {"type": "response.created", "sequence_number": 0, "response": response("in_progress", [])}
DELTA = {
    "type": "response.output_text.delta", "sequence_number": 1, "item_id": "i", "output_index": 0, "content_index": 0,
    "delta": "12",
}  # fmt: skip
START = {
    "type": "message_start",
    "message": {
        "id": "x", "type": "message", "role": "assistant", "model": "m", "content": [],
        "usage": {"input_tokens": 9, "output_tokens": 1},
    },
}  # fmt: skip
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
PIECE = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "12"}}
STOP = {"type": "message_stop"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
RESPONSE_ERROR = {"type": "error", "code": "request_timeout", "message": "no", "sequence_number": 2}
CHAT, RESPONSES, MESSAGES = "openai_chat", "openai_responses", "anthropic_messages"

MATRIX = [
    ("a login page", CHAT, False, HTML, "html"),
    ("a login page", RESPONSES, False, json.dumps(response("completed")).encode(), "malformed_body"),
    ("a login page", MESSAGES, True, sse(STOP, named=True), "empty_body"),
    ("an error in a 200", CHAT, False, json.dumps(ERROR).encode(), "error_in_200"),
    ("an error mid stream", CHAT, True, sse(chunk("12"), ERROR, done=True), "stream_error"),
    ("an error mid stream", RESPONSES, False, json.dumps(response("completed")).encode(), "malformed_body"),
    ("an error mid stream", RESPONSES, True, sse(CREATED, DELTA, named=True), "truncated_stream"),
    ("an error mid stream", MESSAGES, True, sse(START, BLOCK, PIECE, STOP, named=True), "truncated_stream"),
    ("a cut stream", CHAT, True, sse(chunk("12"), done=True), "truncated_stream"),
    ("a cut stream", RESPONSES, True, sse(CREATED, DELTA, named=True), "truncated_stream"),
    ("a cut stream", MESSAGES, True, sse(START, BLOCK, PIECE, STOP, named=True), "truncated_stream"),
    ("nothing", CHAT, False, json.dumps(chunk() | {"choices": []}).encode(), "empty_answer"),
    ("nothing", RESPONSES, False, json.dumps(response("completed", [], usage=None)).encode(), "empty_answer"),
    ("nothing", MESSAGES, True, sse(STOP, named=True), "empty_body"),
    ("a cut codex stream", CHAT, True, sse(chunk("12"), ERROR), "stream_error"),
    ("a cut codex stream", RESPONSES, True, sse(CREATED, DELTA, RESPONSE_ERROR, named=True), "stream_error"),
    ("a cut codex stream", MESSAGES, True, sse(START, BLOCK, PIECE, OVERLOADED, named=True), "stream_error"),
    ("response.failed", RESPONSES, True, sse(
        CREATED, {"type": "response.failed", "sequence_number": 1, "response": response("failed", [], **ERROR)},
        named=True), "stream_error"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "dialect", "stream", "body", "reason"), MATRIX)
def test_the_silent_failures(what, dialect, stream, body, reason):
    finding, _ = play(known_good.SCENARIO, lambda s: chat(s, body=body), dialect=dialect, stream=stream)
    assert (finding.outcome, finding.reason) == ("fail", reason), what


def test_an_answer_cut_by_its_limit_is_told_as_one():
    incomplete = response("incomplete", [], incomplete_details={"reason": "max_output_tokens"})
    body = sse(CREATED, {"type": "response.incomplete", "sequence_number": 1, "response": incomplete}, named=True)
    finding, _ = play(known_good.SCENARIO, lambda s: chat(s, body=body), dialect=RESPONSES, stream=True)
    assert (finding.outcome, finding.reason) == ("inconclusive", "cap_too_small")


CACHED = {"cache_read_input_tokens": 16, "output_tokens": 4}


def messages(step, start, delta):
    """The right words in Messages: whole with 20 and 4 tokens, streamed with the usages given."""
    number = step.ask.messages[0].content[0].text.rpartition(" ")[2]
    if not step.stream:
        said = {"id": "x", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
        said |= {"content": [{"type": "text", "text": number}], "usage": {"input_tokens": 20, "output_tokens": 4}}
        return chat(step, body=json.dumps(said).encode())
    head = {"type": "message_start", "message": START["message"] | {"usage": start}}
    piece = PIECE | {"delta": {"type": "text_delta", "text": number}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": delta}
    rows = (head, BLOCK, piece, {"type": "content_block_stop", "index": 0}, end, STOP)
    return chat(step, body=sse(*rows, named=True))


@pytest.mark.parametrize(
    ("start", "delta", "reason"),
    [
        ({"input_tokens": 20, "output_tokens": 1}, {"output_tokens": 4}, ""),
        # `start_zero` (router-for-me/CLIProxyAPI#747): all numbers at the end are right, and so is the stream
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 20, "output_tokens": 4}, ""),
        # `delta_lost` (envoyproxy/ai-gateway#2290): the input of the start is overwritten with nothing
        ({"input_tokens": 20, "output_tokens": 1}, {"input_tokens": 0, "output_tokens": 4}, "input_zero"),
        # `double_count` (tensorzero/tensorzero#5481): start and end are summed
        ({"input_tokens": 20, "output_tokens": 1}, {"input_tokens": 40, "output_tokens": 5}, "input_mismatch"),
        # `cache_semantics`: what was read from the cache is counted beside an input that includes it
        ({"input_tokens": 20, "output_tokens": 1}, CACHED, "input_mismatch"),
        ({"input_tokens": 4, "output_tokens": 1}, CACHED, ""),
    ],
)
def test_usage_bugs_on_record(start, delta, reason):
    finding, _ = play(usage_parity.SCENARIO, lambda s: messages(s, start, delta), dialect=MESSAGES)
    assert (finding.reason, finding.outcome) == (reason, "fail" if reason else "pass"), finding.detail


def test_the_counts_are_read_as_the_wire_says_them():
    """Else the table above would prove nothing."""
    asked = []

    def answers(step):
        asked.append(messages(step, {"input_tokens": 4, "output_tokens": 1}, CACHED))
        return asked[-1]

    play(usage_parity.SCENARIO, answers, dialect=MESSAGES)
    assert [(usage_of(each).input, usage_of(each).output) for each in asked] == [(20, 4), (20, 4)]
