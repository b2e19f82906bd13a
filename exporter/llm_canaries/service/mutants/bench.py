"""Runs every scenario against mutants: each mutant has a mirror and a core of its own, a few at a time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from llm_canaries.canary.canary import Case, Outcome, Run
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.config.load import load
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.gate import gate
from llm_canaries.service.mutants.catalogue import Caught, Mutant, compared
from llm_canaries.service.mutants.deployed import deployed
from llm_canaries.service.mutants.drift import drifted
from llm_canaries.service.playing import Order
from llm_canaries.service.rule_files import read_groups
from llm_canaries.service.settings import Settings, default_settings, known
from llm_canaries.wire.nonce import Draw

AT_ONCE = 4
# limits short against `hang`, and under the two seconds of `slow`; scenarios without a definition of their own
# are given one, for a canary of people's own is a canary as well
_OWN = r"""
gateways:
  mirror:
    kind: embedded
    models: [mirror/healthy]
    limits: {connect: 5s, first_byte: 1500ms, idle: 1s, total: 5s}
canaries:
  - scenario: completion
    name: own-completion
    params: {prompt: "Reply with exactly this and nothing else: Paris", contains: [Paris]}
  - scenario: http
    name: own-http
    params:
      body: {model: mirror/rate-limited, messages: [{role: user, content: hi}]}
      status: 429
      header: {retry-after: '^\d+$'}
  - {scenario: negotiation, name: own-negotiation, models: [mirror/healthy], dialects: [openai_chat]}
"""


def bench_settings() -> Settings:
    """The mirror behind an embedded core, with every shipped definition and one of each of people's own scenarios."""
    settings = default_settings()
    used = "".join(f"  - {{use: {name}}}\n" for name in settings.binding.definitions)
    text = f"{_OWN.rstrip()}\n{used}"
    config = load(text, known(settings.binding.definitions), file="mutants", environ={}, read_file=str)
    return Settings(config=config, binding=settings.binding, redactor=settings.redactor, source="mutants")


def bench_cases(settings: Settings, model: str, without: Collection[str] = ()) -> list[Case]:
    """The default matrix for `model` of the mirror, but for the scenarios that are switched off."""
    found = cases(settings.config, settings.binding, Wanted(models=(f"mirror/{model}",)))
    return [case for case in found if case.scenario not in without]


async def play(
    mutants: Sequence[Mutant],
    *,
    settings: Settings,
    without: Collection[str],
    clock: Clock,
    draw: Draw,
    report: Callable[[Caught], None],
    see: Callable[[Mutant, Sequence[Run]], None] = lambda mutant, runs: None,
) -> list[Caught]:
    """What became of each of `mutants`, in their order; `report` is told each as it ends, `see` shown its runs.

    One that is heavy, or not caught as declared, is played by itself at the end: time limits are short, and a loop
    that is busy with others makes time-outs of its own.
    """
    turns, found = asyncio.Semaphore(AT_ONCE), dict[str, Caught]()

    async def one(mutant: Mutant) -> Caught:
        if mutant.drift is not None:
            cases = bench_cases(settings, mutant.model, without)
            said = drifted(mutant.drift, cases, read_groups(settings.config.rules))
            found[mutant.name] = compared(mutant, said, without)
            return found[mutant.name]
        async with turns, bench_of(mutant, settings, clock, draw) as own:
            order = Order(
                config=own.config,
                cases=bench_cases(own, mutant.model, without),
                repeat=mutant.runs,
                bend=mutant.bend,
                attribution=mutant.deployed is not None,
            )
            runs = await gate(order, clock=clock, draw=draw, redact=str, report=lambda run: None)
        see(mutant, runs)
        last = runs[mutant.runs - 1 :: mutant.runs]
        found[mutant.name] = compared(mutant, verdicts(last, domains=mutant.deployed is not None), without)
        return found[mutant.name]

    async def together(mutant: Mutant) -> None:
        if not (caught := await one(mutant)).wrong:
            report(caught)

    async with asyncio.TaskGroup() as tasks:
        for mutant in mutants:
            if not mutant.heavy:
                tasks.create_task(together(mutant))
    for mutant in mutants:
        if mutant.heavy or found[mutant.name].wrong:
            report(await one(mutant))
    return [found[mutant.name] for mutant in mutants]


@asynccontextmanager
async def bench_of(mutant: Mutant, settings: Settings, clock: Clock, draw: Draw) -> AsyncIterator[Settings]:
    """The settings that show `mutant`: the mirror behind an embedded core, or behind a gateway on the wire."""
    if mutant.deployed is None:
        yield settings
        return
    async with deployed(settings, mutant.deployed, clock, draw) as own:
        yield own


def verdicts(runs: Sequence[Run], *, domains: bool = False) -> Mapping[str, Mapping[str, int]]:
    """How many cases of each scenario came to each reason, those that decide nothing in brackets; passes left out.

    `domains`: a failure's word has its fault domain, too.
    """
    found: dict[str, Counter[str]] = {}
    for run in runs:
        outcome, reason = run.finding.outcome, str(run.finding.reason)
        if outcome is Outcome.PASS:
            continue
        failed = f"{reason}: {run.finding.fault_domain}" if domains else reason
        word = {Outcome.FAIL: failed, Outcome.INCONCLUSIVE: f"[{reason}]"}.get(outcome, f"({reason})")
        found.setdefault(run.case.scenario, Counter())[word] += 1
    return {name: dict(counts) for name, counts in found.items()}
