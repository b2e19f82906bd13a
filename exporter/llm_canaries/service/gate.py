"""The gate: every case once (or `repeat` times), bounded in flight per gateway, and none while it wants a pause."""

import asyncio
from collections.abc import Callable

from llm_canaries.canary.canary import Case, Finding, Run
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.gating import Turns
from llm_canaries.service.patience import Patience, Sleep
from llm_canaries.service.playing import Order, playing
from llm_canaries.wire.nonce import Draw


async def gate(
    order: Order,
    *,
    clock: Clock,
    draw: Draw,
    redact: Callable[[str], str],
    report: Callable[[Run], None],
    learn: Callable[[str], None] = lambda secret: None,
    tell: Callable[[str], None] = lambda told: None,
    sleep: Sleep = asyncio.sleep,
) -> list[Run]:
    """All runs in the order of their cases; `report` is told each as it ends, and `tell` of every wait.

    A case for which a gateway is not waited for any longer is skipped: `held_retry_after`; or `held_support_error`.
    """
    async with playing(order, clock=clock, redact=redact, learn=learn) as play:
        turns, wait = Turns(play, clock), order.wait or 0.0
        gateways = {case.gateway for case in order.cases}
        patient = {name: Patience(name, turns, clock, wait, tell, sleep) for name in gateways}

        async def repeated(case: Case) -> list[Run]:
            """The runs of one case, one after the other: each remembers what the one before left it."""
            runs: list[Run] = []
            for _ in range(order.repeat):
                memory = runs[-1].finding.memory if runs else None
                if order.wait is None or case.mirror == "built-in":  # what our own mirror asks for is play
                    run = await play.run(case, draw, memory)
                else:
                    found = await patient[case.gateway].run(case, draw, memory)
                    run = found if isinstance(found, Run) else _withheld(case, found, clock.wall())
                report(run)
                runs.append(run)
            return runs

        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(repeated(case)) for case in order.cases]
        return [run for task in started for run in task.result()]


def _withheld(case: Case, finding: Finding, now: float) -> Run:
    return Run(case=case, finding=finding, started=now, answers=())
