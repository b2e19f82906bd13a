"""`canaries onboard`: checks a new provider block, watches it, and ends with a verdict."""

import asyncio
import json
import os
import secrets
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import NoReturn

import click
from rich.console import Console

from llm_canaries.canary.canary import Outcome
from llm_canaries.canary.exit_code import ExitCode
from llm_canaries.canary.onboarding import Reason, Seen, Verdict, judge, vanished
from llm_canaries.canary.report.json import json_report
from llm_canaries.canary.report.table import table_report
from llm_canaries.cli.files import check_reports, write
from llm_canaries.cli.loop import loop_factory
from llm_canaries.cli.settings import USAGE, config_option, one_gateway, settings_or_exit, split
from llm_canaries.config.values import Refused, check_name, parse_duration
from llm_canaries.gateways.table import KINDS
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.beside import Beside
from llm_canaries.service.onboard import Block, Onboard
from llm_canaries.service.settings import Settings, state_folder

INTERRUPTED = 130
LEAST_EVERY = 10.0  # seconds between two looks at a gateway that is not our mirror (DESIGN 5.13)
_LOOKS = 5  # in a watch that is shorter than five times the usual interval

_CODES = {"ready": ExitCode.PASSED, "not ready": ExitCode.FAILED, "undecided": ExitCode.UNDECIDED}
_FINE = (Outcome.PASS, Outcome.SKIP)
_NEXT = {
    Reason.NOT_LISTED: "correct the id, the prefix or the provider block, reload the gateway, and run this again",
    Reason.CANARY_FAILED: "see what the reason means, {explain}; mend it, and run this again",
    Reason.REFUSED_MEANWHILE: "recheck the credential and the plan; the gateway may hold the model back for 30 minutes",
    Reason.LIMITED_MEANWHILE: "add capacity or wait for the reset before traffic goes there",
    Reason.FAILED_MEANWHILE: "keep traffic away, read the gateway's log for these asks, and run this again",
    Reason.VANISHED: "lift what suspended the model, and run this again",
    Reason.NO_LIST: "find out whether the gateway has a model list; without one, name the models with --models",
    Reason.NOTHING_ASKED: "name the models with --models, or add them to the gateway's models in the configuration",
    Reason.CANARY_UNDECIDED: "see what the reason means, {explain}; often a setting of the model lacks",
    Reason.FAILED_ONCE: "watch again, and longer: one failure may be chance",
    Reason.SLOWED: "watch again, and longer; compare with the provider's own status page",
    Reason.LEFT_OUT: "run this again once what forbade it is over: `canaries explain left_out`",
    Reason.CUT_SHORT: "watch to the end before production traffic",
}


@click.command()
@click.argument("prefix")
@config_option
@click.option("--watch", default="15m", show_default=True, metavar="TIME", help="How long to watch; 0s not at all.")
@click.option("--every", metavar="TIME", help="The time between two looks [60s, or a fifth of a short watch].")
@click.option("--gateway", metavar="NAME", help="The gateway; needed where several are configured.")
@click.option("--models", multiple=True, metavar="IDS", help="The ids expected under the prefix; commas.")
@click.option("--json", "json_file", metavar="FILE", help="Write what was found as JSON; - is standard output.")
def command(
    prefix: str,
    config: str | None,
    watch: str,
    every: str | None,
    gateway: str | None,
    models: Sequence[str],
    json_file: str | None,
) -> None:
    """Check the provider block behind PREFIX, watch it, and say whether it is ready for traffic.

    The ids under the prefix must be listed, one canary of each kind must pass through it, and while it is watched
    nothing may be refused, limited or gone. One ask at a time, within the day's budget, of which the sidecar may have
    spent a part; Ctrl-C ends with the verdict so far.

    Exit code 0: ready. 1: not ready. 2: configuration or usage. 3: undecided. 130: interrupted.
    """
    settings = settings_or_exit(config)
    check_reports(json_file)
    block = _block(settings, prefix, watch, every, gateway, split(models))
    clock = Clock(time.monotonic, time.time)

    def say(line: str) -> None:
        click.echo(settings.redactor(line), err=True)

    budget = Beside(settings.config, state_folder(settings.config, os.environ), clock)
    onboard, interrupted = Onboard(settings, block, budget, clock, secrets.randbelow, say), False
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(onboard.run())
    except KeyboardInterrupt:
        interrupted = True
    seen = onboard.seen
    verdict = judge(seen)
    _show(Console(file=sys.stderr if json_file == "-" else sys.stdout, soft_wrap=True, highlight=False), seen, verdict)
    write(json_file, json.dumps(report(block, seen, verdict), indent=1) + "\n")
    sys.exit(INTERRUPTED if interrupted else _CODES[verdict.word])


def report(block: Block, seen: Seen, verdict: Verdict) -> dict[str, object]:
    """All that was found, for scripts: the verdict, its reasons, the list, the runs and the watch."""
    runs = [tick.run for tick in seen.ticks if tick.run is not None]
    reasons = Counter(str(run.finding.reason) for run in runs if run.finding.reason)
    return {
        "prefix": block.prefix,
        "gateway": block.gateway,
        "verdict": verdict.word,
        "reasons": [{"reason": cause.reason.value, "detail": cause.detail} for cause in verdict.causes],
        "expected": list(seen.expected),
        "listed": None if seen.listed is None else list(seen.listed),
        "missing": [each for each in seen.expected if seen.listed is not None and each not in seen.listed],
        "left_out": list(seen.spared),
        "runs": json.loads(json_report(seen.runs))["runs"],
        "watch": {
            "seconds": round(seen.watched, 1),
            "planned_seconds": seen.planned,
            "asks": len(runs),
            "reasons": dict(reasons),
            "median_seconds": round(statistics.median(seen.latencies), 4) if seen.latencies else None,
            "slowest_seconds": round(max(seen.latencies), 4) if seen.latencies else None,
            "vanished": vanished(seen),
        },
    }


def _block(
    settings: Settings, prefix: str, watch: str, every: str | None, gateway: str | None, models: tuple[str, ...]
) -> Block:
    prefix = prefix.rstrip("/")
    try:
        check_name(prefix)
    except Refused as refused:
        _usage(f"PREFIX `{prefix}` {refused}")
    name = one_gateway(settings.config, gateway)
    lasting = _seconds("--watch", watch) if watch not in ("0", "0s") else 0.0
    own = settings.config.gateways[name]
    free = not KINDS[own.kind].deployed and own.providers is None
    least = 0.5 if free else LEAST_EVERY
    pause = _seconds("--every", every) if every is not None else max(least, min(60.0, lasting / _LOOKS))
    if pause < least:
        _usage(f"--every {every}: is too often for a gateway that others use; write at least {least:g}s")
    return Block(gateway=name, prefix=prefix, models=models, watch=lasting, every=pause)


def _seconds(option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except Refused as refused:
        _usage(f"{option} {text}: {refused}")


def _usage(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(USAGE)


def _show(out: Console, seen: Seen, verdict: Verdict) -> None:
    if seen.runs:
        table = table_report(seen.runs)
        out.width = max(out.width, out.measure(table, options=out.options.update(max_width=1000)).maximum)
        out.print(table)
    times = seen.latencies
    if times:
        out.print(
            f"Watched {seen.watched:.0f} s: {len(times)} answers, {statistics.median(times) * 1000:.0f} ms (median), "
            f"{max(times) * 1000:.0f} ms at most."
        )
    for cause in verdict.causes:
        out.print(f"{cause.reason.value}: {cause.detail}", markup=False)
    out.print(f"Verdict: {verdict.word}.", style="bold")
    said = dict.fromkeys(str(run.finding.reason) for run in seen.runs if run.finding.outcome not in _FINE)
    commands = " and ".join(f"`canaries explain {each}`" for each in said)
    for reason in dict.fromkeys(cause.reason for cause in verdict.causes):
        out.print(f"Next: {_NEXT[reason].format(explain=commands)}", markup=False)
    if verdict.word == "ready":
        out.print("Next: send it production traffic, and bind its canaries in canaries.yml", markup=False)
