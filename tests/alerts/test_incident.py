"""alerts/incident.py: firings become incidents, and their changes flips."""

import pytest
from alarms import firing, flip, incident
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.alerts.incident import CLOSING, Kind, Level, advance, hears, incident_key

W, C = "warning", "critical"


def names(flips):
    return [(each.kind.value, each.previous_level and each.previous_level.value) for each in flips]


@pytest.mark.parametrize(
    ("level", "fires", "flips", "after"),
    [
        (None, [], [], None),
        (None, [W], [("opened", None)], W),
        (None, [C], [("opened", None)], C),
        (None, [W, C], [("opened", None)], C),
        (None, [C, W], [("opened", None)], C),
        (None, ["info"], [], None),
        (None, [""], [], None),
        (W, [W], [], W),
        (W, [W, C], [("escalated", W)], C),
        (W, [C], [("escalated", W)], C),
        (W, [], [("resolved", W)], None),
        (C, [W, C], [], C),
        (C, [C], [], C),
        (C, [W], [("eased", C)], W),
        (C, [], [("resolved", C)], None),
        (C, ["info"], [("resolved", C)], None),
    ],
)
def test_levels(level, fires, flips, after):
    open_now = incident(level, a="1") if level else None
    incidents = {open_now.key: open_now} if open_now else {}
    new, happened = advance(incidents, [firing(each, a="1") for each in fires], now=200.0)
    assert names(happened) == flips
    assert [each.level.value for each in new.values()] == ([after] if after else [])


@pytest.mark.parametrize(
    ("level", "fires", "flips", "after"),
    [
        (W, [], [], W),
        (C, [], [], C),
        (C, [W], [], C),
        (W, [C], [("escalated", W)], C),
        (None, [W], [("opened", None)], W),
    ],
)
def test_an_unknown_alert_gets_worse_but_not_better(level, fires, flips, after):
    open_now = incident(level) if level else None
    incidents = {open_now.key: open_now} if open_now else {}
    new, happened = advance(incidents, [firing(each) for each in fires], unknown={"CanaryFailing"}, now=200.0)
    assert names(happened) == flips
    assert [each.level.value for each in new.values()] == [after]


def test_another_alert_being_unknown_holds_nothing():
    open_now = incident()
    assert names(advance({open_now.key: open_now}, [], unknown={"Other"}, now=2.0)[1]) == [("resolved", W)]


def test_a_removed_case_closes_as_removed_even_while_it_fires_or_is_unknown():
    gone, kept = incident(C, canary="gone"), incident(canary="kept")
    incidents = {each.key: each for each in (gone, kept)}
    new, flips = advance(
        incidents,
        [firing(C, canary="gone"), firing(W, canary="kept")],
        unknown={"CanaryFailing"},
        removed=lambda labels: labels.get("canary") == "gone",
        now=300.0,
    )
    assert list(new) == [kept.key]
    assert names(flips) == [("removed", C)]
    assert flips[0].incident.labels == {"canary": "gone"}
    assert flips[0].level is None
    assert advance(new, [firing(C, canary="gone")], removed=lambda labels: True, now=301.0)[1][0].kind is Kind.REMOVED


def test_the_beginning_is_when_the_condition_began_and_stays():
    new, flips = advance({}, [firing(C, at=150.0), firing(W, at=120.0)], now=200.0)
    (opened,) = flips
    assert (opened.incident.opened, opened.incident.changed, opened.at) == (120.0, 200.0, 200.0)
    eased, flips = advance(new, [firing(W, at=120.0)], now=250.0)
    (now_open,) = eased.values()
    assert (now_open.opened, now_open.changed) == (120.0, 250.0)
    _, (resolved,) = advance(eased, [], now=260.0)
    assert (resolved.at, resolved.incident.opened, resolved.incident.level) == (260.0, 120.0, Level.WARNING)


def test_the_beginning_is_never_later_than_now():
    _, (opened,) = advance({}, [firing(at=500.0)], now=200.0)
    assert opened.incident.opened == 200.0


def test_a_clock_that_steps_back_does_not_put_a_flip_before_the_last():
    open_now = incident(changed=1000.0)
    _, (escalated,) = advance({open_now.key: open_now}, [firing(C)], now=10.0)
    _, (resolved,) = advance({open_now.key: open_now}, [], now=10.0)
    assert escalated.at == escalated.incident.changed == resolved.at == 1000.0


def test_annotations_follow_the_worst_firing():
    new, _ = advance({}, [firing(W), firing(C)], now=1.0)
    (one,) = new.values()
    assert one.annotations == {"summary": "CanaryFailing critical"}
    new, flips = advance(new, [firing(C, annotations={"summary": "new words"})], now=2.0)
    (one,) = new.values()
    assert (one.annotations, flips) == ({"summary": "new words"}, ())


def test_a_restored_incident_without_annotations_gets_them_back_without_a_flip():
    restored = incident(C)
    new, flips = advance({restored.key: restored}, [firing(C)], now=500.0)
    assert flips == ()
    assert new[restored.key].annotations == {"summary": "CanaryFailing critical"}
    assert new[restored.key].opened == restored.opened


def test_the_key_knows_neither_severity_nor_order_and_tells_labels_apart():
    one = incident_key("A", {"severity": "warning", "alertname": "A", "x": "1", "y": "2"})
    assert one == incident_key("A", {"y": "2", "x": "1", "severity": "critical"}) == 'A{x="1",y="2"}'
    assert incident_key("A", {"x": '1",y="2'}) != one
    assert incident_key("A", {}) == "A{}"


@pytest.mark.parametrize(
    ("severities", "heard"),
    [
        # opened W, escalated, eased, resolved at W; opened C, resolved at C, removed at W
        ({W, C}, [True, True, True, True, True, True, True]),
        ({C}, [False, True, True, False, True, True, False]),
        ({W}, [True, False, False, True, True, True, True]),
        (set(), [False] * 7),
    ],
)
def test_a_receiver_sees_an_opening_and_one_end(severities, heard):
    flips = [
        flip("opened", W),
        flip("escalated", C, W),
        flip("eased", W, C),
        flip("resolved", W, W),
        flip("opened", C),
        flip("resolved", C, C),
        flip("removed", W, W),
    ]
    assert [hears(severities, each) for each in flips] == heard


STEPS = st.lists(
    st.tuples(
        st.lists(
            st.builds(
                lambda severity, name, label: firing(severity, name, x=label),
                st.sampled_from([W, C, "info"]),
                st.sampled_from(["A", "B"]),
                st.sampled_from(["1", "2"]),
            ),
            max_size=6,
        ),
        st.frozensets(st.sampled_from(["A", "B"])),
        st.frozensets(st.sampled_from(["1", "2"]), max_size=1),
        st.integers(-5, 60),
    ),
    max_size=12,
)


@given(STEPS)
def test_flips_tell_the_whole_story(steps):
    """Replaying the flips alone gives the incidents; every key's flips alternate lawfully; times do not go back."""
    incidents, told, now = {}, {}, 1000.0
    last_at = {}
    for fires, unknown, gone, passed in steps:
        now += passed
        before = incidents
        incidents, flips = advance(
            before, fires, unknown=unknown, removed=lambda labels, gone=gone: labels.get("x") in gone, now=now
        )
        assert len({each.incident.key for each in flips}) == len(flips), "one flip a key"
        for each in flips:
            key = each.incident.key
            was = told.get(key)
            assert each.previous_level == was
            assert (each.kind is Kind.OPENED) == (was is None)
            assert each.level != was
            assert each.at >= last_at.get(key, 0.0) or each.kind is Kind.OPENED
            last_at[key] = each.at
            if each.kind in CLOSING:
                del told[key]
            else:
                told[key] = each.level
        assert {key: each.level for key, each in incidents.items()} == told, "nothing lost, nothing made up"
        assert all(key == each.key for key, each in incidents.items())
        for each in fires:  # whatever fires critical and was not removed is critical now
            if each.severity == C and each.labels["x"] not in gone:
                assert told[incident_key(each.alertname, each.labels)] is Level.CRITICAL
        for key, each in before.items():
            if each.alertname in unknown and each.labels["x"] not in gone:
                assert key in incidents
                assert not (each.level is Level.CRITICAL and incidents[key].level is Level.WARNING)


@given(STEPS, st.sampled_from([{W}, {C}, {W, C}]))
def test_every_receiver_hears_openings_and_ends_in_turn(steps, severities):
    incidents, now = {}, 1000.0
    open_for_it = set()
    for fires, unknown, gone, passed in steps:
        now += abs(passed)
        incidents, flips = advance(
            incidents, fires, unknown=unknown, removed=lambda labels, gone=gone: labels.get("x") in gone, now=now
        )
        for each in (each for each in flips if hears(severities, each)):
            key = each.incident.key
            if key not in open_for_it:
                assert each.level is not None, "the first that is heard is a beginning"
                open_for_it.add(key)
            elif each.level is None or (severities == {C} and each.level is Level.WARNING):
                open_for_it.remove(key)
        covered = {key for key, each in incidents.items() if W in severities or each.level is Level.CRITICAL}
        assert open_for_it == covered, "what it believes open is open"
