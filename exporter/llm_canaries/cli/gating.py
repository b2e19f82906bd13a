"""`canaries run --gate`: the options, the forecast, and playing until each group is decided."""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence

import click

from llm_canaries.canary.canary import Case, Run
from llm_canaries.canary.claim import parse_claim, parse_confidence
from llm_canaries.canary.forecast import cost_of
from llm_canaries.canary.gating import By, Gated, Group, Rules, Why, groups
from llm_canaries.canary.report.gate import percent
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.progress import showing_gate
from llm_canaries.cli.settings import parsed
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.gating import gating
from llm_canaries.service.playing import Order
from llm_canaries.service.settings import Settings

MOST_RUNS = 100_000
CONFIDENCE = "95%"
_ASKED = "; then, once a case and reason that failed, up to three runs that say whose fault it is"


def rules_of(claims: Sequence[str], by: str | None, confidence: str | None, most: int | None) -> Rules | None:
    """The gate that the options ask for, None for none. Raises UsageError for one that cannot be."""
    if not claims:
        given = {"--gate-by": by, "--confidence": confidence, "--max-runs": most}
        for option, value in given.items():
            if value is not None:
                raise click.UsageError(f"{option} is for a gate; add --gate 'failures < 5%'")
        return None
    made = [parsed("--gate", text, parse_claim) for text in claims]
    sure = parsed("--confidence", confidence or CONFIDENCE, parse_confidence)
    return Rules(claims=tuple(dict.fromkeys(made)), confidence=sure, by=By(by or By.CANARY), most=most)


def groups_of(cases: Sequence[Case], rules: Rules, *, allow_undecided: bool) -> list[Group]:
    """The groups to play. Raises UsageError where a claim concerns none, or one could never pass."""
    for claim in rules.claims:
        if cases and not any(claim.concerns(case) for case in cases):
            canaries = ", ".join(sorted({case.canary for case in cases}))
            raise click.UsageError(f"--gate `{claim.text}`: no canary selected ({canaries}) has this reason")
    found = groups(cases, rules)
    for group in found:
        for claim in group.claims:
            if group.clean(claim) > group.most and not allow_undecided:
                size = f" over {len(group.cases)} cases" if len(group.cases) > 1 else ""
                raise click.UsageError(
                    f"--max-runs {group.most} can never prove `{claim.text}` at {percent(rules.confidence)} confidence"
                    f"{size}: that takes {group.clean(claim)} runs without a failure; raise --max-runs or the limit, or"
                    " add --allow-undecided to look for failures alone"
                )
    return found


def forecast(found: Sequence[Group], rules: Rules, *, attribution: bool) -> str:
    """What the gate will ask for: without failures, and at most; `attribution` asks whose fault those are."""
    clean = [max(group.clean(claim) for claim in group.claims) for group in found]
    least = _cost(found, [min(need, group.most) for need, group in zip(clean, found, strict=True)])
    most = _cost(found, [group.most for group in found], longest=True)
    claims = " and ".join(claim.text for claim in rules.claims)
    count = f"{len(found)} group{'s' if len(found) != 1 else ''}"
    return (
        f"Gate: {claims} at {percent(rules.confidence)} confidence, {count}. Without a failure {least[0]:,} requests "
        f"and {least[1]:,} tokens, at most {most[0]:,} requests and {most[1]:,} tokens"
        f"{_ASKED if attribution else ''}."
    )


def play_gate(settings: Settings, order: Order, rules: Rules, found: Sequence[Group]) -> tuple[list[Run], Gated, bool]:
    """The runs, what the gate came to, and whether it was interrupted."""
    ended: list[Run] = []
    judged: Mapping[int, Run] = {}
    clock, redact, interrupted = Clock(time.monotonic, time.time), settings.redactor, False
    with showing_gate(found) as (step, end):

        def report(run: Run) -> None:
            ended.append(run)
            step(run)

        work = gating(
            order,
            found,
            clock=clock,
            draw=secrets.randbelow,
            redact=redact,
            report=report,
            end=end,
            learn=redact.learn,
        )
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                judged = runner.run(work)
        except KeyboardInterrupt:
            interrupted = True
            for group in found:
                group.hold(Why.INTERRUPTED, "")
    verdicts = tuple(verdict for group in found for verdict in group.verdicts(judged))
    ended = [judged.get(id(run), run) for run in ended]
    return ended, Gated(rules=rules, verdicts=verdicts), interrupted


def _cost(found: Sequence[Group], runs: Sequence[int], *, longest: bool = False) -> tuple[int, int]:
    """Requests and tokens of so many runs of each group, if they pass; `longest`: answers as long as they may be."""
    requests = tokens = 0
    for group, count in zip(found, runs, strict=True):
        for place, case in enumerate(group.cases):
            times = count // len(group.cases) + (place < count % len(group.cases))
            cost = cost_of(case, SCENARIOS[case.scenario])
            cost = cost.most if longest else cost
            requests += times * cost.requests
            tokens += times * (cost.input_tokens + cost.output_tokens)
    return requests, tokens
