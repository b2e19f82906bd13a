"""The numbers for people: one plain page, and the same as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import jinja2

from llm_canaries.alerts.incident import Incident
from llm_canaries.alerts.text import Facts
from llm_canaries.canary.ledger import WINDOWS, Ledger
from llm_canaries.service.app import Sidecar
from llm_canaries.service.troubles import Trouble, troubles

_ORDER = {"fail": 0, "inconclusive": 1, None: 2, "skip": 3, "pass": 4}
_NOTHING = {True: "Nothing.", False: "Rules are evaluated elsewhere: the alerts are there."}


def index_page(
    sidecar: Sidecar, incidents: list[tuple[Incident, Facts]] | None, pending: int, now: float
) -> str:
    """The page; every stranger's word is escaped. `incidents` None: rules are evaluated elsewhere."""
    environment = jinja2.Environment(autoescape=True)
    template = (files("llm_canaries.service") / "web" / "index.html").read_text(encoding="utf-8")
    rows = sorted(cases_json(sidecar, now), key=lambda row: _ORDER.get(row["verdict"], 2))
    return environment.from_string(template).render(
        summary=summary(rows),
        failing=sum(row["verdict"] == "fail" for row in rows),
        cases=[row | _shown(row) for row in rows],
        troubles=[_told(each) for each in troubles(incidents or ())],
        nothing=_NOTHING[incidents is not None],
        pending=pending,
    )


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many cases are how, the worst first; what is held is not known, whatever it was."""
    kinds = Counter("held" if row["held"] and row["verdict"] != "fail" else row["verdict"] for row in rows)
    words = {
        "fail": "failing", "inconclusive": "undecided", "held": "held", None: "not run yet", "skip": "skipped",
        "pass": "well",
    }  # fmt: skip
    told = [f"{kinds[kind]} {word}" for kind, word in words.items() if kinds[kind]]
    cases = f"{len(rows)} case{'s' if len(rows) != 1 else ''}"
    return f"{', '.join(told) if set(kinds) - {'pass'} else 'All well'}: {cases}"


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "latency": seconds(row["latency_seconds"]),
        "when": "" if row["last_run"] is None else clock_time(row["last_run"]),
        "held": ", ".join(f"{reason} until {clock_time(until)}" for reason, until in row["held"].items()),
        "failures": row["windows"]["recent"]["failures"],
        "runs": row["windows"]["recent"]["runs"],
    }


def _told(trouble: Trouble) -> dict[str, Any]:
    return {
        "level": trouble.level.value,
        "headline": trouble.headline,
        "alertname": trouble.alertname,
        "since": clock_time(trouble.since),
        "subjects": trouble.subjects,
        "reason": trouble.facts.reason,
        "domain": trouble.facts.domain,
        "why": trouble.facts.why,
        "first_step": trouble.facts.first_step,
        "evidence": trouble.facts.evidence_command,
    }


def cases_json(sidecar: Sidecar, now: float) -> list[dict[str, Any]]:
    """Every case with its last verdict, holds and windows; what is not known is null."""
    if sidecar.plant is None:
        return []
    rows, redact = [], sidecar.plant.settings.redactor
    for key, case in sidecar.plant.cases.items():
        ledger = sidecar.ledgers.get(key) or Ledger()
        number, run = sidecar.last_runs.get(key, (None, None))
        if (finding := run.finding if run else None) is None and ledger.success is False:  # it failed before a restart
            number, finding = sidecar.last_failures.get(key, (None, None))
        held = sidecar.held(case, now)
        rows.append(
            {
                "canary": case.canary,
                "scenario": case.scenario,
                "gateway": case.gateway,
                "model": case.model,
                "dialect": case.dialect,
                "stream": case.stream_word,
                "severity": case.severity.value,
                "priority": case.priority.value,
                "verdict": finding.outcome.value if finding else _stored(ledger),
                "reason": str(finding.reason) if finding else "",
                "detail": redact(finding.detail) if finding else "",
                "fault_domain": finding.fault_domain if finding else None,
                "because": [redact(each) for each in finding.because] if finding else [],
                "failures_in_a_row": ledger.failures_in_a_row,
                "latency_seconds": run.latency if run else None,
                "run": number or None,
                "last_run": run.started if run else ledger.last_decided,
                "held": {reason.value: until for reason, until in held.items()},
                "windows": {name: _window(ledger, name, now) for name in WINDOWS},
            }
        )
    return rows


def clock_time(at: float) -> str:
    """`at` as a UTC time of day, with the date where it is not obvious from it."""
    return datetime.fromtimestamp(at, UTC).strftime("%m-%d %H:%M:%S")


def seconds(value: float | None) -> str:
    """A duration for people; nothing for none."""
    if value is None:
        return ""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _stored(ledger: Ledger) -> str | None:
    if ledger.success is None:
        return None
    return "pass" if ledger.success else "fail"


def _window(ledger: Ledger, name: str, now: float) -> dict[str, float | int | None]:
    tally = ledger.tally(name, now)
    return {"failures": tally.failures, "runs": tally.runs, "ratio": tally.ratio, "lower": tally.lower}
