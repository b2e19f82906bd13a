"""Plays pairs of cases at two gateways: by turns, with the same draws, never both at once.

Whose fault head's failures are is found out once all pairs are done; base is evidence of that itself.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from llm_canaries.canary.attribution import Base
from llm_canaries.canary.canary import Case, Finding, Outcome, Run
from llm_canaries.canary.comparison import Difference, base_says, compare, level, more
from llm_canaries.canary.trial import Pair, Plan, Trial, counted, decided, reasons_of
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.attributing import Witnesses
from llm_canaries.service.gating import Turns
from llm_canaries.service.patience import Patience, Sleep
from llm_canaries.service.playing import Order, playing
from llm_canaries.wire.nonce import LETTERS, Draw

SEEDS = 2**62
NAMES = ("base", "head")


async def comparing(
    orders: tuple[Order, Order],
    pairs: Sequence[Pair],
    plan: Plan,
    *,
    clock: Clock,
    draw: Draw,
    redact: tuple[Callable[[str], str], Callable[[str], str]],
    learn: tuple[Callable[[str], None], Callable[[str], None]],
    end: Callable[[Trial], None],
    wait: float = 0.0,
    tell: Callable[[str], None] = lambda told: None,
    sleep: Sleep = asyncio.sleep,
) -> list[Trial]:
    """The trial of every pair, in their order; `orders`, `redact` and `learn` are base's and head's.

    `wait`: seconds in all that each side is waited for while it wants no asks; `tell` hears of every wait.

    `end` is told each trial that is done, before anybody knows whose fault its failures are.
    """
    base, head = orders
    async with (
        playing(base, clock=clock, redact=redact[0], learn=learn[0]) as at_base,
        playing(head, clock=clock, redact=redact[1], learn=learn[1]) as at_head,
    ):
        sides = (Turns(at_base, clock), Turns(at_head, clock))
        patient = [Patience(name, side, clock, wait, tell, sleep) for name, side in zip(NAMES, sides, strict=True)]
        cases = ([pair.base for pair in pairs], [pair.head for pair in pairs])
        # both may stand before one provider, whose credential has one ask in flight
        width = min(side.width(own) for side, own in zip(sides, cases, strict=True)) if pairs else 1
        at_once, share = asyncio.Semaphore(width), level(plan, pairs)

        async def play(pair: Pair) -> Trial:
            trial = await _play(pair, patient, plan, share, at_once, draw)
            end(trial)
            return trial

        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(play(pair)) for pair in pairs]
        trials = [task.result() for task in started]
        if not head.attribution:
            return trials
        found = compare(trials, plan)
        return [await _attributed(trial, found, orders, sides[1], draw) for trial in trials]


async def _play(
    pair: Pair, sides: Sequence[Patience], plan: Plan, share: float, at_once: asyncio.Semaphore, draw: Draw
) -> Trial:
    trial, memory = Trial(pair), [None, None]
    while not trial.held and (rounds := more(trial, plan, share)):
        for _ in range(rounds):
            async with at_once:
                trial = await _round(trial, sides, memory, draw)
            if trial.held or (len(trial.head) >= plan.rounds and not more(trial, plan, share)):
                break
    return trial


async def _attributed(
    trial: Trial, found: Sequence[Difference], orders: tuple[Order, Order], head: Turns, draw: Draw
) -> Trial:
    """The trial with whose fault head's failures are; `found` is what became of all trials."""
    judged = dict[int, Run]()
    for reason in reasons_of(trial.head):
        failures = [run for run in trial.head if run.finding.outcome is Outcome.FAIL and run.finding.reason == reason]
        base, told = base_says(trial, reason, found), f"at base: {counted(trial.base)}"
        if not _one_provider(trial.pair, orders):
            base, told = Base.NOT_RUN, f"{told}, before another provider, which its twin names"
        known = Witnesses(base=base, told=(told,) if decided(trial.base) else (), where="head")
        after = await head.asked_about(failures, draw, known)
        judged |= {id(run): own for run, own in zip(failures, after, strict=True)}
    return Trial(trial.pair, trial.base, tuple(judged.get(id(run), run) for run in trial.head), trial.held)


def _one_provider(pair: Pair, orders: tuple[Order, Order]) -> bool:
    """Whether nothing says that the two gateways stand before different providers: their twins would."""
    twins = [
        order.config.gateways[twin]
        for order, case in zip(orders, (pair.base, pair.head), strict=True)
        if (twin := order.config.gateways[case.gateway].twin) is not None
    ]
    return len(twins) < 2 or twins[0].providers == twins[1].providers


async def _round(trial: Trial, sides: Sequence[Patience], memory: list[Any], draw: Draw) -> Trial:
    """One run more at each side, head first in every second round: whoever warms something up takes turns."""
    seed, rounds = draw(SEEDS), len(trial.head)
    cases: tuple[Case, Case] = (trial.pair.base, trial.pair.head)
    found: dict[int, Run] = {}
    for side in (0, 1) if rounds % 2 == 0 else (1, 0):
        run = await sides[side].run(cases[side], paired(seed, draw), memory[side])
        if isinstance(run, Finding):
            return Trial(trial.pair, trial.base, trial.head, run.detail)
        memory[side] = run.finding.memory
        found[side] = run
    return Trial(trial.pair, (*trial.base, found[0]), (*trial.head, found[1]))


def paired(seed: int, draw: Draw) -> Draw:
    """A draw of the same numbers and pictures for both sides of a pair, but of marks of their own.

    A mark finds an ask in the mirror's records, and stands at the head of every prompt: no cache behind both gateways
    can answer head with what it kept for base.
    """
    numbers = random.Random(seed)  # noqa: S311  # nothing to guess that `draw` has not drawn
    return lambda below: draw(below) if below == LETTERS else numbers.randrange(below)
