"""Quota as windows of a plan, told as a share of each: Claude subscriptions, Codex, Copilot (protocols.md A7)."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from llm_canaries.wire.headers import Headers, header, instant, number
from llm_canaries.wire.quota import Quota, share, used

UNIFIED = "anthropic-ratelimit-unified-"
_CLAUDE = re.compile(UNIFIED + r"(?P<window>\d\w*|overage)-(?P<what>utilization|status|reset)", re.ASCII)
_CODEX = re.compile(
    r"x-codex-(?:(?P<family>[a-z0-9_]+)-)?(?P<window>primary|secondary)-"
    r"(?P<what>used-percent|window-minutes|reset-at|reset-after-seconds)"
)
_COPILOT = re.compile(
    r"x-quota-snapshot-(?P<snapshot>premium_interactions|premium_models|chat|completions)"
    r"|x-usage-ratelimit-(?P<usage>session|weekly)"
)
_ONE_MODEL = "7d_oi"  # the window of one model alone: it refuses no other


def claude(headers: Headers, now: float) -> Iterator[Quota]:
    """The windows of a Claude subscription; one that refuses is used up whatever else it says."""
    for window, said in _grouped(headers, _CLAUDE).items():
        ratio = share(number(said.get("utilization")))
        if _is_rejected(said.get("status")) and window != "overage":
            ratio = 1.0
        if ratio is not None:
            reset = instant(said.get("reset", ""), now)
            yield Quota(scope=window, unit="ratio", used_ratio=ratio, reset_at=reset)


def rejection(headers: Headers, now: float) -> tuple[bool, float | None]:
    """Whether a window of a Claude subscription refuses, and seconds until all that refuse have passed.

    Only those bound the wait; one that refuses a single model does not refuse the credential.
    """
    windows = _grouped(headers, _CLAUDE)
    refusing = {window for window, said in windows.items() if _is_rejected(said.get("status"))} - {"overage"}
    if refusing == {_ONE_MODEL}:
        return False, None
    resets = [windows[window].get("reset", "") for window in refusing]
    if _is_rejected(header(headers, f"{UNIFIED}status")):
        refusing.add("unified")
        resets.append(header(headers, f"{UNIFIED}reset") or "")
    waits = [at - now for reset in resets if (at := instant(reset, now)) is not None]
    return bool(refusing), max(waits, default=None)


def codex(headers: Headers, now: float) -> Iterator[Quota]:
    """The two windows of a ChatGPT plan, and those of a model that has its own (`bengalfox`), by their length."""
    for name, said in _grouped(headers, _CODEX).items():
        ratio = share(number(said.get("used-percent")), 100)
        if ratio is None:
            continue
        family, _, window = name.rpartition("-")
        length = _length(number(said.get("window-minutes"))) or window
        after = number(said.get("reset-after-seconds"))
        reset = instant(said.get("reset-at", ""), now)
        if reset is None and after is not None:
            reset = instant(str(now + after), now)
        yield Quota(scope=f"{family}-{length}".lstrip("-"), unit="ratio", used_ratio=ratio, reset_at=reset)


def copilot(headers: Headers, now: float) -> Iterator[Quota]:
    """Copilot's snapshots: `rem` is a percentage, `ent` the entitlement (-1: no limit), counts may be negative."""
    for name, value in headers:
        match = _COPILOT.fullmatch(name)
        if match is None:
            continue
        said = dict(pair.split("=", 1) for pair in re.split("[&;]", value) if "=" in pair)
        said = {key.strip(): unquote(each).strip() for key, each in said.items()}
        limit, left = number(said.get("ent")), number(said.get("totRem", said.get("remaining")))
        if limit is not None and limit < 0:
            continue
        percent = number(said.get("rem"))
        remaining = None if left is None else max(0.0, left)
        ratio = used(remaining, limit) if percent is None else share(100 - percent, 100)
        if ratio is None and remaining is None:
            continue
        yield Quota(
            scope=match["snapshot"] or match["usage"],
            unit="requests" if match["snapshot"] else "ratio",
            remaining=remaining,
            limit=limit,
            used_ratio=ratio,
            reset_at=instant(said.get("rst", said.get("resetAt", "")), now),
        )


def _grouped(headers: Headers, pattern: re.Pattern[str]) -> Mapping[str, dict[str, str]]:
    """What each window says, by its name, with the family in front where it has one."""
    found: dict[str, dict[str, str]] = {}
    for name, value in headers:
        if match := pattern.fullmatch(name.lower()):
            family = match.groupdict().get("family")
            window = f"{family}-{match['window']}" if family else match["window"]
            found.setdefault(window, {})[match["what"]] = value.strip()
    return found


def _is_rejected(status: str | None) -> bool:
    return status is not None and status.strip().lower() == "rejected"


def _length(minutes: float | None) -> str:
    """The length of a window as people say it: 300 minutes are 5h, 10080 are 7d."""
    if minutes is None or not 1 <= minutes < 1e6 or minutes % 1:
        return ""
    whole = int(minutes)
    return f"{whole // 1440}d" if whole % 1440 == 0 else f"{whole // 60}h" if whole % 60 == 0 else f"{whole}m"
