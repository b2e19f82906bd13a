"""Evidence as text for people: what was asked, what went on to the provider, what came and when, and the verdict."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from llm_canaries.canary.evidence.value import Body, Evidence, KeptAttempt, KeptExchange, KeptPage, KeptSeen
from llm_canaries.wire.exchange import Reasoning
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.message import Usage
from llm_canaries.wire.thinking import spoken

MOST_CHARACTERS = 2000
MOST_ARRIVALS = 8  # of a stream's pieces that are told one by one, at each end
_LONG_BASE64 = re.compile(r"[A-Za-z0-9+/]{256,}={0,2}")


def evidence_text(evidence: Evidence, number: int = 0) -> str:
    """All of it, but for long bodies, which are shown by their beginning; `number` is the run's, 0 for none."""
    case = evidence.case
    name = f"run {number}: " if number else ""
    where = f"{case.gateway} ({evidence.url})" if evidence.url else case.gateway
    lines = [
        f"{name}{case.canary} at {where}, model {case.model}, {case.dialect}, stream {case.stream_word}",
        f"{moment(evidence.started)}, judged by llm-canaries {evidence.program}",
        ", ".join(f"{name}={value}" for name, value in (case.params or {}).items()),
    ]
    lines += _answers(evidence)
    for twin in evidence.twins:
        lines += ["", f"Twin, {twin.name}, model {twin.run.case.model} (no part of the run, and in no ratio):"]
        lines += [line and f"  {line}" for line in _answers(twin.run)]
        lines += ["", f"  {twin.run.decision[-1]}"]
    lines += ["", "How it was judged:", *(f"  {line}" for line in evidence.decision)]
    return "\n".join(printable(line) for at, line in enumerate(lines) if line or at > 2)


def _answers(evidence: Evidence) -> list[str]:
    lines: list[str] = []
    for answer in evidence.answers:
        lines += ["", *(_exchange(answer) if isinstance(answer, KeptExchange) else _page(answer))]
    return lines


def printable(line: str) -> str:
    """One line for a terminal: what strangers' words could do to it is spelled, not done."""
    return "".join(each if each.isprintable() or each == "\t" else ascii(each)[1:-1] for each in line)


def moment(at: float) -> str:
    """A time in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(at, UTC).isoformat(sep=' ', timespec='milliseconds').removesuffix('+00:00')} UTC"


def body_lines(body: Body) -> list[str]:
    """A body as lines: pictures shortened, cut at a bound, with what is not kept."""
    lines: list[str] = []
    if body.size and not body.withheld:
        text = body.text if body.text is not None else body.data.decode("utf-8", "backslashreplace")
        text = _LONG_BASE64.sub(lambda found: f"<{len(found[0])} characters of base64>", text)
        shown = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}… ({body.size} bytes in all)"
        lines = [f"  {line}" for line in shown.splitlines()]
    return lines + ([f"  [{body.left_out}]"] if body.left_out else [])


def _exchange(exchange: KeptExchange) -> list[str]:
    asked = f"→ {exchange.dialect} stream={str(exchange.stream).lower()} mark={exchange.mark}"
    where = "" if exchange.via == "gateway" else f" via {exchange.via}"
    lines = [
        f"step {exchange.step}, {moment(exchange.at - exchange.duration)}",
        f"{asked} POST {exchange.path}{where}",
        *_headers(exchange.asked_headers),
        *body_lines(exchange.sent),
    ]
    for attempt in exchange.attempts:
        lines += _attempt(attempt, exchange.sent)
    lines += [line for seen in exchange.upstream for line in _seen(seen, exchange)]
    lines.append(f"← {_status(exchange.status)} in {exchange.duration:.3f} s, {exchange.body.size} bytes")
    lines += [*_headers(exchange.headers), *body_lines(exchange.body), *_timings(exchange)]
    if exchange.usage is not None:
        lines.append(f"  usage: {_usage(exchange.usage)}")
    if exchange.model or exchange.finish:
        model, finish = exchange.model or "no named model", exchange.finish or "nothing"
        lines.append(f"  answered by {model}, finished with {finish}")
    if exchange.thinking != Reasoning():
        lines.append(f"  thinking: {_thinking(exchange.thinking)}")
    lines += [f"  loss: {loss.where}: {loss.what}" for loss in exchange.losses]
    lines += [f"  objection: {each}" for each in exchange.objections]
    return lines + _faults(exchange)


def _page(page: KeptPage) -> list[str]:
    return [
        f"step {page.step}, {moment(page.at - page.duration)}",
        f"→ GET {page.path}",
        f"← {_status(page.status)} in {page.duration:.3f} s, {page.body.size} bytes",
        *_headers(page.headers),
        *body_lines(page.body),
        *_faults(page),
    ]


def _attempt(attempt: KeptAttempt, sent: Body) -> list[str]:
    word = f" {attempt.reason}" if attempt.reason else ""
    lines = [
        f"  attempt: {attempt.provider} with {attempt.credential or 'its key'}: {_status(attempt.status)}{word} "
        f"in {attempt.duration:.3f} s"
    ]
    if (request := attempt.request) is not None:
        same = request.body == sent
        lines.append(f"  ⇒ POST {request.path}" + (", the same bytes" if same else f", {request.body.size} bytes"))
        lines += [] if same else [f"  {line}" for line in body_lines(request.body)]
    return lines


def _seen(seen: KeptSeen, exchange: KeptExchange) -> list[str]:
    head = f"  the mirror saw {seen.dialect}, model {seen.model}, stream {str(seen.stream).lower()}"
    known = [exchange.sent, *(each.request.body for each in exchange.attempts if each.request is not None)]
    if seen.body in known:
        return [f"{head}, the same bytes"]
    return [f"{head}, {seen.body.size} bytes", *(f"  {line}" for line in body_lines(seen.body))]


def _timings(exchange: KeptExchange) -> list[str]:
    """When the pieces came; in the middle of many they are counted."""
    pieces = exchange.arrivals
    if not pieces:
        return []
    first = "" if exchange.first_content is None else f", the first content at {exchange.first_content:.3f} s"
    head = f"  came in {len(pieces)} piece{'s' if len(pieces) > 1 else ''}{first}"
    if len(pieces) > 2 * MOST_ARRIVALS:
        left = len(pieces) - 2 * MOST_ARRIVALS
        told = [*_pieces(pieces[:MOST_ARRIVALS]), f"… {left} more …", *_pieces(pieces[-MOST_ARRIVALS:])]
    else:
        told = _pieces(pieces)
    return [f"{head}: {', '.join(told)}"]


def _pieces(pieces: Sequence[tuple[float, int]]) -> list[str]:
    return [f"{end} B by {at:.3f} s" for at, end in pieces]


def _faults(answer: KeptExchange | KeptPage) -> list[str]:
    fault = answer.fault
    return [f"  fault: {fault.reason.value} ({fault.domain.value}): {fault.message}"] if fault is not None else []


def _headers(headers: Headers) -> list[str]:
    return [f"  {name}: {value}" for name, value in headers]


def _usage(usage: Usage) -> str:
    said = [
        f"{name.replace('_', ' ')} {getattr(usage, name)}"
        for name in ("input", "output", "reasoning", "cache_read", "cache_write", "total_reported")
        if getattr(usage, name) is not None
    ]
    said += [f"{name} is no number of tokens" for name in usage.broken]
    return ", ".join(said) or "there, with nothing in it"


def _thinking(reasoning: Reasoning) -> str:
    """What of it is known: asked for, asked of the provider, applied."""
    said = (("requested", spoken(reasoning.requested)), ("translated", spoken(reasoning.translated)))
    return ", ".join(f"{name} {words}" for name, words in (*said, ("applied", reasoning.applied or "")) if words)


def _status(status: int | None) -> str:
    return f"HTTP {status}" if status is not None else "no answer"
