"""JSON as the dialects need it: untyped decoding, and lookups that never raise on strangers' data."""

from typing import Any, TypeAlias

import msgspec

Object: TypeAlias = dict[str, Any]


class WireError(ValueError):
    """Bytes that a dialect cannot read; the message says where and what was expected."""


_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


def decode(body: bytes | str) -> Any:
    """The JSON value of `body`; leading blank lines (keep-alives) are legal. Raises WireError."""
    try:
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
    """`value` as compact JSON."""
    return _ENCODER.encode(value)


def encode_text(value: object) -> str:
    """`value` as compact JSON text."""
    return _ENCODER.encode(value).decode()


def string(value: object) -> str:
    """`value` when it is a string, else empty."""
    return value if isinstance(value, str) else ""


def integer(value: object) -> int | None:
    """`value` when it is a whole number (5 and 5.0, not true), else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def items(value: object) -> list[Any]:
    """`value` when it is a list, else nothing."""
    return value if isinstance(value, list) else []


def mapping(value: object) -> Object:
    """`value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def kind(value: object) -> str:
    """The JSON name of `value`'s type."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def want(condition: bool, message: str) -> None:
    """Raises WireError(`message`) unless `condition`."""
    if not condition:
        raise WireError(message)
