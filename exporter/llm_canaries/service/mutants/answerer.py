"""A healthy gateway without a network: the mirror's model with a habit, behind the dialects, on a clock of its own."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from llm_canaries.mirror import model
from llm_canaries.mirror.carry import scripted_frames, whole_body
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS
from llm_canaries.mirror.server import PREFIX
from llm_canaries.mirror.tokens import count_part
from llm_canaries.proxy.server.refusal import refusal
from llm_canaries.service.mutants.habits import Temper, lognormal, phrased, pick, reasoning, spelled
from llm_canaries.service.mutants.lawful import lawful
from llm_canaries.wire import message as m
from llm_canaries.wire.answer import Received, read_answer
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Delta, Event, Head, UsageSeen, unfold
from llm_canaries.wire.exchange import Answer, Both, Dialect, Exchange, Look, Page, Seen, Send, Step
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import encode
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.script import Script

_JSON = (("content-type", "application/json"),)
_STREAM = (("content-type", "text/event-stream; charset=utf-8"),)
_SOFT = 1.1  # by how much a healthy model may overrun its budget (protocols.md C1: budgets are soft)
_ROOM = 60  # tokens that a model keeps for its answer under the limit


class Answerer:
    """Answers steps as a healthy gateway would; `temper` is how its model is, `now` Unix time."""

    def __init__(self, temper: Temper, draw: Draw, now: float) -> None:
        self._temper, self._draw, self._now = temper, draw, now
        self._count = 0

    def answer(self, step: Step) -> Answer:
        """What comes back. Raises WireError for an ask that cannot be written."""
        match step:
            case Send():
                return self._exchange(step)
            case Look():
                return self._page(step)
            case Both(steps):
                return tuple(self._exchange(each) if isinstance(each, Send) else self._page(each) for each in steps)

    def _page(self, look: Look) -> Page:
        ids = [f"{PREFIX}{name}" for name, row in MISBEHAVIOURS.items() if row.listed]
        turn = self._draw(len(ids))  # gateways change the order of their lists
        body = DIALECTS["openai_chat"].write_models(m.Models((*ids[turn:], *ids[:turn])))
        return Page(look=look, status=200, headers=_JSON, body=body, fault=None, duration=self._latency())

    def _exchange(self, send: Send) -> Exchange:
        dialect = DIALECTS[send.dialect]
        if isinstance(send.ask, bytes):
            sent, path = send.ask, send.path or dialect.path
        else:
            request = dialect.write_ask(send.ask, send.profile)
            sent, path = request.body, request.path
        ask = dialect.read_ask(sent, path)
        self._now += 1.0
        seen = Seen(dialect=dialect.name, model=ask.model, stream=ask.stream, ask=ask, body=sent)
        if send.script is not None:
            seen = replace(seen, ask=lawful(ask, self._draw))
            received = self._scripted(dialect, ask, sent, send.script)
        else:
            key_known = send.via != "wrong_key"
            received = self._refused(dialect, ask, sent, key_known=key_known) or self._answered(dialect, ask, sent)
        return replace(read_answer(send, received, self._now), upstream=(seen,))

    def _scripted(self, dialect: Dialect, ask: m.Ask, sent: bytes, script: Script) -> Received:
        """What the mirror would answer, passed on as it is."""
        if script.reply is None and script.fault is not None:
            refused = refusal(dialect.name, script.fault)
            assert isinstance(refused.body, bytes)
            headers = tuple(refused.headers.items())
            return Received(sent=sent, status=refused.status, headers=headers, body=refused.body, duration=0.1)
        assert script.reply is not None
        if not ask.stream:
            body = whole_body(dialect, script.reply)
            return Received(
                sent=sent, status=200, headers=_JSON, body=body, arrivals=((0.1, len(body)),), duration=0.1
            )
        body = b"".join(scripted_frames(dialect, script, usage=ask.include_usage))
        return Received(
            sent=sent, status=200, headers=_STREAM, body=body, arrivals=((0.1, len(body)),), duration=0.2
        )

    def _refused(self, dialect: Dialect, ask: m.Ask, sent: bytes, *, key_known: bool) -> Received | None:
        row = MISBEHAVIOURS.get(ask.model.removeprefix(PREFIX))
        if row is None or not key_known:
            fault = Fault(reason=FaultReason.MODEL_NOT_FOUND, message=f"The model `{ask.model}` does not exist")
            if not key_known:
                fault = Fault(reason=FaultReason.AUTH, message="Incorrect API key provided")
            status, body = dialect.write_fault(fault)
            return Received(sent=sent, status=status, headers=_JSON, body=body, duration=self._latency())
        refusal = row.refuse(ask) if row.refuse is not None else None
        if refusal is None:
            return None
        headers = (*_JSON, *refusal.headers.items())
        return Received(
            sent=sent, status=refusal.status, headers=headers, body=encode(refusal.body), duration=self._latency()
        )

    def _answered(self, dialect: Dialect, ask: m.Ask, sent: bytes) -> Received:
        reply = replace(self.reply(ask), dialect=dialect.name)
        usage = reply.usage
        assert usage is not None
        first = self._latency() + (usage.reasoning or 0) / self._temper.habit.pace
        if not ask.stream:
            body = dialect.write_reply(reply).body
            took = first + (usage.output or 0) / self._temper.habit.pace
            came = ((took, len(body)),)
            return Received(sent=sent, status=200, headers=_JSON, body=body, arrivals=came, duration=took)
        body, arrivals = self._streamed(dialect, reply, first, usage=ask.include_usage)
        return Received(
            sent=sent, status=200, headers=_STREAM, body=body, arrivals=arrivals, duration=arrivals[-1][0] + 0.01
        )

    def _latency(self) -> float:
        return lognormal(0.6, 0.5, self._draw)

    def reply(self, ask: m.Ask) -> m.Reply:
        """The mirror's answer as a model of this habit would give it."""
        self._count += 1
        habit, draw = self._temper.habit, self._draw
        read_in_order = replace(_in_order(ask), max_tokens=None)
        whole = model.answer(read_in_order, id=f"sim-{self._count}", created=int(self._now))
        said = self._said(ask, whole)
        spent = self._spent(ask, whole, sum(count_part(part) for part in said))
        visible = max(1, round(sum(count_part(part) for part in said) * (0.8 + draw(50) / 100)))
        read = (whole.usage.input if whole.usage else 0) or 0
        cached = read // 2 if draw(4) == 0 else 0
        usage = m.Usage(
            input=read, output=spent + visible, reasoning=spent, cache_read=cached, cache_write=0,
            total_reported=read + spent + visible,
        )  # fmt: skip
        return replace(
            whole,
            model=f"{ask.model}-2026-01-15" if habit.dated else ask.model,
            content=(*self._thoughts(spent), *said),
            finish=m.Finish.TOOL if any(isinstance(part, m.ToolCall) for part in said) else m.Finish.STOP,
            usage=usage,
            effort=whole.effort if habit.echoes else None,
        )

    def _thoughts(self, spent: int) -> tuple[m.Part, ...]:
        habit = self._temper.habit
        if not spent or not habit.shows:
            return ()
        return (m.Thought("" if habit.sealed else "Let me see.", "c2VhbGVk"),)

    def _spent(self, ask: m.Ask, whole: m.Reply, spoken: int) -> int:
        control = ask.thinking
        median = (whole.usage.reasoning if whole.usage else 0) or 0
        if control is None:
            median = self._temper.habit.unasked
        median = round(median * self._temper.longer)
        if not median:
            return 0
        most = max(0, (ask.max_tokens or 1_000_000) - spoken * 2 - _ROOM)
        if control is not None and control.budget is not None:
            most = min(most, int(control.budget * _SOFT))
        return reasoning(median, most, self._temper, self._draw)

    def _said(self, ask: m.Ask, whole: m.Reply) -> tuple[m.Part, ...]:
        users = [part for each in ask.messages if each.role == "user" for part in each.content]
        prompt = "\n".join(part.text for part in users if isinstance(part, m.Text))
        calls = whole.calls or self._outstanding(ask)
        if not calls:
            return (m.Text(phrased(whole.text, prompt, self._temper, self._draw)),)
        made = [replace(call, arguments=spelled(call.arguments, self._draw)) for call in calls]
        if self._temper.habit.sequential:
            made = made[:1]
        elif self._draw(8) == 0:
            made.reverse()
        words = ("I'll do that now.", "Let me record both codes first.")
        preamble = (m.Text(pick(words, self._draw)),) if self._temper.habit.chatty and self._draw(3) == 0 else ()
        return (*preamble, *made)

    def _outstanding(self, ask: m.Ask) -> Sequence[m.ToolCall]:
        """What a model that calls one tool at a time has still to call, once the first has returned."""
        if not self._temper.habit.sequential or not ask.messages or ask.messages[-1].role != "tool":
            return ()
        opening = model.answer(replace(ask, messages=ask.messages[:1]), id=f"sim-{self._count}", created=0)
        done = [part.name for each in ask.messages for part in each.content if isinstance(part, m.ToolCall)]
        return [call for call in opening.calls if call.name not in done]

    def _streamed(
        self, dialect: Dialect, reply: m.Reply, first: float, *, usage: bool
    ) -> tuple[bytes, tuple[tuple[float, int], ...]]:
        """The stream's bytes and when they came; now and then two events come together, or the line stands still."""
        events = [event for event in self._events(reply) if usage or not isinstance(event, UsageSeen)]
        head = events[0]
        assert isinstance(head, Head)
        writer = dialect.writer(head)
        body, moment, arrivals = bytearray(), first, list[tuple[float, int]]()
        for event in events:
            if not (frame := writer.feed(event)):
                continue
            if isinstance(event, Delta):
                tokens = max(1.0, len(event.text) / 4)
                moment += tokens / lognormal(self._temper.habit.pace, 0.3, self._draw)
                moment += 0.4 if self._draw(200) == 0 else 0.0
            body += frame
            if arrivals and self._draw(6) == 0:
                arrivals.pop()
            arrivals.append((moment, len(body)))
        return bytes(body), tuple(arrivals)

    def _events(self, reply: m.Reply) -> Iterator[Event]:
        low, high = self._temper.habit.chunk
        for event in unfold(reply):
            if isinstance(event, Delta):
                at = 0
                while at < len(event.text):
                    size = low + self._draw(high - low + 1)
                    yield Delta(event.index, event.text[at : at + size])
                    at += size
                continue
            yield event
            if isinstance(event, Head) and reply.usage is not None and reply.dialect == "anthropic_messages":
                read = reply.usage
                yield UsageSeen(m.Usage(input=read.input, output=1, cache_read=read.cache_read))


def _in_order(ask: m.Ask) -> m.Ask:
    """The ask with the calls of each turn in the order of their names: results are told as the prompt wants them."""

    def sorted_(message: m.Message) -> m.Message:
        calls = sorted((part for part in message.content if isinstance(part, m.ToolCall)), key=_name)
        others = [part for part in message.content if not isinstance(part, m.ToolCall)]
        return replace(message, content=(*others, *calls)) if message.role == "assistant" else message

    return replace(ask, messages=tuple(sorted_(message) for message in ask.messages))


def _name(call: m.ToolCall) -> tuple[str, str]:
    return call.name, call.arguments
