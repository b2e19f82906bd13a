"""service/troubles.py and page.py: what the page says is wrong, and in which order."""

from llm_canaries.alerts.incident import Incident, Level
from llm_canaries.alerts.text import Facts
from llm_canaries.service.page import summary
from llm_canaries.service.troubles import troubles


def incident(level="critical", opened=100.0, summary="images fail at home", **labels):
    labels = {"canary": "image", "gateway": "home", "model_id": "m", **labels}
    notes = {"summary": summary} if summary else {}
    return Incident(
        key=str(labels), alertname="ImageFailing", labels=labels, level=Level(level), opened=opened, changed=opened,
        annotations=notes,
    )  # fmt: skip


def facts(reason="dropped_silent", failures=3, number=7):
    command = f"canaries evidence {number}"
    return Facts(failures=failures, runs=20, reason=reason, domain="translation", evidence_command=command)


def test_incidents_that_say_the_same_are_one_trouble():
    streamed, whole = incident(stream="true", opened=200.0), incident(stream="false")
    (trouble,) = troubles([(whole, facts(failures=5, number=6)), (streamed, facts())])
    assert trouble.subjects == (
        "image at home, model m, not streamed: 5 of 20 runs failed",
        "image at home, model m, streamed: 3 of 20 runs failed",
    )
    assert (trouble.since, trouble.facts.evidence_command) == (100.0, "canaries evidence 7")


def test_another_reason_level_or_headline_is_another_trouble():
    found = [
        (incident(), facts()),
        (incident(), facts("connect")),
        (incident("warning"), facts()),
        (incident(summary="else"), facts()),
    ]
    assert len(troubles(found)) == 4


def test_critical_ones_first_and_among_them_the_newest():
    found = [
        (incident("warning", 900.0), Facts()),
        (incident("critical", 100.0, "old"), Facts()),
        (incident("critical", 200.0, "new"), Facts()),
    ]
    assert [each.headline for each in troubles(found)] == ["new", "old", "images fail at home"]


def test_what_is_not_known_is_not_said():
    (trouble,) = troubles([(incident(summary=""), Facts())])
    assert trouble.headline == "ImageFailing, image at home, model m"
    assert trouble.subjects == ("image at home, model m",)


def row(verdict, held=False):
    return {"verdict": verdict, "held": {"held_budget": 1.0} if held else {}}


def test_the_summary_counts_what_is_held_as_not_known():
    rows = [row("fail"), row("fail", held=True), row("pass", held=True), row("pass"), row(None), row("skip")]
    assert summary(rows) == "2 failing, 1 held, 1 not run yet, 1 skipped, 1 well: 6 cases"
    assert summary([row("pass")] * 3) == "All well: 3 cases"
    assert summary([row("pass"), row("inconclusive")]) == "1 undecided, 1 well: 2 cases"
    assert summary([row("pass", held=True)]) == "1 held: 1 case"
