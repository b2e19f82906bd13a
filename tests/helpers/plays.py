"""Hand-made exchanges, so that scenarios are tested as scripts: steps out, answers in."""

import json
import random

from llm_canaries.canary.canary import Case, Severity
from llm_canaries.wire.answer import Received, read_answer
from llm_canaries.wire.exchange import Both, Look, Page, Send


def case(scenario, *, dialect="openai_chat", stream=False, model="m", **more):
    """A case with the scenario's default parameters."""
    return Case(
        canary=scenario.name,
        scenario=scenario.name,
        gateway="g",
        model=model,
        dialect=dialect,
        stream=None if scenario.ways == "both" else stream,
        severity=Severity.CRITICAL,
        params=more.pop("params") if "params" in more else scenario.params(),
        **more,
    )


def play(scenario, answers, memory=None, seed=7, **more):
    """The finding of `scenario` when each step is answered by `answers(step)`, and the steps."""
    its = case(scenario, **more)
    draw = random.Random(seed).randrange
    running = scenario.play(its, its.params, draw, memory)
    steps = []
    try:
        step = next(running)
        while True:
            steps.append(step)
            given = tuple(answers(each) for each in step.steps) if isinstance(step, Both) else answers(step)
            step = running.send(given)
    except StopIteration as stop:
        return stop.value, steps


def chat(step, text="", *, status=200, usage=None, finish="stop", model="m", body=None, **message):
    """The exchange of a chat answer, whole or streamed as the step asks."""
    assert isinstance(step, Send)
    if body is None and step.stream:
        body = _stream(text, usage, finish, model, message)
    elif body is None:
        choice = {"index": 0, "message": {"role": "assistant", "content": text} | message, "finish_reason": finish}
        said = {"id": "x", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
        body = json.dumps(said | ({"usage": usage} if usage is not None else {})).encode()
    kind = "text/event-stream" if step.stream and status == 200 else "application/json"
    got = Received(
        sent=b"",
        status=status,
        headers=(("content-type", kind),),
        body=body,
        arrivals=((0.1, len(body)),),
        duration=0.2,
    )
    return read_answer(step, got, 0.0)


def error(step, status, message, code=None):
    """The exchange of an HTTP error in OpenAI's envelope."""
    said = {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": None}}
    return chat(step, status=status, body=json.dumps(said).encode())


def counts(prompt, completion, reasoning=None, total=None):
    """A chat usage."""
    said = {"prompt_tokens": prompt, "completion_tokens": completion}
    said["total_tokens"] = prompt + completion if total is None else total
    return said | ({"completion_tokens_details": {"reasoning_tokens": reasoning}} if reasoning is not None else {})


def models(step, *ids, fault=None):
    """A model list."""
    assert isinstance(step, Look)
    body = json.dumps({"object": "list", "data": [{"id": each, "object": "model"} for each in ids]}).encode()
    return Page(look=step, status=200, headers=(), body=body, fault=fault, duration=0.1)


def prompt(step):
    """The words of the step's first user turn."""
    return step.ask.messages[0].content[0].text


def _stream(text, usage, finish, model, message):
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": model}
    delta = {"role": "assistant", "content": text} | message
    frames = [
        head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        head | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
    ]
    if usage is not None:
        frames.append(head | {"choices": [], "usage": usage})
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in frames) + b"data: [DONE]\n\n"
