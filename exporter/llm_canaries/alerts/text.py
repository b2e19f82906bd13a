"""What a flip says to a person: a title for a lock screen and a plain-text body, both bounded."""

import math
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from llm_canaries.alerts.incident import CLOSING, Flip, Incident, Kind

TITLE: Final = 100  # characters
LINE: Final = 300

_LEAD: Final = {
    Kind.OPENED: "{level}",
    Kind.ESCALATED: "Now {level}",
    Kind.EASED: "Eased to {level}",
    Kind.RESOLVED: "Resolved",
    Kind.REMOVED: "No longer watched",
}


class Facts(Struct, frozen=True, kw_only=True):
    """What the ledger and the last run know of an incident; what is not known is None or empty.

    `lower` is the one-sided 95 % bound of failures ÷ runs; `why` is the evidence that decided the `domain`;
    `first_step` what to do first; `evidence_command` what to type to see the evidence.
    """

    failures: int | None = None
    runs: int | None = None
    lower: float | None = None
    reason: str = ""
    domain: str = ""
    why: str = ""
    first_step: str = ""
    evidence_command: str = ""


def title(flip: Flip) -> str:
    """How bad and what, at most 100 characters."""
    lead = _LEAD[flip.kind].format(level=flip.incident.level.upper())
    return _cut(f"{lead}: {headline(flip.incident)}", TITLE)


def body(flip: Flip, facts: Facts) -> str:
    """Where, how bad and since when, how many, why, what to do first and how to see more: a line each, none empty."""
    incident = flip.incident
    lines = [subject(incident), _since(flip)]
    if flip.kind not in CLOSING:
        lines += [
            incident.annotations.get("description", ""),
            _counted(facts),
            _reason(facts),
            _named("Whose fault", facts.why),
            _named("First", facts.first_step),
            _named("Evidence", facts.evidence_command),
            _named("Runbook", incident.annotations.get("runbook", "")),
        ]
    return "\n".join(line for line in (_cut(each, LINE) for each in lines) if line)


def duration(seconds: float) -> str:
    """A length of time in its two largest units: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    whole = max(0, math.floor(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return _two(minutes // 60, "h", minutes % 60, "min")
    return _two(minutes // (24 * 60), "d", minutes // 60 % 24, "h")


def moment(at: float) -> str:
    """A time of day in UTC, with the date."""
    try:
        return f"{datetime.fromtimestamp(at, tz=UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"  # a clock far off is no reason to say nothing


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def headline(incident: Incident) -> str:
    """The rule's own summary, or the alert and what it is about."""
    return _cut(incident.annotations.get("summary", ""), TITLE) or f"{incident.alertname}, {subject(incident)}"


def subject(incident: Incident) -> str:
    """Which canary, where, with which model, in which dialect; other labels by their names."""
    labels = dict(incident.labels)
    words = [_cut(labels.pop("canary", ""), LINE) or incident.alertname]
    labels.pop("scenario", "")
    if gateway := labels.pop("gateway", ""):
        words.append(f"at {gateway}")
    parts = [" ".join(words)]
    if model := labels.pop("model_id", ""):
        parts.append(f"model {model}")
    if dialect := labels.pop("client_protocol", ""):
        parts.append(dialect)
    if stream := labels.pop("stream", ""):
        parts.append({"true": "streamed", "false": "not streamed"}.get(stream, f"stream {stream}"))
    return ", ".join([*parts, *(f"{name} {value}" for name, value in sorted(labels.items()))])


def _since(flip: Flip) -> str:
    incident = flip.incident
    began, lasted = moment(incident.opened), duration(flip.at - incident.opened)
    if flip.kind is Kind.RESOLVED:
        return f"Resolved after {lasted}; was {incident.level} since {began}."
    if flip.kind is Kind.REMOVED:
        return f"Removed from the configuration while {incident.level}, open since {began}; nothing was found healed."
    before = f", {flip.previous_level} before" if flip.previous_level else ""
    return f"{incident.alertname}: {incident.level.upper()}{before}, since {began} ({lasted})."


def _named(name: str, text: str) -> str:
    line = _cut(text, LINE)
    return f"{name}: {line}" if line else ""


def _counted(facts: Facts) -> str:
    """How many of how many, with the bound that the alert is judged by."""
    if facts.failures is None or not facts.runs:
        return ""
    bound = f"; with 95 % confidence at least {facts.lower:.1%} fail" if facts.lower is not None else ""
    return f"{facts.failures} of {facts.runs} runs failed ({facts.failures / facts.runs:.1%}){bound}."


def _reason(facts: Facts) -> str:
    if not facts.reason:
        return ""
    return f"Reason: {facts.reason}" + (f" (fault domain: {facts.domain})" if facts.domain else "")


def _cut(text: str, limit: int) -> str:
    """One line of printable characters; labels and details come from outside, and a lone surrogate cannot be sent."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
