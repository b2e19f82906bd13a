"""`canaries replay ID`: the judgement of a run again, on its recorded bytes or on a new answer."""

import asyncio
import secrets
import sys
import time
from typing import NoReturn

import click

from llm_canaries.canary.canary import Case, Finding, Run
from llm_canaries.canary.evidence.judgement import plain, said
from llm_canaries.canary.evidence.replay import (
    Replayed,
    Unreplayable,
    attributed_again,
    differences,
    recorded,
    replay,
    replay_twins,
)
from llm_canaries.canary.evidence.value import Evidence
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.report.evidence import printable
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.cli.kept import find, place_of, place_options, refuse
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.settings import settings_or_exit
from llm_canaries.config.secrets import Redactor
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.playing import Order, playing
from llm_canaries.service.settings import Settings
from llm_canaries.wire.fault import bracketed

DIFFERS, UNREPLAYABLE = 1, 3


@click.command()
@click.argument("number", metavar="ID")
@place_options
@click.option("--send", is_flag=True, help="Send the case again, live, as the configuration has its gateway.")
def command(number: str, config: str | None, state: str | None, url: str | None, send: bool) -> None:
    """Judge the run ID again, with today's readers and today's judge, and show both findings.

    Nothing is sent: the canary is played with the recorded draws and memory, and answered with the recorded bytes, and
    so are the twins that decided whose fault it is. With --send the same case is sent anew.

    Exit code 0: the same judgement; 1: another; 2: usage, or no such run; 3: it cannot be judged again.
    """
    kept = find(place_of(config, state, url), number)
    if kept.evidence is None:
        _unreplayable(number, kept.problem)
    case, evidence = kept.evidence.case, kept.evidence
    where = f"{case.gateway}, model {case.model}, {case.dialect}, stream {case.stream_word}"
    click.echo(f"run {number}: {case.canary} at {where}")
    click.echo(f"recorded: {told(evidence.finding)}")
    if evidence.judged != evidence.finding:
        click.echo(f"by its answers alone: {told(evidence.judged)}")
    blamed = list[str]()
    try:
        if send:
            after = _sent(evidence, settings_or_exit(config))
        else:
            found = asyncio.run(replay(evidence, SCENARIOS))
            after = found.finding
            _tell_replayed(evidence, found)
            blamed = _attributed(evidence, found.run)
    except Unreplayable as error:
        _unreplayable(number, str(error))
    differ = differences(evidence.judged, after) + blamed
    for line in differ:
        click.echo(f"  {line}")
    if differ and not send and any(answer.masked for answer in evidence.answers):
        click.echo("secrets were taken out of what was recorded; the difference may be theirs")
    click.echo("another judgement" if differ else "the same judgement")
    sys.exit(DIFFERS if differ else 0)


def told(finding: Finding) -> str:
    """A finding in one line."""
    domain = bracketed(finding.fault_domain)
    head = f"{finding.outcome.value} {finding.reason}{domain}".rstrip()
    return printable(f"{head}: {finding.detail}" if finding.detail else head)


def _tell_replayed(evidence: Evidence, found: Replayed) -> None:
    click.echo(f"replayed: {told(found.finding)}")
    if found.unused:
        count = len(evidence.answers)
        click.echo(f"  decided by {count - found.unused} of the {count} recorded answers")


def _attributed(evidence: Evidence, run: Run) -> list[str]:
    """What differs of whose fault it is, a line each; the twins are told, and what the table makes of them."""
    twins, left = asyncio.run(replay_twins(evidence, SCENARIOS))
    for twin in evidence.twins:
        again = said(twins[twin.way].finding, Redactor(()))
        differs = differences(twin.run.judged, again)
        click.echo(f"twin {twin.name}: {told(again)}{'' if differs else ', as recorded'}")
        for line in differs:
            click.echo(f"  {line}")
    for line in left:
        click.echo(f"taken as recorded, for it cannot be judged again: {line}")
    before, verdict = evidence.finding.fault_domain, attributed_again(evidence, run, twins)
    if verdict is None:
        return []
    same = verdict.domain == before
    click.echo(f"whose fault: {verdict.sentence}{', as recorded' if same else ''}")
    return [] if same else [f"whose fault: {before or 'none'}, now {verdict.domain}"]


def _sent(evidence: Evidence, settings: Settings) -> Finding:
    """The finding of the same case sent again. Raises Unreplayable where the case is not what it was."""
    gateway, before = evidence.case.gateway, recorded(evidence, SCENARIOS)
    if gateway not in settings.config.gateways:
        refuse(f"--send: the configuration has no gateway {gateway}; give the one that has it with --config")
    case = _configured(evidence, before.case, settings)
    click.echo("sending; every mark and number is drawn anew, for what was sent before could be answered by a cache")
    redact, clock = settings.redactor, Clock(time.monotonic, time.time)

    async def work() -> Run:
        order = Order(config=settings.config, cases=[case])
        async with playing(order, clock=clock, redact=redact, learn=redact.learn) as play:
            return await play.run(case, secrets.randbelow, before.memory)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        finding = said(runner.run(work()).finding, redact)
    click.echo(f"sent now: {told(finding)}")
    return finding


def _configured(evidence: Evidence, before: Case, settings: Settings) -> Case:
    """The case as it is configured now, or as it was recorded where it is configured no more."""
    wanted = Wanted(canaries=(before.canary,), gateways=(before.gateway,), models=(before.model,))
    found = [each for each in cases(settings.config, settings.binding, wanted) if each.key == before.key]
    if not found and evidence.params_masked:
        raise Unreplayable("its parameters held secrets, which are not kept, and it is configured no more")
    if not found:
        click.echo("it is configured no more, and sent as it was recorded")
    elif plain(found[0].params) != evidence.case.params:
        click.echo("its parameters are others now, and are sent as they are configured")
    return found[0] if found else before


def _unreplayable(number: str, why: str) -> NoReturn:
    click.echo(f"run {number} cannot be judged again: {why}", err=True)
    sys.exit(UNREPLAYABLE)
