"""Covers canary/run.py: what is known to be impossible is skipped, what cannot be written is undecided."""

import pytest
from plays import case

from llm_canaries.canary.run import run_case
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.wire.json import WireError
from llm_canaries.wire.profile import ModelFacts


class Unwritable:
    """A lane on which nothing can be written."""

    async def send(self, step):
        raise WireError("thinking: no such level")

    async def look(self, step):
        raise AssertionError("known-good looks at no page")


@pytest.mark.parametrize(
    ("name", "facts", "outcome", "reason"),
    [
        ("known-good", ModelFacts(), "inconclusive", "unwritable_ask"),
        ("tool-result-image", ModelFacts(vision=False), "skip", "text_only_model"),
        ("thinking", ModelFacts(thinking=False), "skip", "no_thinking"),
    ],
)
async def test_runs_that_come_to_nothing(draw, name, facts, outcome, reason):
    scenario = SCENARIOS[name]
    run = await run_case(case(scenario, facts=facts), scenario, {"gateway": Unwritable()}, draw=draw, now=1.0)
    assert (run.finding.outcome, run.finding.reason, run.answers) == (outcome, reason, ())
    if reason == "unwritable_ask":
        assert run.finding.detail == "thinking: no such level"
