"""`canaries rules backtest`: what would have fired over stored history, when, and for how long."""

import os
import re
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
from msgspec.structs import replace

from llm_canaries.alerts.text import duration
from llm_canaries.canary.load import Wanted
from llm_canaries.cli.rules_check import read_texts, tell_problems
from llm_canaries.cli.settings import USAGE, chosen_cases, config_option, settings_or_exit
from llm_canaries.config.problems import ConfigError, allowed
from llm_canaries.rules.duration import read_duration
from llm_canaries.rules.group import RuleGroup
from llm_canaries.rules.load import load
from llm_canaries.rules.variant import with_threshold
from llm_canaries.service.replay import CaseFacts, Replay, Spell, covered
from llm_canaries.service.rule_files import shipped_packs
from llm_canaries.service.settings import Settings
from llm_canaries.state.database import FILE
from llm_canaries.state.runs import RunRow, runs_since

LEAD = 86400.0  # seconds of runs before the start, so that the ledgers are as they were
_SETTING = re.compile(r"(\w+)(?::(warning|critical))?=([0-9.]+)(%?)")


@click.command()
@click.argument("files", nargs=-1, metavar="[FILES…]")
@click.option("--since", default="7d", show_default=True, metavar="DURATION", help="How far back.")
@click.option("--step", default="1m", show_default=True, metavar="DURATION", help="The time between two evaluations.")
@click.option("--set", "settings", multiple=True, metavar="ALERT[:SEVERITY]=NUMBER", help="Another threshold.")
@click.option("--state", "folder", metavar="FOLDER", help="The state; that of the configuration if absent.")
@config_option
def backtest(
    files: Sequence[str], since: str, step: str, settings: Sequence[str], folder: str | None, config: str | None
) -> None:
    """What the rules of FILES, or of the shipped packs, would have said over the runs in the state.

    Covers what is made of runs: states, ratios, counts and times of canaries. Breakers, quotas and pages of gateways
    left no history. Exit code 2 where there is nothing to replay.
    """
    seconds, every = _seconds("--since", since), _seconds("--step", step)
    texts = read_texts(files) if files else {f"rules/{pack.name}.yml": pack.text for pack in shipped_packs().values()}
    try:
        groups, left = covered(load(texts))
    except ConfigError as error:
        tell_problems(error.problems)
    read = settings_or_exit(config)
    now = time.time()
    runs = _runs(_folder(folder, read), now - seconds - LEAD)
    cases_now = chosen_cases(read, Wanted())
    facts = {case.key: CaseFacts(case.every, case.thresholds) for case in cases_now}
    start = max(now - seconds, runs[0].started)
    cases = len({run.case for run in runs})
    click.echo(f"{len(runs)} runs of {cases} cases, {_when(start)} to {_when(now)}, every {step}.")
    unknown = {run.case for run in runs} - set(facts)
    if unknown:
        click.echo(f"{len(unknown)} cases are not configured any more; their thresholds are not known.")
    if left:
        click.echo(f"Not covered, for want of history: {', '.join(left)}.")
    _tell("As the rules are", Replay(runs, facts).spells(groups, start, now, every))
    if settings:
        variant = _variant(groups, settings)
        _tell(f"With {', '.join(settings)}", Replay(runs, facts).spells(variant, start, now, every))


def _variant(groups: Sequence[RuleGroup], settings: Sequence[str]) -> tuple[RuleGroup, ...]:
    for setting in settings:
        found = _SETTING.fullmatch(setting)
        if found is None:
            _refuse(f"--set {setting}: write ALERT=NUMBER or ALERT:SEVERITY=NUMBER, such as KnownGoodErrorRatio=5%")
        name, severity, text, percent = found.groups()
        threshold, changed, out = float(text) / (100 if percent else 1), 0, []
        for group in groups:
            rules = []
            for rule in group.rules:
                meant = rule.kind == "alert" and rule.name == name and severity in (None, rule.severity)
                other = with_threshold(rule, threshold) if meant else None
                changed += other is not None
                rules.append(other or rule)
            out.append(replace(group, rules=tuple(rules)))
        groups = out
        if not changed:
            names = {rule.name for group in groups for rule in group.rules if with_threshold(rule, 0.0) is not None}
            _refuse(f"--set {setting}: no covered alert of that name has a threshold; {allowed(name, names)}")
    return tuple(groups)


def _tell(heading: str, spells: Sequence[Spell]) -> None:
    click.echo(f"\n{heading}: {len(spells)} alert{'s' if len(spells) != 1 else ''} would have fired.")
    for each in spells:
        lasted = f"for {duration(each.ended - each.began)}" if each.ended is not None else "and still does"
        labels = ", ".join(f'{name}="{text}"' for name, text in sorted(each.labels.items()))
        click.echo(f"  {_when(each.began)}  {each.alertname} {each.severity} {lasted}  {{{labels}}}")


def _runs(folder: Path, since: float) -> list[RunRow]:
    file = folder / FILE
    if not file.is_file():
        _refuse(f"{file} does not exist; name the state's folder with --state")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            runs = sorted(runs_since(connection, since), key=lambda run: run.started)
    except sqlite3.Error as error:
        _refuse(f"{file} cannot be read: {error}")
    if not runs:
        _refuse(f"{file} has no runs since then")
    return runs


def _folder(folder: str | None, read: Settings) -> Path:
    if folder or read.config.state:
        return Path(folder or read.config.state or "")
    home = os.environ.get("XDG_STATE_HOME") or str(Path(os.environ.get("HOME", ".")) / ".local" / "state")
    return Path(home) / "llm-canaries"


def _refuse(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(USAGE)


def _seconds(option: str, text: str) -> float:
    seconds = read_duration(text)
    if not seconds:
        _refuse(f"{option} {text}: not a duration such as 7d or 1h30m")
    return seconds


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, tz=UTC):%Y-%m-%d %H:%M}"
