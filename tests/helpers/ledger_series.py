"""What the ledger shows of a pattern of runs, as the values of promtool's unit tests, one sample a minute."""

from itertools import groupby

from llm_canaries.canary.ledger import Ledger

HISTORY = 25  # passed runs before minute 0
MINUTE = 60.0


def ledger_series(failed: list[bool], every: int, window: str, minutes: int) -> tuple[str, str]:
    """The notations of the lower bound and of n over `minutes`, when run i starts at minute `(i + 1) * every`."""
    ledger = Ledger()
    for run in range(HISTORY, -1, -1):
        ledger.add(-run * every * MINUTE, failed=False)
    lowers, runs, waiting = [], [], list(failed)
    for minute in range(minutes + 1):
        if minute and minute % every == 0 and waiting:
            ledger.add(minute * MINUTE, failed=waiting.pop(0))
        tally = ledger.tally(window, minute * MINUTE)
        lowers.append(f"{tally.lower:.4f}" if tally.lower is not None else "stale")
        runs.append(str(tally.runs))
    return _notation(lowers), _notation(runs)


def _notation(values: list[str]) -> str:
    items = []
    for value, same in groupby(values):
        more = len(list(same)) - 1
        if value == "stale" and more:
            items.append(f"stale _x{more}")
        else:
            items.append(f"{value}x{more}" if more else value)
    return " ".join(items)
