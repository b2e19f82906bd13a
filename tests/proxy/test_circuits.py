"""Covers proxy/circuits.py: one breaker for each scope, bounded in number, and every change counted."""

import pytest

from llm_canaries.proxy.breaker import State, Threshold
from llm_canaries.proxy.circuits import MOST_MODELS, Change, Circuit, Circuits, Scope

POLICY = Threshold(failures=2, timeout=10.0)
KEYS = {"openai": ("one", "two"), "other": ("default",)}


def fail(circuits: Circuits, credential: str = "one", model: str = "m", times: int = 2, now: float = 0.0) -> None:
    for _ in range(times):
        circuits.finished("openai", credential, model, Change.FAILURE, now)


@pytest.mark.parametrize(
    ("scope", "names", "name", "shared"),
    [
        (Scope.PROVIDER, ["openai", "other"], "openai", [("two", "m"), ("one", "n")]),
        (Scope.CREDENTIAL, ["openai/one", "openai/two", "other/default"], "openai/one", [("one", "n")]),
        (Scope.MODEL, ["openai", "other"], "openai/m", [("two", "m")]),
    ],
)
def test_scopes(scope: Scope, names: list[str], name: str, shared: list[tuple[str, str]]) -> None:
    circuits = Circuits(KEYS, POLICY, scope)
    assert list(circuits) == names and len(circuits) == len(names)
    fail(circuits)
    assert circuits[name].state(0.0) is State.OPEN
    ways = [(credential, model) for credential in ("one", "two") for model in ("m", "n")]
    closed = [way for way in ways if circuits.of("openai", *way).state(0.0) is State.OPEN]
    assert closed == [way for way in ways if way in (("one", "m"), *shared) or name == "openai"]
    assert circuits.of("other", "default", "m").state(0.0) is State.CLOSED


def test_no_such_name() -> None:
    with pytest.raises(KeyError):
        Circuits(KEYS)["nobody"]


def test_models_are_bounded() -> None:
    """Ids come from clients: what is beyond the bound shares its provider's breaker."""
    circuits = Circuits(KEYS, POLICY, Scope.MODEL)
    for number in range(MOST_MODELS + 50):
        circuits.finished("other", "default", f"good{number}", Change.SUCCESS, 0.0)
        circuits.finished("openai", "one", f"m{number}", Change.FAILURE, 0.0)
    assert len(circuits) == MOST_MODELS, "and what is well needs no breaker of its own"
    assert circuits["openai"].failures > 0


def test_transitions_are_counted_when_they_happen_or_are_noticed() -> None:
    circuits = Circuits(KEYS, POLICY)
    fail(circuits)
    assert circuits.transitions == {("openai", State.OPEN): 1}
    circuits.note(9.0)
    assert circuits.transitions == {("openai", State.OPEN): 1}
    circuits.note(10.0)
    circuits.note(11.0)
    assert circuits.transitions[("openai", State.HALF_OPEN)] == 1
    circuits.started("openai", "one", "m", 12.0)
    circuits.finished("openai", "one", "m", Change.FAILURE, 13.0)
    circuits.finished("openai", "one", "m", Change.SUCCESS, 30.0)
    assert circuits.transitions == {
        ("openai", State.OPEN): 2,
        ("openai", State.HALF_OPEN): 2,
        ("openai", State.CLOSED): 1,
    }


def test_nothing_learnt_changes_nothing() -> None:
    circuits = Circuits(KEYS, POLICY)
    circuits.finished("openai", "one", "m", Change.NOTHING, 0.0)
    assert circuits["openai"].failures == 0
    circuits.finished("openai", "one", "m", Change.FAILURE, 0.0)
    circuits.finished("openai", "one", "m", Change.NOTHING, 0.0)
    assert circuits["openai"].failures == 1, "a client's error is no success either"
    fail(circuits, times=1)
    circuits.started("openai", "one", "m", 10.0)
    assert not circuits["openai"].admits(10.0)
    circuits.finished("openai", "one", "m", Change.NOTHING, 11.0)
    assert circuits["openai"].admits(11.0), "the probe's place is free again"


def test_each() -> None:
    assert list(Circuits(KEYS, POLICY).each()) == [Circuit("openai"), Circuit("other")]
