"""The evidence of runs judged again, as it is stored: what was found then has to be found now."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from llm_canaries.canary.canary import Finding, Run
from llm_canaries.canary.evidence.judgement import said
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.evidence.pack import pack, unpack
from llm_canaries.canary.evidence.replay import Unreplayable, replay
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.secrets import Redactor

_NOTHING = Redactor(())


class Stored(Struct, frozen=True):
    """The evidence of one run in bytes, and what its scenario found."""

    evidence: bytes
    finding: Finding


def stored(runs: Sequence[Run]) -> list[Stored]:
    """`runs` as they would be stored."""
    return [
        Stored(
            pack(evidence_of(run, _NOTHING, program="mutants")),
            said(run.judged or run.finding, _NOTHING),
        )
        for run in runs
    ]


def unlike(name: str, runs: Sequence[Stored]) -> list[str]:
    """In words, each run of the mutant `name` that is judged otherwise from its evidence."""
    return asyncio.run(_unlike(name, runs))


async def _unlike(name: str, runs: Sequence[Stored]) -> list[str]:
    told = []
    for run in runs:
        evidence = unpack(run.evidence)
        case, was = f"{name}: {evidence.case.key}", run.finding
        try:
            again = await replay(evidence, SCENARIOS)
        except Unreplayable as error:
            told.append(f"{case}: {error}")
            continue
        if not again.finding == evidence.judged == was or again.unused:
            now = f"{again.finding.outcome} {again.finding.reason} now, {again.unused} answers unused"
            told.append(f"{case}: {was.outcome} {was.reason} then, {now}")
    return told
