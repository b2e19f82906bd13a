"""Covers proxy/credentials.py: whose turn it is, over any weights and any that are not available."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.proxy.credentials import Credential, Strategy, Turns

WEIGHTS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def credentials(weights: list[int]) -> tuple[Credential, ...]:
    return tuple(Credential(f"c{index}", "sk", weight) for index, weight in enumerate(weights))


def aliases(turns: Turns, count: int) -> list[str]:
    picked = [turns.next(turns.credentials) for _ in range(count)]
    return [each.alias for each in picked if each is not None]


def test_smooth_weights() -> None:
    """The example of nginx's author: 5, 1, 1 gives a a b a c a a."""
    assert aliases(Turns(credentials([5, 1, 1]), Strategy.WEIGHTED), 7) == ["c0", "c0", "c1", "c0", "c2", "c0", "c0"]


def test_round_robin_minds_no_weight() -> None:
    assert aliases(Turns(credentials([5, 1, 1])), 6) == ["c0", "c1", "c2", "c0", "c1", "c2"]


def test_fill_first() -> None:
    turns = Turns(credentials([1, 9]), Strategy.FILL_FIRST)
    assert aliases(turns, 3) == ["c0"] * 3
    assert turns.next(turns.credentials[1:]) == turns.credentials[1]


@given(WEIGHTS, st.integers(1, 4))
def test_shares_are_exact_over_whole_rounds(weights: list[int], rounds: int) -> None:
    total = sum(weights) * rounds
    counted = Counter(aliases(Turns(credentials(weights), Strategy.WEIGHTED), total))
    assert counted == {f"c{index}": weight * rounds for index, weight in enumerate(weights)}


@given(WEIGHTS, st.sampled_from(Strategy), st.data())
def test_only_who_is_available(weights: list[int], strategy: Strategy, data: st.DataObject) -> None:
    turns = Turns(credentials(weights), strategy)
    for _ in range(12):
        flags = data.draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))
        available = [each for each, free in zip(turns.credentials, flags, strict=True) if free]
        picked = turns.next(available)
        assert picked in available if available else picked is None


def test_no_key_in_a_repr() -> None:
    assert "planted" not in repr(Credential("one", "sk-planted"))
