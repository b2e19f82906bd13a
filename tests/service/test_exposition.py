"""Covers service/exposition.py: prometheus_client's parsers and promtool read the page."""

import math
import os
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from llm_canaries.service.board import Board
from llm_canaries.service.exposition import (
    OPENMETRICS,
    TEXT,
    negotiate,
    openmetrics_slices,
    render,
    render_openmetrics,
    text_slices,
)
from llm_canaries.service.metrics import FAMILIES

UP, DURATION = "llm_gateway_up", "llm_canary_duration_seconds"
FORMATS = pytest.mark.parametrize(("show", "read"), [(render, read_text), (render_openmetrics, read_openmetrics)])


def samples(families):
    """Value by (name, labels) of what is ours."""
    found = {}
    for family in families:
        for sample in family.samples:
            if sample.name.startswith("llm_"):
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in found
                found[key] = sample.value
    return found


def on_board(board):
    found = {}
    for labels, value, here in zip(board.names(), board.values.tolist(), board.present().tolist(), strict=True):
        if here:
            rest = {name: each for name, each in labels.items() if name != "__name__"}
            found[labels["__name__"], frozenset(rest.items())] = value
    return found


def same(one, two):
    return one.keys() == two.keys() and all(
        one[key] == two[key] or (math.isnan(one[key]) and math.isnan(two[key])) for key in one
    )


def full():
    """A board with a series of every family."""
    board = Board()
    for family in FAMILIES.values():
        labels = {name: "true" if name == "stream" else f"some {name}" for name in family.labels}
        if family.kind == "histogram":
            board.histogram(family.name, **labels).observe(0.3)
        else:
            board.set_named(family.name, 1.5, **labels)
    return board


TEXTS = st.one_of(st.text(), st.text('"\\\n{},=# é\r\u2028', max_size=8))
VALUES = st.one_of(st.floats(), st.sampled_from([math.inf, -math.inf, math.nan, 5e-324, -0.0, 1e300, 1763701234.567]))
COUNTS = st.floats(min_value=0, allow_nan=False)


@given(
    st.dictionaries(st.tuples(TEXTS, TEXTS), VALUES, max_size=4),
    st.dictionaries(TEXTS, COUNTS, max_size=3),
    st.lists(st.floats(min_value=0, max_value=1e6), max_size=4),
    TEXTS,
)
def test_parsers_read_back_what_was_set(gauges, counters, observed, name):
    board = Board()
    for (gateway, kind), value in gauges.items():
        board.set_named(UP, value, gateway=gateway, kind=kind)
    for group, value in counters.items():
        board.set_named("llm_sidecar_rule_evaluation_failures_total", value, group=group)
    for value in observed:
        labels = dict.fromkeys(FAMILIES[DURATION].labels, name)
        board.histogram(DURATION, **labels).observe(value)
    told = on_board(board)
    assert same(samples(read_text(render(board).decode())), told)
    assert same(samples(read_openmetrics(render_openmetrics(board).decode())), told)


@FORMATS
def test_every_family_is_shown_with_its_type_and_help(show, read):
    board = full()
    found = {family.name: family for family in read(show(board).decode())}
    for name, family in FAMILIES.items():
        seen = found[name.removesuffix("_total")]
        assert (seen.type, seen.documentation) == (family.kind, family.help)
    assert same(samples(found.values()), on_board(board))


@FORMATS
def test_this_process_is_shown(show, read):
    names = {sample.name for family in read(show(Board()).decode()) for sample in family.samples}
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "python_info"} <= names
    assert all(name.startswith(("process_", "python_")) for name in names)


@FORMATS
def test_the_absent_is_not_shown_and_a_family_without_a_series_not_even_named(show, read):
    board = Board()
    slot = board.slot(UP, gateway="a", kind="b")
    other = board.slot("llm_sidecar_active")
    board.histogram(DURATION, **dict.fromkeys(FAMILIES[DURATION].labels, "x"))
    board.set(other, 1)
    board.set(slot, 1)
    board.clear(slot)
    page = show(board).decode()
    assert samples(read(page)) == {("llm_sidecar_active", frozenset()): 1}
    assert UP not in page
    assert DURATION not in page


@FORMATS
def test_a_page_follows_series_that_come_and_go(show, read):
    board = Board()
    for name in "abc":
        board.set_named(UP, ord(name), gateway=name, kind="k")
    show(board)
    board.drop(gateway="b")
    board.set_named(UP, 1, gateway="d", kind="k")
    told = {dict(labels)["gateway"]: value for (_, labels), value in samples(read(show(board).decode())).items()}
    assert told == {"a": 97, "c": 99, "d": 1}


@pytest.mark.parametrize("show", [render, render_openmetrics])
def test_a_page_has_no_created_lines_and_ends_in_a_newline(show):
    page = show(full())
    assert b"_created" not in page
    assert page.endswith(b"\n")


def test_a_label_value_that_utf_8_cannot_write_does_not_break_the_page():
    board = Board()
    board.set_named(UP, 1, gateway="\udcff", kind="k")
    assert b'gateway="?"' in render(board)
    assert b'gateway="?"' in render_openmetrics(board)


def test_the_lines_are_as_the_format_says():
    board = Board()
    board.set_named(UP, math.inf, gateway='a"\\\n', kind="é")
    board.set_named("llm_sidecar_active", math.nan)
    lines = render(board).decode().split("\n")
    assert lines[:6] == [
        "# HELP llm_gateway_up 1 if a liveness page of the gateway answered.",
        "# TYPE llm_gateway_up gauge",
        r'llm_gateway_up{gateway="a\"\\\n",kind="é"} +Inf',
        "# HELP llm_sidecar_active 1 if this instance holds the lock of the state, 0 on a standby.",
        "# TYPE llm_sidecar_active gauge",
        "llm_sidecar_active NaN",
    ]


PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
PROMETHEUS_2 += "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
PROMETHEUS_3 += "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
PROMETHEUS_3 += "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, TEXT),
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text ; Version=\"1.0.0\" ; q=0.9, text/plain;q=0.8", OPENMETRICS),
        ("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5", TEXT),
        ("text/plain, application/openmetrics-text", TEXT),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=nan", TEXT),
        ("application/openmetrics-text;q=lots,,;;=", TEXT),
    ],
)
def test_the_format_is_negotiated(accept, content_type):
    show, told = negotiate(accept)
    assert told == content_type
    assert show is (openmetrics_slices if content_type == OPENMETRICS else text_slices)
    assert b"".join(show(Board())).endswith(b"# EOF\n") == (content_type == OPENMETRICS)


def test_promtool_has_no_complaint():
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is not installed: it comes with Debian's prometheus")
        pytest.skip("promtool is not installed: it comes with Debian's prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=render(full()), capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
