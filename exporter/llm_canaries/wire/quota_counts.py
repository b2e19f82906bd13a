"""Quota as counts: OpenAI's and Anthropic's header families, and the IETF draft (protocols.md A7)."""

import re
from collections.abc import Iterator

from llm_canaries.wire.headers import Headers, go_duration, instant, number
from llm_canaries.wire.quota import Quota, used

_FAMILIES = (
    re.compile(r"x-ratelimit-(?P<what>remaining|limit|reset)-(?P<scope>requests|tokens|project-tokens)"),
    re.compile(
        r"anthropic-ratelimit-(?P<scope>requests|tokens|input-tokens|output-tokens)-(?P<what>remaining|limit|reset)"
    ),
)


def counted(headers: Headers, now: float) -> Iterator[Quota]:
    """The scopes of each family; OpenAI tells a reset as a duration, Anthropic as an instant, gateways mix them."""
    for family in _FAMILIES:
        found: dict[str, dict[str, str]] = {}
        for name, value in headers:
            if match := family.fullmatch(name):
                found.setdefault(match["scope"], {})[match["what"]] = value
        for scope, said in found.items():
            remaining, limit = _count(said.get("remaining")), _count(said.get("limit"))
            if remaining is None and limit is None:
                continue
            yield Quota(
                scope=scope,
                unit="requests" if scope == "requests" else "tokens",
                remaining=remaining,
                limit=limit,
                used_ratio=used(remaining, limit),
                reset_at=_reset_at(said.get("reset", ""), now),
            )


def drafted(headers: Headers, now: float) -> Iterator[Quota]:
    """`ratelimit: "api";r=999;t=295`, its limit in `ratelimit-policy: "api";q=1000`."""
    limits = {name: _count(said.get("q")) for name, said in _items(headers, "ratelimit-policy")}
    for name, said in _items(headers, "ratelimit"):
        remaining, wait = _count(said.get("r")), _count(said.get("t"))
        if remaining is None:
            continue
        limit = limits.get(name)
        yield Quota(
            scope=name,
            unit="requests",
            remaining=remaining,
            limit=limit,
            used_ratio=used(remaining, limit),
            reset_at=instant(str(now + wait), now) if wait is not None else None,
        )


def _items(headers: Headers, wanted: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The named items of a header with their parameters."""
    for value in (value for name, value in headers if name == wanted):
        for item in value.split(","):
            name, *parameters = (word.strip() for word in item.split(";"))
            said = dict(word.split("=", 1) for word in parameters if "=" in word)
            if _NAME.fullmatch(bare := name.strip('"')):
                yield bare, said


_NAME = re.compile(r"[\w.-]{1,40}", re.ASCII)  # it becomes a scope, which is a label


def _count(value: str | None) -> float | None:
    found = number(value)
    return found if found is not None and found >= 0 else None


def _reset_at(value: str, now: float) -> float | None:
    wait = go_duration(value)
    return instant(value, now) if wait is None else now + wait
