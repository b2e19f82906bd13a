"""The bodies that benches send and get; the same for everyone who is measured."""

import base64
import random

import msgspec

MODEL = "bench-model"
WORDS = "The digits on the screen are 4071."


def _json(value):
    return msgspec.json.encode(value)


def messages_ask(size):
    """A Messages request: a tool call and its result with an image of `size` bytes."""
    data = base64.b64encode(random.Random(1).randbytes(size)).decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    call = {"type": "tool_use", "id": "toolu_01", "name": "screenshot", "input": {"region": "all"}}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_01",
        "content": [{"type": "text", "text": "The screen as it is."}, image],
    }
    schema = {"type": "object", "properties": {"region": {"type": "string"}}, "required": ["region"]}
    messages = [
        {"role": "user", "content": "Which digits are on the screen?"},
        {"role": "assistant", "content": [{"type": "text", "text": "I take a picture of it."}, call]},
        {"role": "user", "content": [result]},
    ]
    tools = [{"name": "screenshot", "description": "Takes a picture of the screen.", "input_schema": schema}]
    return _json({"model": MODEL, "max_tokens": 64, "tools": tools, "messages": messages})


USAGE = {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30}

CHAT_REPLY = _json(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1700000000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": WORDS},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
)

TALK = [{"role": "user", "content": "Which digits are on the screen? Answer in one sentence."}]
CHAT_ASK = _json({"model": MODEL, "max_tokens": 64, "messages": TALK})
MESSAGES_ASK = _json({"model": MODEL, "max_tokens": 64, "messages": TALK})


def chat_stream(chunks):
    """A chat stream of so many pieces of text, frame by frame, from the role to [DONE]."""

    def frame(delta, finish=None, **more):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1700000000, "model": MODEL}
        return b"data: " + _json(head | {"choices": [choice]} | more) + b"\n\n"

    first = frame({"role": "assistant", "content": ""})
    pieces = [frame({"content": f"word{number} "}) for number in range(chunks)]
    return [first, *pieces, frame({}, "stop"), frame({}, usage=USAGE), b"data: [DONE]\n\n"]
