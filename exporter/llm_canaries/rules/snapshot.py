"""A window as bytes and back: what the state keeps, so that a restart leaves a gap in the history and no end of it."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import DecodeError, Struct, msgpack

from llm_canaries.rules.vector import Floats

History = tuple[list[float], Sequence[Mapping[str, str]], Floats]
FORMAT = 1


class _Saved(Struct, frozen=True):
    """The bytes of `values` are float64, a row a tick; gaps and stale markers are kept by their bits."""

    format: int
    times: list[float]
    series: list[dict[str, str]]
    values: bytes


def dump(history: History) -> bytes:
    """The bytes of what a window holds."""
    times, series, values = history
    raw = np.ascontiguousarray(values, dtype="<f8").tobytes()
    return msgpack.encode(_Saved(FORMAT, times, [dict(each) for each in series], zlib.compress(raw, 1)))


def read(data: bytes) -> History | None:
    """What `dump` was given; None where the bytes are damaged or of another format."""
    try:
        saved = msgpack.decode(data, type=_Saved)
        values = np.frombuffer(zlib.decompress(saved.values), dtype="<f8").astype(np.float64)
    except (DecodeError, zlib.error, ValueError):
        return None
    shape = (len(saved.times), len(saved.series))
    if saved.format != FORMAT or values.size != shape[0] * shape[1]:
        return None
    return saved.times, saved.series, values.reshape(shape)
