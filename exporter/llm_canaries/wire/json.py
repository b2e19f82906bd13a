"""JSON as the dialects need it: untyped decoding, and lookups that never raise on strangers' data."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, TypeAlias, TypeVar

import msgspec

from llm_canaries.wire import splice
from llm_canaries.wire.digits import Digits, number

Object: TypeAlias = dict[str, Any]
V = TypeVar("V")
_INT64 = 2**63


class WireError(ValueError):
    """Bytes that a dialect cannot read; the message says where and what was expected."""


_DECODER = msgspec.json.Decoder(float_hook=number)
_ENCODER = msgspec.json.Encoder()
HOLE = splice.HOLE
quoted: Callable[[str], bytes] = _ENCODER.encode
"""A string as JSON."""


def decode(body: bytes | str) -> Any:
    """The JSON value of `body`; leading blank lines (keep-alives) are legal. Raises WireError."""
    try:
        if len(body) >= splice.LARGE and isinstance(body, bytes):
            return splice.decode(body)
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None


def decode_object(body: bytes | str) -> Object:
    """The JSON object of `body`. Raises WireError for anything else."""
    value = decode(body)
    if not isinstance(value, dict):
        raise WireError(f"expected a JSON object, got {kind(value)}")
    return value


def encode(value: object) -> bytes:
    """`value` as compact JSON. Raises WireError where it is nested too deeply for the stack that is left."""
    try:
        return _ENCODER.encode(value)
    except TypeError:  # what it cannot encode may be a Large or Digits
        return splice.encode(value)
    except RecursionError:
        raise WireError("nested too deeply") from None


def encode_text(value: object) -> str:
    """`value` as compact JSON text. Raises WireError as `encode` does."""
    return encode(value).decode()


def string(value: object) -> str:
    """`value` when it is a string, else empty."""
    return value if isinstance(value, str) else ""


def integer(value: object) -> int | None:
    """`value` when it is a whole number of 64 bits (5 and 5.0, not true), else None."""
    if type(value) is int and -_INT64 < value < _INT64:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**63:
        return None
    return int(value) if isinstance(value, int) or value.is_integer() else None


def each(where: str, values: list[Any], read: Callable[[Object], V]) -> list[V]:
    """What `read` makes of each of `values`, all objects; a WireError says with `where` which it was."""
    found: list[V] = []
    try:
        for value in values:
            if not isinstance(value, dict):
                raise WireError(f": expected an object, got {kind(value)}")
            found.append(read(value))
    except WireError as error:
        raise WireError(f"{where}[{len(found)}]{error}") from None
    return found


def take(said: Object, key: str, wanted: type[V], where: str = "") -> V | None:
    """Pops `key`: a `wanted`, or None where it is null or absent. Raises WireError that names the field."""
    value = said.pop(key, None)
    if value is None or isinstance(value, wanted):
        return value
    raise WireError(f"{where}{key}: expected {kind(wanted())}, got {kind(value)}")


def take_number(said: Object, key: str) -> float | None:
    """Pops `key`: a number (true is none), or None where it is null or absent. Raises WireError."""
    value = said.pop(key, None)
    if isinstance(value, Digits):
        want(isfinite(value), f"{key}: expected a number of reasonable size")
        return float(value)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise WireError(f"{key}: expected number, got {kind(value)}")


def take_count(said: Object, key: str, where: str = "") -> int | None:
    """Pops `key`: a whole number, or None where it is null or absent. Raises WireError."""
    value = said.pop(key, None)
    if value is None:
        return None
    number = integer(value)
    if number is None:
        raise WireError(f"{where}{key}: expected a whole number, got {kind(value)}")
    return number


def with_value(body: bytes, key: str, value: object) -> bytes:
    """The object `body` with `value` under `key`: every other top-level value keeps its bytes. Raises WireError."""
    try:
        raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError(f"not a JSON object: {error}") from None
    return encode(raw | {key: msgspec.Raw(encode(value))})


def fits(said: Object, wanted: type, *keys: str) -> bool:
    """Whether each of `keys` is a `wanted` where it is neither null nor absent."""
    for key in keys:
        value = said.get(key)
        if value is not None and not isinstance(value, wanted):
            return False
    return True


def items(value: object) -> list[Any]:
    """`value` when it is a list, else nothing."""
    return value if isinstance(value, list) else []


def mapping(value: object) -> Object:
    """`value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rest(said: Object, known: frozenset[str]) -> Object:
    """The fields of `said` that are not `known`."""
    return {} if said.keys() <= known else {key: value for key, value in said.items() if key not in known}


def kind(value: object) -> str:
    """The JSON name of `value`'s type."""
    return _KINDS.get(type(value), "number")


_KINDS: Mapping[type, str] = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def want(condition: bool, message: str) -> None:
    """Raises WireError(`message`) unless `condition`."""
    if not condition:
        raise WireError(message)
