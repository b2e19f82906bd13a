"""What is wrong, for people: open incidents that say the same are one trouble."""

from collections.abc import Iterable

from msgspec import Struct

from llm_canaries.alerts.incident import Incident, Level
from llm_canaries.alerts.text import Facts, headline, subject


class Trouble(Struct, frozen=True, kw_only=True):
    """Incidents of one level, headline and reason: what each is about, the oldest's beginning, the newest's facts."""

    level: Level
    headline: str
    alertname: str
    since: float
    subjects: tuple[str, ...]
    facts: Facts


def troubles(found: Iterable[tuple[Incident, Facts]]) -> list[Trouble]:
    """The troubles that incidents are, the critical ones first and among them the newest."""
    alike: dict[tuple[str, ...], list[tuple[Incident, Facts]]] = {}
    for incident, facts in found:
        key = (incident.level, headline(incident), facts.reason, facts.domain)
        alike.setdefault(key, []).append((incident, facts))
    told = [_trouble(each) for each in alike.values()]
    return sorted(told, key=lambda each: (each.level is not Level.CRITICAL, -each.since))


def _trouble(alike: list[tuple[Incident, Facts]]) -> Trouble:
    newest, facts = max(alike, key=lambda each: each[0].changed)
    return Trouble(
        level=newest.level,
        headline=headline(newest),
        alertname=newest.alertname,
        since=min(incident.opened for incident, _ in alike),
        subjects=tuple(sorted(_about(incident, each) for incident, each in alike)),
        facts=facts,
    )


def _about(incident: Incident, facts: Facts) -> str:
    said = subject(incident)
    return f"{said}: {facts.failures} of {facts.runs} runs failed" if facts.runs else said
