"""Token files of other programs: read for the token and its expiry, never written.

The form is CLIProxyAPI's: the expiry stands under one of several names, at the top or in `token`, or follows from
`expires_in` and `timestamp` (router-for-me/CLIProxyAPI sdk/cliproxy/auth/types.go, ExpirationTime).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from llm_canaries.wire.json import Object, WireError, decode_object, mapping, string

_EXPIRIES = ("expired", "expire", "expires_at", "expiresAt", "expiry", "expires")
_PERIODS = ("expires_in", "expiresIn")
_STARTS = ("timestamp", "issued_at", "issuedAt")
_TOKENS = ("access_token", "accessToken")
_MILLISECONDS = 1e12  # a larger number of seconds is beyond the year 33658
_LARGEST = 1024 * 1024  # bytes; no token file comes near
_EVERY = 1.0  # seconds between two looks at a file's time of change


class Refresh(StrEnum):
    """What can be said of a token without asking anybody."""

    ACTIVE = "active"
    PENDING = "pending"
    EXPIRED = "expired"
    DISABLED = "disabled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token file says: the token (in no repr), its expiry in Unix seconds, and what is wrong with the file."""

    access: str = field(default="", repr=False)
    expires_at: float | None = None
    disabled: bool = False
    error: str = ""

    def state(self, now: float) -> Refresh:
        """The state at `now` (Unix seconds); pending is a file whose program has not got its token yet."""
        if self.error:
            return Refresh.ERROR
        if self.disabled:
            return Refresh.DISABLED
        if self.expires_at is not None and self.expires_at <= now:
            return Refresh.EXPIRED
        return Refresh.ACTIVE if self.access else Refresh.PENDING


def read_token(body: bytes) -> Token:
    """The token in a file's bytes; what cannot be read is a Token with its error, which repeats nothing of the file."""
    try:
        said = decode_object(body)
    except WireError:
        return Token(error="not a JSON object")
    inner = mapping(said.get("token"))
    access = next((text for each in (said, inner) for key in _TOKENS if (text := string(each.get(key)))), "")
    if not access.isprintable() or not access.isascii() or " " in access:
        return Token(error="a token that fits into no header")
    return Token(access, _expiry(said) or _expiry(inner), said.get("disabled") is True)


class TokenFile:
    """One token file, read again when it changed."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._seen: tuple[int, int] | None = None
        self._look_at = float("-inf")
        self._token = Token(error="not read yet")

    def token(self, now: float) -> tuple[Token, bool]:
        """What the file says at `now` (monotonic seconds), and whether it is another file than at the last look."""
        if now < self._look_at:
            return self._token, False
        self._look_at = now + _EVERY
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen == self._seen:
                return self._token, False
            if stat.st_size > _LARGEST:
                token = Token(error="too large for a token")
            else:
                token = read_token(self._path.read_bytes())
        except OSError as error:
            seen, token = None, Token(error=(error.strerror or "cannot be read").lower())
        changed, self._seen, self._token = token != self._token, seen, token
        return token, changed


def _expiry(said: Object) -> float | None:
    for key in _EXPIRIES:
        if (at := _moment(said.get(key))) is not None:
            return at
    period = next((seconds for key in _PERIODS if (seconds := _number(said.get(key))) is not None), None)
    start = next((at for key in _STARTS if (at := _moment(said.get(key))) is not None), None)
    return start + period if period is not None and start is not None else None


def _moment(value: object) -> float | None:
    """Unix seconds out of a number of seconds or milliseconds, or of an ISO time (UTC where it does not say)."""
    if (number := _number(value)) is not None:
        return number / 1000 if number > _MILLISECONDS else number
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(value: object) -> float | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        value = int(value) if len(value) < 20 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e16:
        return None
    return float(value)
