"""LiteLLM's own translation, timed inside LiteLLM's interpreter, where bench_core.py runs this file.

Standard input: a line of JSON with the payloads by name, then a line `NAME COUNT` a round. Standard output: a line of
JSON with what becomes of each payload, then a line a round: the seconds of CPU that one call took. Bytes to bytes,
with its own JSON module.
"""

import asyncio
import json
import sys
import time

from litellm.llms.anthropic.pass_through.adapters.transformation import AnthropicAdapter
from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler
from litellm.types.utils import ModelResponse


def translate_ask(body):
    """A Messages request as a chat request."""
    return json.dumps(AnthropicAdapter().translate_completion_input_params(json.loads(body))).encode()


def translate_reply(body):
    """A chat answer as a Messages answer."""
    reply = ModelResponse(**json.loads(body))
    return json.dumps(AnthropicAdapter().translate_completion_output_params(reply)).encode()


def translate_stream(body):
    """A chat stream as a Messages stream."""
    return asyncio.run(stream_of(body))


async def stream_of(body):
    parser = OpenAIChatCompletionStreamingHandler(None, sync_stream=False)

    async def chunks():
        for frame in body.split(b"\n\n"):
            if frame and frame != b"data: [DONE]":
                yield parser.chunk_parser(json.loads(frame[len(b"data: ") :]))

    events = AnthropicAdapter().translate_completion_output_params_streaming(chunks(), model="bench-model")
    return b"".join([event async for event in events])


CALLS = {"10kb": translate_ask, "1mb": translate_ask, "reply": translate_reply, "chunk": translate_stream}


def main():
    payloads = {name: payload.encode() for name, payload in json.loads(sys.stdin.readline()).items()}
    bytes(8 << 20)  # the allocator keeps what is freed, as it does on our side
    print(json.dumps({name: CALLS[name](payload).decode() for name, payload in payloads.items()}), flush=True)
    for line in sys.stdin:
        name, count = line.split()
        call, payload = CALLS[name], payloads[name]
        started = time.process_time()
        for _ in range(int(count)):
            call(payload)
        print((time.process_time() - started) / int(count), flush=True)


main()
