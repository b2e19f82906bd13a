"""What a run came to, in plain values and words without secrets."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

import msgspec
from msgspec import Struct

from llm_canaries.canary.canary import Finding
from llm_canaries.canary.evidence.value import KeptExchange, KeptPage
from llm_canaries.config.secrets import Redactor
from llm_canaries.state.text import storable
from llm_canaries.wire.fault import bracketed


def said(finding: Finding, redact: Redactor) -> Finding:
    """`finding` as it is kept: plain values without secrets; measures that are no numbers are left out."""
    return Finding(
        outcome=finding.outcome,
        reason=str(finding.reason),
        detail=storable(redact(finding.detail)),
        fault_domain=finding.fault_domain,
        measures={name: float(value) for name, value in finding.measures.items() if isfinite(value)},
        memory=cleaned(plain(finding.memory), redact),
        because=tuple(storable(redact(line)) for line in finding.because),
    )


def plain(value: Any) -> Any:
    """A Struct as JSON says it: objects, lists, texts, numbers."""
    return msgspec.json.decode(msgspec.json.encode(value)) if isinstance(value, Struct) else value


def cleaned(value: Any, redact: Redactor) -> Any:
    """Plain values with the secrets taken out of every text and every name."""
    if isinstance(value, str):
        return storable(redact(value))
    if isinstance(value, list):
        return [cleaned(each, redact) for each in value]
    if isinstance(value, dict):
        return {storable(redact(name)): cleaned(each, redact) for name, each in value.items()}
    return value


def decision(answers: Sequence[KeptExchange | KeptPage], finding: Finding, *, confirmation: bool) -> tuple[str, ...]:
    """How the finding came about: what was asked and came, then what decided."""
    lines = [f"step {answer.step}: {_asked(answer)}; {_came(answer)}" for answer in answers]
    lines += finding.because
    if finding.measures:
        lines.append("measured " + ", ".join(f"{name} {value:g}" for name, value in finding.measures.items()))
    if confirmation:
        lines.append("a confirmation: it decides whether the case stands, and enters no ratio")
    domain = bracketed(finding.fault_domain)
    word = f" {finding.reason}{domain}" if finding.reason else ""
    lines.append(f"{finding.outcome.value}{word}" + (f": {finding.detail}" if finding.detail else ""))
    return tuple(lines)


def _asked(answer: KeptExchange | KeptPage) -> str:
    if isinstance(answer, KeptPage):
        return f"read {answer.path}"
    how = "streamed" if answer.stream else "whole"
    where = "" if answer.via == "gateway" else f" ({answer.via})"
    return f"asked in {answer.dialect}, {how}{where}"


def _came(answer: KeptExchange | KeptPage) -> str:
    status = f"HTTP {answer.status}" if answer.status is not None else "no answer"
    if answer.fault is not None:
        return f"{status}, {answer.fault.reason.value}"
    found = answer.objections if isinstance(answer, KeptExchange) else ()
    return f"{status}, {', '.join(found)}" if found else f"{status}, nothing wrong with it by itself"
