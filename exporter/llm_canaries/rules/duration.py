"""Durations as Prometheus writes them."""

import re

_UNITS = {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in ("y", "w", "d", "h", "m(?!s)", "s", "ms")))


def read_duration(text: str) -> float | None:
    """Seconds of `1h30m`, `5m`, `15s`, `0`; None where it is none."""
    if text == "0":
        return 0.0
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        return None
    return sum(int(number) * unit for number, unit in zip(found.groups("0"), _UNITS.values(), strict=True))
