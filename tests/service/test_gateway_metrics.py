"""Covers service/gateway_metrics.py: breakers and credentials of a core as series, computed when they are read."""

import pytest

from llm_canaries.proxy.breaker import State, Threshold
from llm_canaries.proxy.circuits import Change, Circuits, Scope
from llm_canaries.proxy.tokens import Refresh
from llm_canaries.proxy.ways import Standing
from llm_canaries.service.board import Board
from llm_canaries.service.gateway_metrics import GatewayMetrics

KEYS = {"openai": ("one", "two")}
POLICY = Threshold(failures=2, timeout=10.0)


@pytest.fixture
def board() -> Board:
    return Board()


def value(board: Board, family: str, **labels: str) -> float | None:
    return board.get(board.slot(f"llm_gateway_{family}", gateway="g", provider_key="openai", **labels))


def states(board: Board, model: str = "") -> list[str]:
    each = ("closed", "open", "half_open", "cooling")
    return [state for state in each if value(board, "breaker_state", model_id=model, state=state) == 1]


def fail(circuits: Circuits, credential: str = "one", model: str = "m") -> None:
    for _ in range(2):
        circuits.finished("openai", credential, model, Change.FAILURE, 100.0)


def test_breakers_over_time(board: Board) -> None:
    metrics, circuits = GatewayMetrics(board), Circuits(KEYS, POLICY)
    metrics.breakers("g", circuits, 100.0, 5000.0)
    assert states(board) == ["closed"]
    assert value(board, "breaker_consecutive_failures", model_id="") == 0
    assert value(board, "breaker_open_until_timestamp_seconds", model_id="") is None
    assert [value(board, "breaker_transitions_total", to=state) for state in State] == [0, 0, 0]
    fail(circuits)
    metrics.breakers("g", circuits, 101.0, 5001.0)
    assert states(board) == ["open"]
    assert value(board, "breaker_consecutive_failures", model_id="") == 2
    assert value(board, "breaker_open_until_timestamp_seconds", model_id="") == 5010.0
    metrics.breakers("g", circuits, 110.0, 5010.0)
    assert states(board) == ["half_open"], "nobody asked; time alone has done it"
    circuits.finished("openai", "one", "m", Change.SUCCESS, 111.0)
    metrics.breakers("g", circuits, 111.0, 5011.0)
    assert states(board) == ["closed"]
    assert value(board, "breaker_open_until_timestamp_seconds", model_id="") is None
    assert [value(board, "breaker_transitions_total", to=state) for state in State] == [1, 1, 1]


def test_flaps_between_two_looks_are_counted(board: Board) -> None:
    metrics, circuits = GatewayMetrics(board), Circuits(KEYS, POLICY)
    metrics.breakers("g", circuits, 100.0, 5000.0)
    for _ in range(3):
        fail(circuits)
        circuits.finished("openai", "one", "m", Change.SUCCESS, 100.0)
    metrics.breakers("g", circuits, 101.0, 5001.0)
    assert states(board) == ["closed"]
    assert value(board, "breaker_transitions_total", to="open") == 3
    assert value(board, "breaker_transitions_total", to="closed") == 3


def test_a_reloaded_core_counts_on(board: Board) -> None:
    metrics = GatewayMetrics(board)
    for _ in range(2):
        circuits = Circuits(KEYS, POLICY)
        fail(circuits)
        metrics.breakers("g", circuits, 100.0, 5000.0)
        metrics.breakers("g", Circuits(KEYS, POLICY), 100.0, 5000.0)
    assert value(board, "breaker_transitions_total", to="open") == 2


def test_a_breaker_for_each_model(board: Board) -> None:
    metrics, circuits = GatewayMetrics(board), Circuits(KEYS, POLICY, Scope.MODEL)
    fail(circuits)
    metrics.breakers("g", circuits, 101.0, 5001.0)
    assert (states(board), states(board, "m")) == (["closed"], ["open"])


def test_a_provider_is_as_well_as_its_best_credential(board: Board) -> None:
    metrics, circuits = GatewayMetrics(board), Circuits(KEYS, POLICY, Scope.CREDENTIAL)
    fail(circuits)
    metrics.breakers("g", circuits, 101.0, 5001.0)
    assert states(board) == ["closed"]
    fail(circuits, "two")
    metrics.breakers("g", circuits, 101.0, 5001.0)
    assert states(board) == ["open"]


def standing(refresh: Refresh | None = None, expires: float | None = None, until: float | None = None) -> Standing:
    return Standing(provider="openai", credential="one", sidelined_until=until, refresh=refresh, expires_at=expires)


def credential(board: Board, family: str, **labels: str) -> float | None:
    return value(board, f"credential_{family}", credential="one", **labels)


def test_a_key(board: Board) -> None:
    metrics = GatewayMetrics(board)
    metrics.credentials("g", [standing()], 100.0)
    assert credential(board, "unavailable") == 0
    assert credential(board, "refresh_state", state="active") is None, "a key has no state of refresh"
    assert credential(board, "expiry_timestamp_seconds") is None
    metrics.credentials("g", [standing(until=101.0)], 100.0)
    assert credential(board, "unavailable") == 1
    metrics.credentials("g", [standing(until=101.0)], 101.0)
    assert credential(board, "unavailable") == 0


@pytest.mark.parametrize("refresh", Refresh)
def test_a_token(refresh: Refresh, board: Board) -> None:
    metrics = GatewayMetrics(board)
    metrics.credentials("g", [standing(refresh, 9000.0)], 100.0)
    every = ("active", "pending", "refreshing", "error", "disabled", "expired")
    assert [each for each in every if credential(board, "refresh_state", state=each) == 1] == [refresh]
    assert credential(board, "unavailable") == float(refresh is not Refresh.ACTIVE)
    assert credential(board, "expiry_timestamp_seconds") == 9000.0
    metrics.credentials("g", [standing(Refresh.ERROR)], 100.0)
    assert credential(board, "expiry_timestamp_seconds") is None, "a broken file tells no time"
