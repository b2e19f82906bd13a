"""Makes the evidence of a run, without secrets and bounded; answers have the room first, asks can be made again."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Run
from llm_canaries.canary.evidence.bodies import Room, moved
from llm_canaries.canary.evidence.judgement import cleaned, decision, plain, said
from llm_canaries.canary.evidence.value import (
    Body,
    Evidence,
    KeptAttempt,
    KeptExchange,
    KeptPage,
    KeptRequest,
    KeptSeen,
    KeptTwin,
)
from llm_canaries.config.secrets import Redactor
from llm_canaries.state.text import storable
from llm_canaries.wire.answer import Received, read_answer
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Attempt, Exchange, Look, Loss, Page, Seen, Send
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.gemini.path import write_path
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.message import ToolCall


def evidence_of(
    run: Run, redact: Redactor, *, program: str, url: str = "", confirmation: bool = False, room: Room | None = None
) -> Evidence:
    """The evidence of `run`, with nothing in it that `redact` takes out; its twins have what room it leaves."""
    room = room or Room(redact)
    params = plain(run.case.params)
    clean = cleaned(params, redact)
    case = replace(run.case, params=clean, profile=_lean(run.case))
    finding = said(run.finding, redact)
    answers = _Keeping(redact, room, digests=clean == params).answers(run)
    return Evidence(
        program=program,
        case=case,
        url=storable(redact(url.partition("?")[0])),
        started=run.started,
        confirmation=confirmation,
        finding=finding,
        judged=said(run.judged or run.finding, redact),
        decision=decision(answers, finding, confirmation=confirmation),
        drawn=tuple(f"{below:x}:{number:x}" for below, number in run.drawn),
        remembered=cleaned(plain(run.remembered), redact),
        answers=answers,
        params_masked=clean != params,
        attributed=run.attributed,
        twins=tuple(
            KeptTwin(
                each.way,
                evidence_of(
                    each.run,
                    redact,
                    program=program,
                    url=url if each.run.case.gateway == run.case.gateway else "",
                    room=room,
                ),
            )
            for each in run.twins
        ),
    )


def digest(step: Send | Look) -> str:
    """What tells `step` from every other one, whatever a dialect makes of it and however it is written down."""
    fields = {name: getattr(step, name) for name in step.__struct_fields__ if name != "profile"}
    if isinstance(fields.get("ask"), bytes):
        fields["ask"] = fields["ask"].decode("utf-8", "backslashreplace")
    text = repr(msgspec.to_builtins(fields, enc_hook=str))
    return sha256(storable(text).encode()).hexdigest()[:16]


class _Keeping:
    """One run's answers becoming evidence."""

    def __init__(self, redact: Redactor, room: Room, *, digests: bool) -> None:
        self._redact, self._room, self._digests = redact, room, digests

    def answers(self, run: Run) -> tuple[KeptExchange | KeptPage, ...]:
        bodies = [self._answered(answer) for answer in run.answers]
        seen = [self._seen(answer) for answer in run.answers]
        numbers = [number for number, count in enumerate(run.steps, 1) for _ in range(count)]
        numbers += [len(numbers) + 1 + at for at in range(len(run.answers) - len(numbers))]  # a run made by hand
        kept: list[KeptExchange | KeptPage] = []
        for number, answer, body, records in zip(numbers, run.answers, bodies, seen, strict=True):
            if isinstance(answer, Page):
                kept.append(self._page(number, answer, body))
            else:
                kept.append(self._exchange(number, answer, body, records))
        return tuple(kept)

    def _page(self, number: int, page: Page, body: Body) -> KeptPage:
        headers = self._headers(page.headers)
        return KeptPage(
            step=number,
            digest=digest(page.look) if self._digests else "",
            via=page.look.via,
            path=self._text(page.look.path),
            status=page.status,
            headers=headers,
            body=body,
            duration=page.duration,
            at=page.at,
            broke=self._fault(page.broke),
            fault=self._fault(page.fault),
            masked=body.masked or headers != page.headers,
        )

    def _exchange(self, number: int, exchange: Exchange, body: Body, seen: tuple[KeptSeen, ...]) -> KeptExchange:
        send, reply, applied = exchange.send, exchange.reply, exchange.thinking.applied
        headers = self._headers(exchange.headers)
        return KeptExchange(
            step=number,
            digest=digest(send) if self._digests else "",
            via=send.via,
            path=self._text(_path_of(send)),
            status=exchange.status,
            headers=headers,
            body=body,
            duration=exchange.duration,
            at=exchange.at,
            broke=self._fault(exchange.broke),
            fault=self._fault(exchange.fault),
            masked=body.masked or headers != exchange.headers,
            dialect=send.dialect,
            stream=send.stream,
            mark=send.mark,
            asked_headers=self._headers(tuple(send.headers.items())),
            attempts=tuple(self._attempt(each) for each in exchange.attempts),
            sent=self._room.keep(exchange.sent),
            broken_off=exchange.cut,
            arrivals=moved(exchange.arrivals, exchange.body, body, self._redact),
            first_content=exchange.first_content,
            model=self._text(reply.model) if reply else "",
            finish=self._text(reply.finish_native or "") if reply else "",
            usage=reply.usage if reply else None,
            objections=exchange.objections,
            quota=exchange.quota,
            losses=tuple(Loss(self._text(loss.where), self._text(loss.what)) for loss in exchange.losses),
            thinking=replace(exchange.thinking, applied=applied and self._text(applied)),
            upstream=seen,
        )

    def _answered(self, answer: Exchange | Page) -> Body:
        """The body that came; one that still says a secret once it is read, word for word, is withheld."""
        body = self._room.keep(answer.body)
        if isinstance(answer, Exchange) and self._leaks(answer):
            got = Received(sent=b"", status=answer.status, headers=answer.headers, body=body.data, fault=answer.broke)
            if self._leaks(read_answer(answer.send, got, answer.at)):
                return Body(size=body.size, cut=body.size, masked=True, withheld=True)
        return body

    def _leaks(self, exchange: Exchange) -> bool:
        return any(self._redact(text) != text for text in _texts(exchange))

    def _attempt(self, attempt: Attempt) -> KeptAttempt:
        request, kept = attempt.request, None
        if request is not None:
            kept = KeptRequest(path=self._text(request.path), body=self._room.keep(request.body))
        return KeptAttempt(
            provider=attempt.provider,
            credential=attempt.credential,
            status=attempt.status,
            duration=attempt.duration,
            reason=str(attempt.reason),
            request=kept,
        )

    def _seen(self, answer: Exchange | Page) -> tuple[KeptSeen, ...]:
        found: Sequence[Seen] = answer.upstream if isinstance(answer, Exchange) else ()
        return tuple(
            KeptSeen(
                dialect=each.dialect,
                model=each.model,
                stream=each.stream,
                path=_seen_path(each),
                body=self._room.keep(each.body),
            )
            for each in found
        )

    def _text(self, text: str) -> str:
        return storable(self._redact(text))

    def _headers(self, headers: Headers) -> Headers:
        return tuple((storable(name), storable(value)) for name, value in self._redact.redact_headers(headers))

    def _fault(self, fault: Fault | None) -> Fault | None:
        if fault is None:
            return None
        levels = tuple(self._text(level) for level in fault.levels)
        return replace(fault, code=self._text(fault.code), message=self._text(fault.message), levels=levels)


def _texts(exchange: Exchange) -> list[str]:
    """The words of an answer as whoever reads it puts them together."""
    reply, fault = exchange.reply, exchange.fault
    texts = [fault.message, fault.code] if fault is not None else []
    if reply is not None:
        texts += [reply.text, "".join(thought.text for thought in reply.thoughts)]
        texts += [text for part in reply.content if isinstance(part, ToolCall) for text in (part.name, part.arguments)]
    return texts


def _path_of(send: Send) -> str:
    if send.path:
        return send.path
    path = DIALECTS[send.dialect].path
    model = send.ask.model if not isinstance(send.ask, bytes) else ""
    return write_path(model, send.stream) if "{" in path else path


def _seen_path(seen: Seen) -> str:
    path = seen.path or DIALECTS[seen.dialect].path
    return write_path(seen.model, seen.stream) if "{" in path else path


def _lean(case: Case) -> Any:
    """The case's profile with the facts of its own model alone: some sixty others say nothing about it."""
    return replace(case.profile, models={"*": case.profile.facts(case.model)})
