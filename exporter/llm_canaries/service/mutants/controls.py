"""Healthy controls: every scenario against healthy models of every habit, thousands of times; none may fail."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from llm_canaries.canary.canary import Case, Finding, Outcome, Scenario, SharedReason
from llm_canaries.canary.run import unfit
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.canary.verdict import undecided
from llm_canaries.service.mutants.answerer import Answerer
from llm_canaries.service.mutants.habits import HABITS, temper
from llm_canaries.wire.json import WireError
from llm_canaries.wire.nonce import Draw

IN_A_ROW = 10  # runs of one case with one model: what a scenario remembers lasts over them
_EXACT = "loopback"  # what such a scenario needs: some forty steps a run, which no model's mood changes
START = 1_767_225_600.0


class FalseFailure(Struct, frozen=True):
    """A healthy model that was failed: who, by whom, why, and the seed that shows it again."""

    scenario: str
    dialect: str
    habit: str
    seed: int
    reason: str
    detail: str


class Controls(Struct, frozen=True):
    """What came of the healthy runs: how many there were, how many of them decided nothing, and the failures."""

    runs: int
    undecided: dict[str, int]
    failures: list[FalseFailure]


def control(
    cases: Sequence[Case], runs: int, *, seed: int, report: Callable[[int], None] = lambda done: None
) -> Controls:
    """At least `runs` healthy runs over `cases` and habits, each sequence with a seed of its own."""
    done, failures = 0, list[FalseFailure]()
    unsure: Counter[str] = Counter()
    while done < runs:
        for case in cases:
            habit = HABITS[seed % len(HABITS)]
            for finding in sequence(case, SCENARIOS[case.scenario], seed):
                done += 1
                if finding.outcome is Outcome.FAIL:
                    failures.append(
                        FalseFailure(
                            case.scenario, case.dialect, habit.name, seed, str(finding.reason), finding.detail
                        )
                    )
                elif finding.outcome is not Outcome.PASS:
                    unsure[f"{case.scenario} {finding.reason}"] += 1
            seed += 1
        report(done)
    return Controls(done, dict(unsure), failures)


def sequence(case: Case, scenario: Scenario, seed: int) -> list[Finding]:
    """A few runs of `case` in a row with the healthy model that `seed` means."""
    draw = random.Random(seed).randrange  # noqa: S311 # phrasing, not secrets
    model = temper(HABITS[seed % len(HABITS)], draw)
    memory: Any = None
    found = []
    for number in range(1 if _EXACT in scenario.needs else IN_A_ROW):
        answerer = Answerer(model, draw, START + number * case.every)
        finding = played(case, scenario, answerer, draw, memory)
        memory = finding.memory
        found.append(finding)
    return found


def played(case: Case, scenario: Scenario, answerer: Answerer, draw: Draw, memory: Any) -> Finding:
    """The finding of one run whose steps `answerer` answers."""
    if (finding := unfit(case, scenario)) is not None:
        return finding
    try:
        play = scenario.play(case, case.params, draw, memory)
        step = next(play)
        while True:
            step = play.send(answerer.answer(step))
    except StopIteration as stop:
        finished: Finding = stop.value
        return finished
    except WireError as error:
        return undecided(SharedReason.UNWRITABLE_ASK, str(error))
