"""alerts/text.py: what a person reads."""

import pytest
from alarms import CASE, flip
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.alerts.text import LINE, TITLE, Facts, body, duration, moment, title

FACTS = Facts(
    failures=7,
    runs=20,
    lower=0.1773,
    reason="image_dropped",
    domain="translation",
    why="the same ask through the embedded core passed; the gateway lost it, twice: translation",
    first_step="Send the same request to the provider directly.",
    evidence_command="canaries explain image_dropped",
)
NOTES = {
    "summary": "tool-result-image fails at home",
    "description": "It saw no image.",
    "runbook": "canaries explain x",
}
OPENED = 1_700_000_000.0


def case(kind="opened", level="critical", previous=None, *, at=OPENED + 3_900, annotations=NOTES, **labels):
    return flip(kind, level, previous, at=at, opened=OPENED, annotations=annotations, **(labels or CASE))


def test_an_opening_says_all_there_is_to_say():
    assert title(case()) == "CRITICAL: tool-result-image fails at home"
    assert body(case(), FACTS).splitlines() == [
        "tool-result-image at home, model gpt-5.3-codex, anthropic_messages, streamed",
        "CanaryFailing: CRITICAL, since 2023-11-14 22:13 UTC (1 h 5 min).",
        "It saw no image.",
        "7 of 20 runs failed (35.0%); with 95 % confidence at least 17.7% fail.",
        "Reason: image_dropped (fault domain: translation)",
        "Whose fault: the same ask through the embedded core passed; the gateway lost it, twice: translation",
        "First: Send the same request to the provider directly.",
        "Evidence: canaries explain image_dropped",
        "Runbook: canaries explain x",
    ]


@pytest.mark.parametrize(
    ("flipped", "lead", "second"),
    [
        (case(level="warning"), "WARNING:", "CanaryFailing: WARNING, since"),
        (case("escalated", previous="warning"), "Now CRITICAL:", "CanaryFailing: CRITICAL, warning before, since"),
        (case("eased", "warning", "critical"), "Eased to WARNING:", "CanaryFailing: WARNING, critical before, since"),
        (case("resolved", previous="critical"), "Resolved:", "Resolved after 1 h 5 min; was critical since"),
        (case("removed", previous="critical"), "No longer watched:", "Removed from the configuration while critical"),
    ],
)
def test_each_kind_in_its_words(flipped, lead, second):
    assert title(flipped).startswith(lead + " tool-result-image")
    assert body(flipped, FACTS).splitlines()[1].startswith(second)


def test_an_end_does_not_tell_what_to_do():
    assert len(body(case("resolved", previous="critical"), FACTS).splitlines()) == 2


def test_what_is_not_known_is_left_out():
    text = body(case(annotations={"summary": "s"}), Facts())
    assert len(text.splitlines()) == 2
    assert "7 of" not in body(case(), Facts(failures=7, runs=0, lower=0.1))
    assert "confidence" not in body(case(), Facts(failures=1, runs=2))
    assert "fault domain" not in body(case(), Facts(reason="x"))


def test_without_a_summary_the_labels_speak():
    assert title(case(annotations=None)).startswith("CRITICAL: CanaryFailing, tool-result-image at home, model gpt-5")
    other = case(annotations=None, gateway="home", provider_key="openai", scope="5h")
    assert body(other, Facts()).splitlines()[0] == "CanaryFailing at home, provider_key openai, scope 5h"


def test_not_streamed_and_other_ways_are_named():
    for stream, word in (("false", "not streamed"), ("both", "stream both")):
        assert body(case(**CASE | {"stream": stream}), FACTS).splitlines()[0].endswith(f", {word}")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (12_000, "3 h 20 min"),
     (86_400, "1 d"), (187_200, "2 d 4 h")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_moment_far_off_is_still_told():
    assert moment(0.0) == "1970-01-01 00:00 UTC"
    assert moment(1e300) == "1e+300"


TEXT = st.text(st.characters(), max_size=400)


@given(st.dictionaries(st.sampled_from([*CASE, "other"]), TEXT), TEXT, TEXT, TEXT)
def test_whatever_comes_in_the_message_can_be_sent_and_is_bounded(labels, summary, detail, reason):
    notes = {"summary": summary, "description": detail}
    flipped = flip("opened", "critical", at=OPENED, opened=OPENED, annotations=notes, **labels)
    head, text = title(flipped), body(flipped, Facts(reason=reason, first_step=detail, evidence_command=summary))
    assert 0 < len(head) <= TITLE
    lines = text.split("\n")
    assert 2 <= len(lines) <= 8
    assert all(0 < len(line) <= LINE for line in lines)
    assert all(each.isprintable() for each in [head, *lines])
    (head + text).encode()
