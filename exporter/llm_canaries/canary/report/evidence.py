"""One exchange as text, for `-v`: what was sent and what came, with secrets and pictures taken out."""

import re
from collections.abc import Callable

from llm_canaries.canary.canary import Run
from llm_canaries.wire.exchange import Exchange, Page, Reasoning
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.thinking import spoken

MOST_CHARACTERS = 2000
_LONG_BASE64 = re.compile(r"[A-Za-z0-9+/]{256,}={0,2}")

Redact = Callable[[str], str]
RedactHeaders = Callable[[Headers], Headers]


def evidence(run: Run, redact: Redact, redact_headers: RedactHeaders) -> str:
    """Every exchange and page of `run`, in order."""
    return "\n".join(
        _exchange(answer, redact, redact_headers) if isinstance(answer, Exchange) else _page(answer, redact)
        for answer in run.answers
    )


def body_text(body: bytes, redact: Redact) -> str:
    """The body as text: pictures shortened, secrets out, cut at a bound."""
    text = body[: 4 * MOST_CHARACTERS * 16].decode("utf-8", "replace")
    text = _LONG_BASE64.sub(lambda found: f"<{len(found[0])} characters of base64>", text)
    shown = redact(text)
    return shown if len(shown) <= MOST_CHARACTERS else f"{shown[:MOST_CHARACTERS]}… ({len(body)} bytes in all)"


def _exchange(exchange: Exchange, redact: Redact, redact_headers: RedactHeaders) -> str:
    send = exchange.send
    lines = [
        f"→ {send.dialect} stream={str(send.stream).lower()} mark={send.mark}",
        _indented(body_text(exchange.sent, redact)),
        f"← {_status(exchange)} in {exchange.duration:.3f} s, {len(exchange.body)} bytes",
        *(_indented(redact(f"{name}: {value}")) for name, value in redact_headers(exchange.headers)),
        _indented(body_text(exchange.body, redact)),
    ]
    if exchange.fault is not None:
        lines.append(f"  fault: {exchange.fault.reason} ({exchange.fault.domain}): {redact(exchange.fault.message)}")
    lines += [f"  objection: {each}" for each in exchange.objections]
    lines += [f"  loss: {loss.where}: {redact(loss.what)}" for loss in exchange.losses]
    if exchange.thinking != Reasoning():
        lines.append(redact(f"  thinking: {_thinking(exchange.thinking)}"))
    lines += [f"  attempt: {a.provider} {a.status} in {a.duration:.3f} s" for a in exchange.attempts]
    return "\n".join(lines)


def _thinking(reasoning: Reasoning) -> str:
    """What of it is known: asked for, asked of the provider, applied."""
    said = (("requested", spoken(reasoning.requested)), ("translated", spoken(reasoning.translated)))
    return ", ".join(f"{name} {words}" for name, words in (*said, ("applied", reasoning.applied or "")) if words)


def _page(page: Page, redact: Redact) -> str:
    head = f"→ GET {page.look.path}\n← {page.status or 'no answer'} in {page.duration:.3f} s, {len(page.body)} bytes"
    return f"{head}\n{_indented(body_text(page.body, redact))}"


def _status(exchange: Exchange) -> str:
    return f"HTTP {exchange.status}" if exchange.status is not None else "no answer"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
