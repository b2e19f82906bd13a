"""The kinds of value a configuration holds: each is one small parser that says what it wants."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, StrictBool, ValidationInfo, WithJsonSchema

DAY = 86_400.0
LONGEST = 365 * DAY
LEAST_KEY = 16  # characters of a key that signs
SMALLEST, LARGEST = 1024, 1024**3  # bytes of body

_UNITS: Mapping[str, float] = {"d": DAY, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(
    r"(?=[0-9])(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?(?:([0-9]{1,9})ms)?"
)
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)")
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,12})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]+")

DURATIONS = "write `500ms`, `30s`, `10m`, `1h`, `1d` or `1h30m`"
SIZES = "write `512KiB`, `8MiB` or a whole number of bytes"
RATIOS = "write `2%` or `0.02`"


class Refused(ValueError):
    """Why a value cannot be used; the words go after the value: "is not a duration; write …"."""


def parse_duration(value: object) -> float:
    """Seconds in `30s` or `1h30m`. Raises Refused."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise Refused(f"has no unit; {DURATIONS}")
    if isinstance(value, str) and value.startswith("-"):
        raise Refused(f"is negative; {DURATIONS}")
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused(f"is not a duration; {DURATIONS}")
    parts = zip(match.groups(default="0"), _UNITS.values(), strict=True)
    seconds = float(sum(Decimal(count) * Decimal(str(unit)) for count, unit in parts))
    if seconds > LONGEST:
        raise Refused("is too long; write at most `365d`")
    return seconds


def parse_ratio(value: object) -> float:
    """The fraction that `2%` or `0.02` is, at most 1. Raises Refused."""
    number = _number(value)
    if number is None and isinstance(value, str) and value.endswith("%"):
        number = _number(value.removesuffix("%").rstrip())
        number = None if number is None else number / 100
    if number is None:
        raise Refused(f"is not a ratio; {RATIOS}")
    if number > 1:
        raise Refused(f"is more than 100%; {RATIOS}")
    return float(number)


def parse_size(value: object) -> int:
    """Bytes in `8MiB`, or a number of bytes. Raises Refused."""
    size: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        size = int(match[1]) * 1024 ** ["B", "KiB", "MiB", "GiB"].index(match[2])
    if size is None:
        raise Refused(f"is not a size; {SIZES}")
    if not SMALLEST <= size <= LARGEST:
        raise Refused("is out of range; write `1KiB` to `1GiB`")
    return size


def parse_level(value: object) -> float:
    """A threshold: a ratio (`2%`), a duration (`20s`) or a plain number from 0. Raises Refused."""
    if isinstance(value, str) and value.endswith("%"):
        return parse_ratio(value)
    if (number := _number(value)) is not None:
        return float(number)
    try:
        return parse_duration(value)
    except Refused:
        raise Refused("is not a threshold; write `2%`, `0.02`, `20s` or a number from 0") from None


def check_name(value: str) -> str:
    """A name that can be a label and a path. Raises Refused."""
    if not _NAME.fullmatch(value):
        raise Refused("is not a name; use at most 64 letters, digits, `.`, `_`, `-`, a letter or digit first")
    return value


def check_line(value: str) -> str:
    """Text on one line, not empty, no space around it. Raises Refused."""
    if not value:
        raise Refused("is empty; write some text")
    if value != value.strip() or not value.isprintable():
        raise Refused("has line breaks, control characters or space around it; write one clean line")
    return value


def check_header_name(value: str) -> str:
    """A field name of HTTP. Raises Refused."""
    if not _HEADER.fullmatch(value):
        raise Refused("is not a header name; use letters, digits and `-`")
    return value


def check_url(value: str) -> str:
    """A base URL over http or https that holds no credential. Raises Refused."""
    advice = "write `http://host:port` or `https://host`"
    if not value or not value.isprintable() or " " in value:
        raise Refused(f"is not a URL; {advice}")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise Refused(f"is not a URL; {advice}") from None
    if parts.username is not None or parts.password is not None:
        raise Refused("holds a user or password; take it out and use `api_key`")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused(f"is not an http or https URL with a host; {advice}")
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        raise Refused(f"has a query or fragment; {advice}")
    return value


def check_listen(value: str) -> str:
    """HOST:PORT; port 0 takes a free one. Raises Refused."""
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise Refused("is not an address; write `HOST:PORT`, such as `127.0.0.1:9877`")
    return value


def check_secret(value: SecretStr) -> SecretStr:
    """A secret that fits into a header. Raises Refused."""
    text = value.get_secret_value()
    if not text:
        raise Refused("is empty; write one, as `${VARIABLE}` or `${file:/path}`")
    if text != text.strip() or not text.isprintable():
        raise Refused("has line breaks, control characters or space around it; write one clean line")
    return value


def check_signing_key(value: SecretStr) -> SecretStr:
    """A secret that nobody guesses. Raises Refused."""
    if len(check_secret(value).get_secret_value()) < LEAST_KEY:
        raise Refused(f"is too short to sign with; write at least {LEAST_KEY} characters: `openssl rand -hex 32`")
    return value


def parsed(parse: Callable[[object], float], least: float, advice: str) -> BeforeValidator:
    """A validator of durations from `least` seconds; without a context (values made in Python) a number is seconds."""

    def validate(value: object, info: ValidationInfo) -> float:
        direct = info.context is None and isinstance(value, int | float) and not isinstance(value, bool)
        seconds = float(value) if direct and isinstance(value, int | float) else parse(value)
        if seconds < least:
            raise Refused(f"is too short; {advice}")
        return seconds

    return BeforeValidator(validate)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Decimal(str(value)) if 0 <= value < 1e15 else None
    return Decimal(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _form(pattern: str, description: str, **more: Any) -> WithJsonSchema:
    """Text of a form, or text with a `${…}` in it that stands for such text."""
    schema = {"type": "string", "pattern": rf"^(?:{pattern}|.*\$\{{[^}}]+\}}.*)$", "description": description}
    return WithJsonSchema({"anyOf": [schema, more]} if more else schema)


DURATION_FORM = r"(?=[0-9])(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?(?:[0-9]+ms)?"
_BYTES = {"type": "integer", "minimum": SMALLEST, "maximum": LARGEST}
_AMOUNT = {"type": "number", "minimum": 0}

Bool = Annotated[StrictBool, WithJsonSchema({"type": "boolean"})]
Name = Annotated[str, AfterValidator(check_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})]
Line = Annotated[str, AfterValidator(check_line), WithJsonSchema({"type": "string", "minLength": 1})]
HeaderName = Annotated[
    str, AfterValidator(check_header_name), WithJsonSchema({"type": "string", "pattern": f"^{_HEADER.pattern}$"})
]
Url = Annotated[str, AfterValidator(check_url), _form("https?://[^/?#@ ]+[^?#@ ]*", "a base URL, without credentials")]
Listen = Annotated[str, AfterValidator(check_listen), _form(".+:[0-9]+", "HOST:PORT, such as 127.0.0.1:9877")]
Secret = Annotated[SecretStr, AfterValidator(check_secret), WithJsonSchema({"type": "string", "minLength": 1})]
SigningKey = Annotated[
    SecretStr, AfterValidator(check_signing_key), WithJsonSchema({"type": "string", "minLength": 1})
]
Duration = Annotated[
    float, parsed(parse_duration, 0.001, "write at least `1ms`"), _form(DURATION_FORM, "a duration: 30s, 10m, 1h30m")
]
Interval = Annotated[
    float, parsed(parse_duration, 10, "write at least `10s`"), _form(DURATION_FORM, "a duration from 10s: 10m, 1h30m")
]
Size = Annotated[int, BeforeValidator(parse_size), _form("[0-9]+(?:B|KiB|MiB|GiB)", "a size: 8MiB", **_BYTES)]
Level = Annotated[
    float,
    BeforeValidator(parse_level),
    _form(rf"[0-9]+(?:\.[0-9]+)?%?|{DURATION_FORM}", "a ratio (2%), a duration (20s) or a number", **_AMOUNT),
]
