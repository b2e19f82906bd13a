"""Covers service/recorder.py: the time that a stale cooldown cost, from sight to sight; thresholds over reloads."""

from msgspec.structs import replace
from runs import run

from llm_canaries.service.board import Board
from llm_canaries.service.recorder import Recorder


def test_a_stale_cooldown_counts_by_gateway_and_provider_from_nought():
    board = Board()
    recorder, family = Recorder(board, 0.0), "llm_canary_cooldown_lost_seconds_total"
    for lost, total in ((0.0, 0.0), (600.0, 600.0), (540.0, 1140.0)):
        its = run("fail", "stale_cooldown")
        measures = {"cooldown_lost:codex": lost, "cooldown_lost_hours": lost / 3600}
        recorder.ran(replace(its, finding=replace(its.finding, measures=measures)), confirmation=False)
        assert board.get(board.slot(family, gateway="g", provider_key="codex")) == total


def test_a_threshold_that_a_reload_takes_away_is_gone():
    board = Board()
    recorder, case = Recorder(board, 0.0), run("pass", scenario="known-good").case

    def shown():
        labels = {"canary": case.canary, "kind": "error_ratio"}
        slots = {each: board.slot("llm_canary_threshold", **labels, severity=each) for each in ("warning", "critical")}
        return {severity: board.get(slot) for severity, slot in slots.items()}

    recorder.introduce([replace(case, thresholds={"error_ratio": {"warning": 0.02, "critical": 0.05}})])
    assert shown() == {"warning": 0.02, "critical": 0.05}
    recorder.introduce([replace(case, thresholds={"error_ratio": {"warning": 0.03}})])
    assert shown() == {"warning": 0.03, "critical": None}
    recorder.introduce([])
    assert shown() == {"warning": None, "critical": None}
