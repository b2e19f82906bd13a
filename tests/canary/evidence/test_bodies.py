"""Covers canary/evidence/bodies.py: secrets out first, then cut; arrivals follow their bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.canary.evidence.bodies import SLACK, Room, masked, moved
from llm_canaries.config.secrets import Redactor

KEY = "planted-secret-0123456789"
REDACT = Redactor([KEY])


@given(st.binary(max_size=200))
def test_a_body_without_secrets_keeps_every_byte(body):
    kept = Room(str).keep(body)
    assert (kept.data, kept.size, kept.cut, kept.masked) == (body, len(body), 0, False)
    assert (kept.text is None) == (kept.base64 is not None)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_secret_is_gone_and_the_bytes_around_it_stay(before, after):
    kept = Room(REDACT).keep(before + KEY.encode() + after)
    assert (kept.data, kept.masked) == (before + b"***" + after, True)


@pytest.mark.parametrize("most", [0, 1, 100, 101, 110, 124, 125, 126, 150])
@pytest.mark.parametrize("more", [0, SLACK - 30, SLACK + 10, 3 * SLACK])
def test_no_piece_of_a_secret_is_left_at_a_cut(most, more):
    body = b"x" * 100 + KEY.encode() + b"y" * more
    kept = Room(REDACT, most_body=most).keep(body)
    assert kept.data == (b"x" * 100 + b"***" + b"y" * more)[: len(kept.data)]
    assert len(kept.data) <= most
    assert kept.cut == (len(body) - len(kept.data) if len(body) > most else 0)


def test_a_secret_at_the_end_of_what_is_looked_at_leaves_nothing_though_masks_are_short():
    """Many masks make room: what lies beyond the look-ahead would come within the bound."""
    body = (KEY.encode() + b" ") * 10_000
    kept = Room(REDACT, most_body=100_000).keep(body)
    assert set(kept.data.split(b" ")) <= {b"***", b"", b"*", b"**"}


def test_a_cut_leaves_whole_letters():
    kept = Room(str, most_body=4).keep("aé图".encode())
    assert (kept.text, kept.cut) == ("aé", 3)
    assert Room(str, most_body=3).keep(b"\xff\xfe\xfd\xfc").data == b"\xff\xfe\xfd"


def test_a_run_has_room_for_so_much_and_whoever_comes_first_has_it():
    room = Room(str, most_body=10, most_run=15)
    kept = [room.keep(b"0123456789"), room.keep(b"0123456789"), room.keep(b"0123456789"), room.keep(b"")]
    assert [(len(body.data), body.cut, body.whole) for body in kept] == [
        (10, 0, True), (5, 5, False), (0, 10, False), (0, 0, True)
    ]  # fmt: skip


def test_the_same_bytes_are_looked_at_once_and_take_their_room_each_time():
    looked = []

    def redact(text):
        looked.append(text)
        return text.replace("secret", "***")

    room = Room(redact, most_run=17)
    kept = [room.keep(b"a secret"), room.keep(b"a secret"), room.keep(b"a secret"), room.keep(b"a secret")]
    assert looked.count("a secret") == 1 + 1, "and once more where there is not room for all of it"
    assert [(body.text, body.cut) for body in kept] == [("a ***", 0)] * 3 + [("a ", 6)]
    assert room.keep(b"abcdef").cut == 6


LINES = st.lists(st.sampled_from([b"data: one\n", b"data: " + KEY.encode() + b"\n", b"\r\n", b"caf\xe9\n"]), max_size=8)


@given(LINES, st.lists(st.integers(0, 300), max_size=8))
def test_arrivals_stay_with_their_lines(lines, cuts):
    """An arrival at the end of a line is at the end of that line; all are in order, the last at the end."""
    body = b"".join(lines)
    ends = sorted({min(cut, len(body)) for cut in cuts} | {len(body)})
    kept = Room(REDACT).keep(body)
    arrivals = moved([(float(at), end) for at, end in enumerate(ends)], body, kept, REDACT)
    found = [end for _, end in arrivals]
    assert [moment for moment, _ in arrivals] == [float(at) for at in range(len(ends))]
    assert found == sorted(found) and found[-1] == len(kept.data)
    starts = {sum(map(len, lines[:at])): len(masked(b"".join(lines[:at]), REDACT)) for at in range(len(lines) + 1)}
    for end, now in zip(ends, found, strict=True):
        assert end not in starts or now == starts[end]
    if not kept.masked:
        assert found == ends


def test_arrivals_end_where_a_cut_body_does():
    body = b"0123456789"
    kept = Room(str, most_body=4).keep(body)
    assert moved([(0.1, 3), (0.2, 8), (0.3, 10)], body, kept, str) == ((0.1, 3), (0.2, 4), (0.3, 4))


def test_a_secret_over_several_lines_is_gone_and_arrivals_stay_in_bounds():
    key = "first line\nsecond line"
    redact, body = Redactor([key]), f"a {key} b\n".encode()
    kept = Room(redact).keep(body)
    assert kept.data == b"a *** b\n"
    arrivals = moved([(0.1, 8), (0.2, len(body))], body, kept, redact)
    assert arrivals[-1] == (0.2, len(kept.data)) and arrivals[0][1] <= len(kept.data)
