"""What people expect of an answer, in their own checks: each expectation is one small function.

Patterns are RE2's, which cannot hang whatever they are shown.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias

import re2  # type: ignore[import-untyped]

from llm_canaries.canary.canary import Finding
from llm_canaries.canary.json_path import read_path, same, values_at
from llm_canaries.canary.verdict import failed, undecided
from llm_canaries.wire.clip import clipped
from llm_canaries.wire.fault import Domain
from llm_canaries.wire.headers import Headers, header
from llm_canaries.wire.json import WireError, decode, encode_text
from llm_canaries.wire.message import Finish, Usage

Value: TypeAlias = str | int | float | bool | None


class Reason(StrEnum):
    """How an answer differs from what was expected of it, and when that cannot be told."""

    STATUS_DIFFERS = "status_differs"
    HEADER_DIFFERS = "header_differs"
    JSON_DIFFERS = "json_differs"
    TEXT_DIFFERS = "text_differs"
    FINISH_DIFFERS = "finish_differs"
    TOKENS_DIFFER = "tokens_differ"
    LATE = "late"
    NO_COUNTS = "no_counts"


_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.dot_nl = True


@lru_cache(1024)
def pattern(text: str) -> Any:
    """A compiled pattern. Raises ValueError."""
    try:
        return re2.compile(text, _OPTIONS)
    except re2.error as error:
        said = error.args[0] if error.args else "not a pattern"
        words = said.decode() if isinstance(said, bytes) else str(said)
        raise ValueError(f"`{text}` is not a pattern: {words}") from None


def check(patterns: Sequence[str], paths: Sequence[str]) -> None:
    """Raises ValueError for the first that cannot be used."""
    for text in patterns:
        pattern(text)
    for path in paths:
        read_path(path)


def of_status(status: int | None, wanted: int) -> Finding | None:
    """The status is the one expected."""
    if status == wanted:
        return None
    return failed(Reason.STATUS_DIFFERS, Domain.DEPLOYMENT, f"HTTP {status}, expected {wanted}")


def of_headers(headers: Headers, wanted: Mapping[str, str]) -> Finding | None:
    """Every header named is there, and its pattern is found in it."""
    for name, text in wanted.items():
        value = header(headers, name)
        if value is None:
            return failed(Reason.HEADER_DIFFERS, Domain.DEPLOYMENT, f"no header {name}")
        if pattern(text).search(value) is None:
            return failed(Reason.HEADER_DIFFERS, Domain.DEPLOYMENT, f"{name} is {clipped(value)!r}, expected {text!r}")
    return None


def of_json(body: bytes, wanted: Mapping[str, Value]) -> Finding | None:
    """Each path holds its value, or one of its values does; null is also for a path that leads nowhere."""
    if not wanted:
        return None
    try:
        said = decode(body)
    except WireError as error:
        return failed(Reason.JSON_DIFFERS, Domain.TRANSLATION, str(error))
    for path, value in wanted.items():
        found = list(values_at(said, read_path(path)))
        if any(same(each, value) for each in found) or (value is None and not found):
            continue
        what = f"`{path}` is {clipped(encode_text(found[0]))}" if found else f"nothing at `{path}`"
        return failed(Reason.JSON_DIFFERS, Domain.TRANSLATION, f"{what}, expected {encode_text(value)}")
    return None


def of_text(text: str, contains: Sequence[str], lacks: Sequence[str], matches: Sequence[str]) -> Finding | None:
    """The text holds every piece of `contains`, none of `lacks`, and every pattern of `matches` is found in it."""
    plain = unicodedata.normalize("NFKC", text)

    def wrong(what: str) -> Finding:
        return failed(Reason.TEXT_DIFFERS, Domain.PROVIDER, f"{what} in {clipped(text)!r}")

    for piece in contains:
        if unicodedata.normalize("NFKC", piece) not in plain:
            return wrong(f"no {piece!r}")
    for piece in lacks:
        if unicodedata.normalize("NFKC", piece) in plain:
            return wrong(f"{piece!r}")
    for each in matches:
        if pattern(each).search(plain) is None:
            return wrong(f"nothing that matches {each!r}")
    return None


def of_finish(finish: Finish | None, native: str | None, wanted: Sequence[Finish]) -> Finding | None:
    """The model stopped for one of the reasons expected; none expected is any."""
    if not wanted or finish in wanted:
        return None
    detail = f"finish reason {native!r}, expected {' or '.join(wanted)}"
    return failed(Reason.FINISH_DIFFERS, Domain.PROVIDER, detail)


def of_tokens(usage: Usage | None, wanted: Mapping[str, tuple[int, int | None]]) -> Finding | None:
    """Each count (`input`, `output`, `reasoning`) lies within its bounds; one that nobody counted cannot be told."""
    for kind, (least, most) in wanted.items():
        count = getattr(usage, kind) if usage is not None else None
        if count is None:
            return undecided(Reason.NO_COUNTS, f"{kind} tokens are not counted")
        if count < least or (most is not None and count > most):
            bounds = f"at least {least}" if most is None else f"{least} to {most}"
            return failed(Reason.TOKENS_DIFFER, Domain.PROVIDER, f"{count} {kind} tokens, expected {bounds}")
    return None


def of_time(what: str, seconds: float | None, within: float) -> Finding | None:
    """It took no longer than allowed; 0 allows any time."""
    if not within or seconds is None or seconds <= within:
        return None
    return failed(Reason.LATE, Domain.PROVIDER, f"{what} after {seconds:.2f} s, allowed {within:g} s")
