"""Covers canary/scenarios/loopback: every arrow of the core passes, every reason is reached, and lawful ways pass."""

import json
import random
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace
from plays import case
from runs import run

from llm_canaries.canary.canary import Outcome
from llm_canaries.canary.holds import holds_after, may_confirm
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.scenarios.loopback.answers import FAULTS, REPLIES
from llm_canaries.canary.scenarios.loopback.asks import ASKS, PNG, fitting, loop_ask
from llm_canaries.canary.scenarios.loopback.reasons import Reason
from llm_canaries.canary.scenarios.loopback.scenario import SCENARIO, Params, ask_differs
from llm_canaries.config.load import load
from llm_canaries.mirror.server import Mirror, serving
from llm_canaries.service.gate import gate
from llm_canaries.service.mutants.answerer import Answerer
from llm_canaries.service.mutants.habits import HABITS, temper
from llm_canaries.service.mutants.lawful import lawful
from llm_canaries.service.playing import Order
from llm_canaries.service.settings import known, read_settings, shipped
from llm_canaries.wire import message as m
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Exchange, Seen, Send
from llm_canaries.wire.fault import Domain, Fault, FaultReason
from llm_canaries.wire.profile import ModelFacts

PLAIN = Params(asks=("plain",), replies=(), faults=())
KEY = "mk-planted-0123456789"


@pytest.fixture
def unused_port() -> int:
    """A port of loopback at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sound(step: Send, seed: int = 3) -> Exchange:
    """What a healthy gateway answers in front of a mirror that speaks the client's dialect."""
    draw = random.Random(seed).randrange
    answer = Answerer(temper(HABITS[0], draw), draw, 0.0).answer(step)
    assert isinstance(answer, Exchange)
    return answer


def play(answer: Callable[[Send], Exchange], params: Params | None = None, **more):
    params = params or Params()
    its = case(SCENARIO, params=params, model="mirror/healthy", upstream="mirror/healthy", **more)
    running, steps = SCENARIO.play(its, its.params, random.Random(7).randrange, None), []
    try:
        step = next(running)
        while True:
            steps.append(step)
            step = running.send(answer(step))
    except StopIteration as stop:
        return stop.value, steps


def bent(by: Callable[[m.Ask], m.Ask]) -> Callable[[Send], Exchange]:
    """A gateway that sends upstream what `by` makes of an ask."""

    def answer(step: Send) -> Exchange:
        exchange = sound(step)
        (seen,) = exchange.upstream
        return replace(exchange, upstream=(replace(seen, ask=by(step_ask(step)), model=by(step_ask(step)).model),))

    return answer


def step_ask(step: Send) -> m.Ask:
    request = DIALECTS[step.dialect].write_ask(step.ask, step.profile)
    return DIALECTS[step.dialect].read_ask(request.body, request.path)


def replied(by: Callable[[m.Reply], m.Reply]) -> Callable[[Send], Exchange]:
    """A gateway that answers what `by` makes of the mirror's reply."""

    def answer(step: Send) -> Exchange:
        exchange = sound(step)
        return replace(exchange, reply=by(exchange.reply)) if exchange.reply is not None else exchange

    return answer


def parts(kind: type, by: Callable[[m.Part], m.Part | None]) -> Callable[[m.Ask], m.Ask]:
    def bend(part: m.Part) -> m.Part | None:
        if isinstance(part, m.ToolResult):
            part = replace(part, content=tuple(new for each in part.content if (new := bend(each)) is not None))
        return by(part) if isinstance(part, kind) else part

    def ask(ask: m.Ask) -> m.Ask:
        turns = [replace(t, content=tuple(p for e in t.content if (p := bend(e)) is not None)) for t in ask.messages]
        return replace(ask, messages=tuple(turns))

    return ask


def turns(by: Callable[[tuple[m.Message, ...]], tuple[m.Message, ...]]) -> Callable[[m.Ask], m.Ask]:
    return lambda ask: replace(ask, messages=by(ask.messages))


def swapped_images(ask: m.Ask) -> m.Ask:
    pair = {PNG[0]: PNG[1], PNG[1]: PNG[0]}
    return parts(m.Image, lambda image: replace(image, data=pair[image.data]))(ask)


def second_call_first(message: m.Message) -> m.Message:
    calls = [part for part in message.content if isinstance(part, m.ToolCall)]
    rest = tuple(part for part in message.content if not isinstance(part, m.ToolCall))
    return replace(message, content=(*rest, *reversed(calls)))


def tools(by: Callable[[m.Tool], m.Tool]) -> Callable[[m.Ask], m.Ask]:
    return lambda ask: replace(ask, tools=tuple(map(by, ask.tools)))


def loud(message: m.Message) -> m.Message:
    return replace(message, content=(*message.content, m.Text("!"))) if message.role == "user" else message


SYSTEM = m.Message("system", (m.Text("Be nice."),))
UPSTREAM: list[tuple[str, str, Callable[[m.Ask], m.Ask], Domain]] = [
    ("image_lost", "messages[2].results[0].parts[1]: image/png 69 bytes → missing", parts(m.Image, lambda image: None),
     Domain.TRANSLATION),
    ("image_lost", "image/png 69 bytes → image/png 3 bytes", parts(m.Image, lambda image: replace(image, data="AAAA")),
     Domain.TRANSLATION),
    ("image_lost", "image/png 69 bytes (sha256 d97ab539a604) → image/png 69 bytes (sha256 5038b93cb61a)",
     parts(m.Image, lambda image: replace(image, data=image.data.replace("VR42m", "VR42n"))), Domain.TRANSLATION),
    ("image_lost", "image/png 69 bytes (sha256 d97ab539a604) → image/png 69 bytes (no base64)",
     parts(m.Image, lambda image: replace(image, data=image.data.replace("/", "_"))), Domain.TRANSLATION),
    ("image_lost", "→ its base64 as text", parts(m.Image, lambda image: m.Text(image.data)), Domain.TRANSLATION),
    ("image_lost", "→ image/jpeg 69 bytes", parts(m.Image, lambda image: replace(image, media_type="image/jpeg")),
     Domain.TRANSLATION),
    ("document_lost", "application/pdf 77 bytes → missing", parts(m.Document, lambda it: None), Domain.TRANSLATION),
    ("document_lost", "application/pdf 77 bytes → an image of application/pdf 77 bytes",
     parts(m.Document, lambda it: m.Image(data=it.data, media_type=it.media_type)), Domain.TRANSLATION),
    ("document_lost", "→ its base64 in a block `file` that cannot be read", parts(m.Document, lambda it: m.Opaque(
        "openai_chat", {"type": "file", "file": {"filename": "page.pdf", "file_data": it.data}})), Domain.TRANSLATION),
    ("call_lost", "calls[0]: read_page (call_cnry01) → missing", parts(m.ToolCall, lambda call: None),
     Domain.TRANSLATION),
    ("call_lost", "calls[0].name: read_page → read-page",
     parts(m.ToolCall, lambda call: replace(call, name=call.name.replace("_", "-"))), Domain.TRANSLATION),
    ("result_lost", "results[0]: the first page: Größe 🌍 → missing", parts(m.ToolResult, lambda it: None),
     Domain.TRANSLATION),
    ("misbound", "with call_cnry01 → with call_cnry02", swapped_images, Domain.TRANSLATION),
    ("id_changed", "calls[0].id: call_cnry01 → toolu_call_cnry01",
     parts(m.ToolCall | m.ToolResult, lambda it: replace(it, id=f"toolu_{it.id}")), Domain.TRANSLATION),
    ("arguments_changed", '12345678901234567890,', parts(
        m.ToolCall, lambda call: replace(call, arguments=call.arguments.replace("567890", "567000"))),
     Domain.TRANSLATION),
    ("order_changed", "calls: call_cnry01, call_cnry02 → call_cnry02, call_cnry01",
     turns(lambda all: tuple(map(second_call_first, all))), Domain.TRANSLATION),
    ("order_changed", "assistant turn → tool turn", turns(lambda all: tuple(reversed(all))), Domain.TRANSLATION),
    ("tool_lost", "tools.note: a tool → missing", lambda ask: replace(ask, tools=ask.tools[:1]), Domain.TRANSLATION),
    ("tool_changed", "tools.read_page.description: Returns one page", tools(lambda it: replace(it, description="x")),
     Domain.TRANSLATION),
    ("tool_changed", 'schema.properties.form.enum: ["text","image"] → missing',
     tools(lambda it: replace(it, schema=without(it.schema, "enum"))), Domain.TRANSLATION),
    ("tool_added", "tools.search: nothing → a tool",
     lambda ask: replace(ask, tools=(*ask.tools, m.Tool("search", "", {}))), Domain.POLICY),
    ("tool_added", "tools.image_generation: nothing → a tool of the provider's own", lambda ask: replace(
        ask, tools=(*ask.tools, m.Opaque("openai_responses", {"type": "image_generation"}))), Domain.POLICY),
    ("choice_changed", "tool_choice: required → auto", lambda ask: replace(ask, tool_choice=None), Domain.TRANSLATION),
    ("choice_changed", "parallel_tool_calls: false → nothing",
     lambda ask: replace(ask, parallel_tool_calls=None), Domain.TRANSLATION),
    ("system_lost", "→ missing", turns(lambda all: tuple(t for t in all if t.role != "system")), Domain.TRANSLATION),
    ("system_lost", "→ in a user's turn",
     turns(lambda all: tuple(replace(t, role="user") if t.role == "system" else t for t in all)), Domain.TRANSLATION),
    ("system_added", "system: nothing → Be nice.", turns(lambda all: (SYSTEM, *all)), Domain.POLICY),
    ("text_changed", "…th one word. → …th one word.!", turns(lambda all: tuple(map(loud, all))), Domain.TRANSLATION),
    ("text_changed", "assistant turn → missing", turns(lambda all: all[:1]), Domain.TRANSLATION),
    ("text_changed", "nothing → assistant turn: Hm",
     turns(lambda all: (*all, m.Message("assistant", (m.Text("Hm"),)))), Domain.TRANSLATION),
    ("limit_changed", "max_tokens: 64 → 4096", lambda ask: replace(ask, max_tokens=4096), Domain.POLICY),
    ("limit_changed", "max_tokens: 64 → nothing", lambda ask: replace(ask, max_tokens=None), Domain.POLICY),
    ("stop_changed", 'stop: ["END","\\n\\nHuman:"] → nothing', lambda ask: replace(ask, stop=()), Domain.TRANSLATION),
    ("model_changed", "model: mirror/healthy → other", lambda ask: replace(ask, model="other"), Domain.ROUTING),
    ("thinking_changed", "thinking: high → missing", lambda ask: replace(ask, thinking=None), Domain.TRANSLATION),
    ("thinking_changed", "thinking: none → high",
     lambda ask: replace(ask, thinking=ask.thinking and m.Thinking(effort="high")), Domain.TRANSLATION),
]  # fmt: skip


def without(node, key):
    if isinstance(node, dict):
        return {name: without(value, key) for name, value in node.items() if name != key}
    return [without(each, key) for each in node] if isinstance(node, list) else node


def told(value):
    return value[:40] if isinstance(value, str) else ""


@pytest.mark.parametrize(("reason", "words", "by", "domain"), UPSTREAM, ids=told)
def test_what_is_sent_upstream(reason, words, by, domain):
    finding, _ = play(bent(by), Params(replies=(), faults=()), dialect="openai_responses" if "messages[2]" in words
                      or reason == "misbound" else "openai_chat")  # fmt: skip
    assert finding.outcome is Outcome.FAIL
    everything = finding.detail
    if finding.reason != reason:  # of several differences the gravest names the finding
        names = tuple(other for other in Reason if list(Reason).index(other) < list(Reason).index(Reason(reason)))
        finding, _ = play(bent(by), Params(replies=(), faults=(), allowed=names))
    assert (finding.reason, finding.fault_domain) == (reason, domain), finding.detail
    assert words in finding.detail or words in everything, finding.detail


@pytest.mark.parametrize(
    ("reason", "words", "by"),
    [
        ("error_flag_lost", "an error → no error", parts(m.ToolResult, lambda it: replace(it, is_error=None))),
        ("thought_lost", "thought 'I need the first page.' → missing", parts(m.Thought, lambda it: None)),
        ("thought_lost", "I need the first page.", parts(m.Thought, lambda it: replace(it, signature="other"))),
        ("thinking_changed", "1024 tokens → 2048 tokens",
         lambda ask: replace(ask, thinking=ask.thinking and replace(ask.thinking, budget=2048))),
    ],
)  # fmt: skip
def test_what_messages_alone_can_say(reason, words, by):
    finding, _ = play(bent(by), Params(replies=(), faults=()), dialect="anthropic_messages")
    assert (finding.reason, finding.fault_domain) == (reason, Domain.TRANSLATION)
    assert words in finding.detail


USAGE = REPLIES["thinking"].usage
DOWNSTREAM: list[tuple[str, str, Callable[[m.Reply], m.Reply]]] = [
    ("text_changed", "answer.text: Größe", lambda reply: replace(reply, content=(m.Text("?"), *reply.calls))),
    ("call_lost", "answer.calls[0]: read_page (call_loop01) → missing",
     lambda reply: replace(reply, content=tuple(p for p in reply.content if not isinstance(p, m.ToolCall)))),
    ("id_changed", "answer.calls[0].id: call_loop01 → x", lambda reply: replace(reply, content=tuple(
        replace(p, id="x") if isinstance(p, m.ToolCall) else p for p in reply.content))),
    ("arguments_changed", 'answer.calls[0].arguments: {"page":123', lambda reply: replace(reply, content=tuple(
        replace(p, arguments="{}") if isinstance(p, m.ToolCall) else p for p in reply.content))),
    ("order_changed", "answer.calls: call_loop01, call_loop02 → call_loop02, call_loop01",
     lambda reply: replace(reply, content=reply.content[:1] + reply.content[:0:-1])),
    ("thought_lost", "answer.thoughts: First I count, then I add. → missing",
     lambda reply: replace(reply, content=tuple(p for p in reply.content if not isinstance(p, m.Thought)))),
    ("finish_changed", "answer.finish: length (length) → stop (length)",
     lambda reply: replace(reply, finish=m.Finish.STOP if reply.finish is m.Finish.LENGTH else reply.finish)),
    ("usage_changed", "answer.usage.input: 1234 → nothing", lambda reply: replace(reply, usage=None)),
    ("reasoning_estimated", "thinking: answer.usage.reasoning: 300 → 7; uncounted: answer.usage.reasoning: nothing → 7",
     lambda reply: replace(reply, usage=replace(reply.usage, reasoning=7)) if reply.thoughts else reply),
    ("reasoning_estimated", "text: answer.usage.reasoning: nothing → 9",
     lambda reply: replace(reply, usage=replace(reply.usage, reasoning=9)) if "Größe" in reply.text else reply),
    ("usage_changed", "answer.usage.reasoning: 300 → 27",  # more than its words can be
     lambda reply: replace(reply, usage=replace(reply.usage, reasoning=27)) if reply.usage.cache_read else reply),
    ("usage_changed", "answer.usage.cache_read: 1500 → 0",
     lambda reply: replace(reply, usage=replace(reply.usage, cache_read=0))),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "words", "by"), DOWNSTREAM)
def test_what_the_client_gets(reason, words, by):
    finding, _ = play(replied(by), Params(asks=("plain",), faults=()))
    assert (finding.reason, finding.fault_domain) == (reason, Domain.TRANSLATION)
    assert words in finding.detail


def test_calls_without_ids_are_told_apart_by_what_they_say():
    def mixed(reply: m.Reply) -> m.Reply:
        text, *calls = reply.content
        return replace(reply, content=(text, *calls[::-1])) if calls else reply

    only = Params(asks=("plain",), replies=("calls",), faults=())
    finding, _ = play(replied(mixed), only, dialect="gemini")
    assert finding.reason == "order_changed"
    assert finding.detail.startswith('calls: answer.calls: read_page {"page":1234')
    finding, _ = play(replied(lambda it: replace(it, content=it.content[:1] + it.content[2:])), only, dialect="gemini")
    assert finding.reason == "call_lost"
    assert finding.detail.startswith('calls: answer.calls[0]: read_page {"page":1234')
    assert finding.detail.endswith(" → missing")


def test_the_one_word_that_gemini_has_is_no_other_end_where_it_comes_before_the_calls():
    """As in the first chunk of CLIProxyAPI's streams; that it comes too early is unlawful, and told as that."""

    def early(reply: m.Reply) -> m.Reply:
        return replace(reply, finish=m.Finish.STOP) if reply.finish is m.Finish.TOOL else reply

    only = Params(asks=("plain",), replies=("calls", "no_arguments"), faults=())
    assert play(replied(early), only, dialect="gemini")[0].outcome is Outcome.PASS


def gemini_seen(by: Callable[[bytes], bytes]) -> Callable[[Send], Exchange]:
    """A gateway that sends a Gemini provider what `by` makes of our own request."""

    def answer(step: Send) -> Exchange:
        request = DIALECTS["gemini"].write_ask(step_ask(step), step.profile)
        ask = DIALECTS["gemini"].read_ask(by(request.body), request.path)
        seen = Seen(dialect="gemini", model=ask.model, stream=False, ask=ask, body=request.body)
        return replace(sound(step), upstream=(seen,))

    return answer


def test_a_result_that_is_named_after_its_call_is_bound_to_none():
    """As CLIProxyAPI sends what Messages clients say: without ids, and the id where the function's name is due."""

    def nameless(body: bytes) -> bytes:
        said = without(json.loads(body), "id")
        for content in said["contents"]:
            for part, id in zip(content["parts"], ("call_cnry01", "call_cnry02"), strict=False):
                if "functionResponse" in part:
                    part["functionResponse"]["name"] = id
        return json.dumps(said).encode()

    finding, _ = play(
        gemini_seen(nameless), Params(asks=("plain", "calls"), replies=(), faults=()), dialect="anthropic_messages"
    )
    assert finding.reason == "id_changed"
    assert finding.detail == (
        "calls: messages[2].results[0].name: read_page → call_cnry01; "
        "calls: messages[2].results[1].name: note → call_cnry02"
    )


def test_an_enum_in_words_beside_itself_is_no_change():
    def hinted(words: str) -> Callable[[m.Ask], m.Ask]:
        def bend(tool: m.Tool) -> m.Tool:
            schema = json.loads(json.dumps(tool.schema))
            if form := schema["properties"].get("form"):
                form["description"] = words
            return replace(tool, schema=schema)

        return tools(bend)

    only = Params(asks=("plain", "tools"), replies=(), faults=())
    assert play(bent(hinted("Allowed: text, image")), only)[0].outcome is Outcome.PASS
    finding, _ = play(bent(hinted("Allowed: text")), only)
    assert finding.detail == "tools: tools.read_page.schema.properties.form.description: nothing → Allowed: text"


def test_an_error_in_a_results_own_words_is_still_told():
    def worded(part: m.ToolResult) -> m.ToolResult:
        (text,) = part.content
        said = json.dumps({"error" if part.is_error else "output": text.text}, ensure_ascii=False)
        return replace(part, content=(m.Text(said),), is_error=None)

    only = Params(asks=("plain", "calls"), replies=(), faults=())
    finding, _ = play(bent(parts(m.ToolResult, worded)), only, dialect="gemini")
    assert finding.outcome is Outcome.PASS, finding.detail


def test_a_stream_out_of_its_laws():
    def answer(step: Send) -> Exchange:
        exchange = sound(step)
        return replace(exchange, body=exchange.body.replace(b"data: [DONE]\n\n", b""))

    finding, _ = play(answer, Params(asks=("plain",), faults=()), stream=True)
    assert finding.reason == "stream_unlawful"
    assert "stream.no_terminal: a lawful stream → no [DONE]" in finding.detail


def faulty(name: str, answered: Callable[[Exchange], Exchange]) -> Callable[[Send], Exchange]:
    """A gateway that is sound but for what it makes of the fault `name`."""

    def answer(step: Send) -> Exchange:
        exchange = sound(step)
        script, wanted = step.script, FAULTS[name].script
        same = script is not None and script.fault == wanted.fault and script.after == wanted.after
        return answered(exchange) if same else exchange

    return answer


def well(exchange: Exchange) -> Exchange:
    fine = sound(replace(exchange.send, script=None))
    return replace(fine, upstream=exchange.upstream, send=exchange.send)


def turned(reason: FaultReason, status: int) -> Callable[[Exchange], Exchange]:
    return lambda exchange: replace(
        exchange, status=status, fault=replace(exchange.fault, reason=reason, status=status, retry_after=None)
    )


@pytest.mark.parametrize(
    ("name", "answered", "reason"),
    [
        ("bad_request", well, "fault_hidden"),
        ("rate_limited", well, "fault_hidden"),
        ("stream_error", well, "fault_hidden"),
        ("stream_cut", well, "cut_hidden"),
        ("server_error", turned(FaultReason.ERROR_IN_200, 200), "fault_hidden"),
        ("bad_request", turned(FaultReason.UPSTREAM_ERROR, 500), "fault_changed"),
        ("overloaded", turned(FaultReason.RATE_LIMITED, 429), "fault_changed"),
        ("unauthorized", turned(FaultReason.MODEL_NOT_FOUND, 404), "fault_changed"),
        ("rate_limited", turned(FaultReason.RATE_LIMITED, 429), "retry_after_lost"),
        ("unauthorized", turned(FaultReason.NO_CREDENTIAL, 503), None),
        ("server_error", turned(FaultReason.OVERLOADED, 503), None),
        ("rate_limited", lambda exchange: replace(
            exchange, fault=replace(exchange.fault, reason=FaultReason.COOLDOWN, retry_after=60.0)), None),
    ],
)  # fmt: skip
def test_faults(name, answered, reason):
    finding, _ = play(faulty(name, answered), Params(asks=("plain",), replies=()), stream=True)
    assert finding.reason == (reason or ""), finding.detail


def test_a_reply_that_becomes_an_error():
    def answer(step: Send) -> Exchange:
        exchange = sound(step)
        text = exchange.reply is not None and "Größe" in exchange.reply.text
        return replace(exchange, body=b"<html>", reply=None, fault=turned_fault()) if text else exchange

    finding, _ = play(answer, Params(asks=("plain",), faults=()))
    assert finding.reason == "reply_lost"
    assert finding.detail == "text: answer: a reply → HTTP 200 html (a page)"


def turned_fault():
    return sound_fault(FaultReason.HTML, 200, "a page")


def sound_fault(reason, status, message):
    return Fault(reason=reason, status=status, message=message)


def unseen(exchange: Exchange, fault=None) -> Exchange:
    return replace(exchange, upstream=(), fault=fault, reply=None if fault is not None else exchange.reply)


def test_an_answer_that_did_not_come_from_the_mirror():
    finding, steps = play(lambda step: unseen(sound(step)))
    assert (finding.reason, finding.fault_domain, len(steps)) == ("not_looped", Domain.ROUTING, 1)
    assert "plain: answered by" in finding.detail


def test_a_model_that_the_gateway_does_not_have():
    finding, _ = play(lambda step: unseen(sound(step), sound_fault(FaultReason.MODEL_NOT_FOUND, 404, "no such")))
    assert (finding.outcome, finding.reason) == (Outcome.FAIL, "model_not_found")
    assert finding.detail == "plain was refused before the mirror: HTTP 404: no such"


@pytest.mark.parametrize("reason", [FaultReason.COOLDOWN, FaultReason.NO_CREDENTIAL, FaultReason.RATE_LIMITED])
def test_a_gateway_that_is_still_cooling_down_decides_nothing(reason):
    finding, steps = play(lambda step: unseen(sound(step), sound_fault(reason, 503, "cooling down")))
    assert (finding.outcome, finding.reason, len(steps)) == (Outcome.INCONCLUSIVE, "cooling", 1)


def test_an_ask_that_the_gateway_refuses_by_itself_fails_and_the_others_are_tried():
    def answer(step: Send) -> Exchange:
        exchange = sound(step)
        pictures = any(isinstance(p, m.Image) for turn in step.ask.messages for p in turn.content)
        return unseen(exchange, sound_fault(FaultReason.BAD_REQUEST, 400, "no images")) if pictures else exchange

    finding, steps = play(answer)
    assert (finding.outcome, finding.reason) == (Outcome.FAIL, "bad_request")
    assert "user_images was refused before the mirror: HTTP 400: no images" in finding.detail
    assert len(steps) > 20


def test_faults_end_where_the_gateway_sets_the_mirror_aside():
    """After a scripted 429 it answers by itself, as CLIProxyAPI does: nothing is known, and nothing is wrong."""
    cooling = []

    def answer(step: Send) -> Exchange:
        exchange = sound(step)
        if cooling:
            return unseen(exchange, sound_fault(FaultReason.COOLDOWN, 429, "cooling down"))
        if exchange.status == 429:
            cooling.append(True)
        return exchange

    finding, _ = play(answer)
    assert finding.outcome is Outcome.PASS
    assert finding.detail == (
        "not tried, for the gateway is cooling down: overloaded, server_error, unauthorized"
    )


def test_those_that_cool_come_last_and_can_be_left_out():
    cools = [trial.cools for trial in FAULTS.values()]
    assert cools == sorted(cools)
    _, steps = play(sound, Params(asks=("plain",), replies=(), faults=("bad_request",)), stream=True)
    assert [step.script.fault.status for step in steps if step.script.fault] == [400]


def test_what_is_meant_is_allowed():
    finding, _ = play(bent(turns(lambda all: (SYSTEM, *all))), replace(PLAIN, allowed=(Reason.SYSTEM_ADDED,)))
    assert finding.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"asks": ("plain", "other")}, "asks has no other; allowed: plain, system"),
        ({"replies": ("other",)}, "replies has no other; allowed: text"),
        ({"faults": ("other",)}, "faults has no other; allowed: bad_request"),
        ({"asks": ("tools",)}, "asks has no plain, which tells whether the mirror is behind"),
    ],
)
def test_params_that_are_none(params, words):
    with pytest.raises(ValueError, match=words):
        Params(**params)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_ask_fits_somewhere_and_facts_leave_out_what_cannot_be_asked(dialect):
    plain = case(SCENARIO, dialect=dialect)
    names = fitting(plain, tuple(ASKS))
    assert set(ASKS) - set(names) == (set() if dialect == "anthropic_messages" else {"thoughts"})
    blind = fitting(replace(plain, facts=ModelFacts(vision=False, thinking=False)), tuple(ASKS))
    assert not {"user_images", "result_images", "thinking_high", "thinking_off", "thoughts"} & set(blind)
    marks = {loop_ask(plain, name, "cnry-abcdefghij").messages[0].role for name in names}
    assert marks <= {"user", "system"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_lawful_way_to_arrange_an_ask_passes(dialect, stream):
    for seed in range(12):
        finding, _ = play(lambda step, seed=seed: sound(step, seed), dialect=dialect, stream=stream)
        assert finding.outcome is Outcome.PASS, finding.detail


@pytest.mark.parametrize("upstream", DIALECTS)
@pytest.mark.parametrize("client", DIALECTS)
def test_what_another_dialect_cannot_say_is_no_loss(client, upstream):
    """Each ask, as it would be written in the other dialect, arranged lawfully a few times over."""
    its = case(SCENARIO, dialect=client, model="mirror/healthy")
    for name in fitting(its, tuple(ASKS)):
        step = Send(ask=loop_ask(its, name, "cnry-abcdefghij"), dialect=client)
        request = DIALECTS[upstream].write_ask(step_ask(step), step.profile)
        came = DIALECTS[upstream].read_ask(request.body, request.path)
        for seed in range(5):
            ask = lawful(came, random.Random(seed).randrange)
            seen = Seen(dialect=upstream, model=ask.model, stream=False, ask=ask, body=request.body)
            exchange = replace(sound(step), upstream=(seen,))
            assert [str(each) for each in ask_differs(exchange, "mirror/healthy")] == []


ARROWS = """
gateways:
  core:
    kind: embedded
    models: [m]
    providers: {{mirror: {{url: "http://127.0.0.1:{port}", api_key: "${{KEY}}", dialects: [{upstream}]}}}}
    loopback: {{model: mirror/healthy, upstream: mirror/healthy}}
mirror: {{listen: "127.0.0.1:{port}", key: "${{KEY}}"}}
canaries: [{{use: loopback}}]
"""


async def runs_of(text, clock, draw, **wanted):
    definitions, _ = shipped()
    config = load(text, known(definitions), file="t", environ={"KEY": KEY}, read_file=str)
    found = cases(config, read_settings(None, {}).binding, Wanted(**wanted))
    order = Order(config=config, cases=found)
    return await gate(order, clock=clock, draw=draw, redact=str, report=lambda run: None)


@pytest.mark.parametrize("upstream", DIALECTS)
async def test_our_own_core_passes_in_every_arrow(upstream, clock, draw, unused_port):
    runs = await runs_of(ARROWS.format(port=unused_port, upstream=upstream), clock, draw)
    assert len(runs) == 8
    assert {(run.case.dialect, run.case.stream) for run in runs} == {(d, s) for d in DIALECTS for s in (False, True)}
    assert [run.finding.detail for run in runs if run.finding.outcome is not Outcome.PASS] == []
    looped = [exchange for run in runs for exchange in run.exchanges]
    assert {exchange.upstream[-1].dialect for exchange in looped} == {upstream}
    assert KEY not in repr(looped[0].upstream)


async def test_a_mirror_that_is_gone_decides_nothing(clock, draw, unused_port):
    text = ARROWS.format(port=unused_port, upstream="openai_chat").replace("listen: ", "url: http://")
    text = text.replace(f'http://"127.0.0.1:{unused_port}"', f'"http://127.0.0.1:{unused_port}"')
    runs = await runs_of(text, clock, draw)
    assert {(run.finding.outcome, run.finding.reason) for run in runs} == {(Outcome.INCONCLUSIVE, "mirror_gone")}


async def test_a_wrong_key_decides_nothing(clock, draw, unused_port):
    async with serving(Mirror(clock, "another-key"), "127.0.0.1", unused_port):
        with pytest.raises(OSError, match=r"cannot be listened at .*; the mirror at .* does not take the key"):
            await runs_of(ARROWS.format(port=unused_port, upstream="gemini"), clock, draw)


async def test_the_mirror_that_is_there_already_is_used(clock, draw, unused_port):
    async with serving(Mirror(clock, KEY), "127.0.0.1", unused_port):
        text = ARROWS.format(port=unused_port, upstream="openai_responses")
        runs = await runs_of(text.replace("[{use: loopback}]", "[{use: loopback, stream: [true]}]"), clock, draw)
    assert [run.finding.detail for run in runs if run.finding.outcome is not Outcome.PASS] == []


async def test_something_else_at_the_mirrors_address_is_told(clock, draw):
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(TestServer(web.Application()))
        with pytest.raises(OSError, match="is no mirror"):
            await runs_of(ARROWS.format(port=other.port, upstream="gemini"), clock, draw)


def test_a_gateway_without_loopback_has_no_such_case():
    definitions, _ = shipped()
    text = "gateways: {a: {kind: openai-compatible, url: 'http://127.0.0.1:1', models: [m]}}\n"
    config = load(text, known(definitions), file="t", environ={}, read_file=str)
    assert not [each for each in cases(config, read_settings(None, {}).binding, Wanted()) if each.canary == "loopback"]


def test_every_door_is_tried_in_every_dialect():
    text = """
        gateways:
          home:
            kind: openai-compatible
            url: http://h
            dialects: [openai_chat, gemini]
            models: [m]
            loopback: {model: loop/chat, upstream: mirror/healthy, doors: {gemini: loop/gemini}}
        mirror: {url: http://h, key: "${KEY}"}
        """
    definitions, _ = shipped()
    config = load(text, known(definitions), file="t", environ={"KEY": KEY}, read_file=str)
    found = cases(config, read_settings(None, {}).binding, Wanted(canaries=("loopback",)))
    assert {(each.model, each.dialect, each.mirror, each.upstream) for each in found} == {
        (model, dialect, "loopback", "mirror/healthy")
        for model in ("loop/chat", "loop/gemini")
        for dialect in ("openai_chat", "gemini")
    }
    assert {each.every for each in found} == {2 * 3600.0}, "two doors ask no more in a day than one"
    asked = text + "canaries: [{use: loopback, every: 1h}, {use: known-good}]"
    config = load(asked, known(definitions), file="t", environ={"KEY": KEY}, read_file=str)
    found = cases(config, read_settings(None, {}).binding, Wanted())
    assert {(each.canary, each.every) for each in found} == {("loopback", 3600.0), ("known-good", 600.0)}


def test_the_embedded_default_has_one_by_nature():
    settings = read_settings(None, {})
    found = cases(settings.config, settings.binding, Wanted(canaries=("loopback",)))
    assert {(each.model, each.upstream) for each in found} == {("mirror/healthy", "mirror/healthy")}
    assert len(found) == 8
    assert cases(settings.config, settings.binding, Wanted(canaries=("loopback",), models=("mirror/drop-image",))) == []


def test_what_the_user_says_of_the_model_reaches_the_case():
    definitions, _ = shipped()
    text = """
gateways:
  a: {kind: openai-compatible, url: 'http://127.0.0.1:1', models: [m], loopback: {model: l, upstream: u, vision: false}}
mirror: {url: 'http://127.0.0.1:2', key: k-0123}
"""
    config = load(text, known(definitions), file="t", environ={}, read_file=str)
    found = cases(config, read_settings(None, {}).binding, Wanted(canaries=("loopback",)))
    assert {(each.model, each.upstream, each.facts.vision, each.dialect) for each in found} == {
        ("l", "u", False, "openai_chat"),
        ("l", "u", False, "anthropic_messages"),
    }


def test_every_reason_is_reached():
    told = {row[0] for row in UPSTREAM} | {row[0] for row in DOWNSTREAM}
    here = {
        "error_flag_lost", "thought_lost", "stream_unlawful", "fault_hidden", "cut_hidden", "fault_changed",
        "retry_after_lost", "reply_lost", "not_looped", "cooling",
    }  # fmt: skip
    assert told | here == {reason.value for reason in Reason}


def test_a_scripted_fault_holds_nothing_back():
    exchanges = [sound(step) for step in play(sound, stream=True)[1]]
    its = run("pass", answers=exchanges)
    assert any(exchange.fault is not None for exchange in its.exchanges)
    assert holds_after(its, 0.0) == [] and may_confirm(its)
    assert its.tokens == {}
