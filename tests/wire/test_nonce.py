"""Covers wire/nonce.py: marks without digits, numbers easy to read off."""

import random
import re
from itertools import pairwise

import pytest

from llm_canaries.wire.nonce import MARK_LENGTH, MARK_PREFIX, digits, mark


def test_marks_are_letters_and_differ() -> None:
    draw = random.Random(1).randrange
    marks = {mark(draw) for _ in range(1000)}
    assert len(marks) == 1000
    assert all(re.fullmatch(rf"{MARK_PREFIX}[a-z]{{{MARK_LENGTH}}}", each) for each in marks)


def test_a_mark_uses_the_whole_alphabet() -> None:
    draws = iter(range(26))
    assert mark(lambda n: next(draws) % n) == "cnry-abcdefghij"
    assert mark(lambda n: n - 1) == "cnry-" + "z" * MARK_LENGTH


@pytest.mark.parametrize("count", [1, 4, 5, 6])
def test_digits(count: int) -> None:
    draw = random.Random(count).randrange
    numbers = [digits(draw, count) for _ in range(500)]
    for number in numbers:
        assert re.fullmatch(rf"[1-9][0-9]{{{count - 1}}}", number)
        assert all(left != right for left, right in pairwise(number))
    assert {number[0] for number in numbers} == set("123456789")
