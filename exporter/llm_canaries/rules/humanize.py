"""Numbers as Go and Prometheus write them."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

_VERB = re.compile(r"%(?:%|(?:\.(\d{1,2}))?([a-zA-Z])|(.?))")
_LARGE = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
_LARGE_BINARY = ("", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL = ("", "m", "u", "n", "p", "f", "a", "z", "y")


def go_value(value: float) -> str:
    """`%v`: the fewest digits that tell the number, with an exponent below 1e-04 and from 1e+06 on."""
    if not math.isfinite(value):
        return _special(value)
    shortest = Decimal(repr(value))
    exponent = shortest.adjusted() if value else 0
    if -4 <= exponent < 6:
        text = f"{shortest:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa = "".join(map(str, shortest.as_tuple().digits)).rstrip("0")
    point = f".{mantissa[1:]}" if mantissa[1:] else ""
    return f"{'-' if value < 0 else ''}{mantissa[0]}{point}e{exponent:+03d}"


def go_printf(form: str, operands: Sequence[float | str]) -> str:
    """`printf` with the verbs that `printf_problem` lets pass."""
    rest = iter(operands)

    def written(verb: re.Match[str]) -> str:
        if verb.group() == "%%":
            return "%"
        return _written(verb.group(1), verb.group(2), next(rest))

    return _VERB.sub(written, form)


def printf_problem(form: str, kinds: Sequence[Literal["text", "number"]]) -> str | None:
    """What is wrong with a format for operands of these kinds."""
    verbs = [found for found in _VERB.finditer(form) if found.group() != "%%"]
    for verb in verbs:
        if verb.group(2) is None or verb.group(2) not in "efgsv":
            return f"`{verb.group()}` in `printf` is not understood here; `%s`, `%v`, `%f`, `%e`, `%g` and `%.2f` are"
    if len(verbs) != len(kinds):
        return f"`printf {form!r}` wants {len(verbs)} values and is given {len(kinds)}"
    for verb, kind in zip(verbs, kinds, strict=True):
        fits = verb.group(2) in ("sv" if kind == "text" else "efgv")
        if not fits or (verb.group(1) and verb.group(2) in "sv"):
            return f"`{verb.group()}` in `printf` does not fit a {kind}"
    return None


def humanize(value: float) -> str:
    """Four digits and a metric prefix."""
    return _prefixed(value, 1000.0, _LARGE)


def humanize1024(value: float) -> str:
    """Four digits and a binary prefix."""
    if abs(value) <= 1 or not math.isfinite(value):
        return _four(value)
    return _scaled(value, 1024.0, _LARGE_BINARY)


def humanize_percentage(value: float) -> str:
    """Four digits of a percentage."""
    return f"{_four(value * 100)}%"


def humanize_duration(value: float) -> str:
    """Seconds as days, hours, minutes and seconds; Go has no such words for what is beyond its integers."""
    if not math.isfinite(value):
        return _four(value)
    if abs(value) >= 2**63:
        return f"{_four(value)}s"
    if abs(value) < 1:
        return f"{_four(value)}s" if value == 0 else f"{_prefixed(value, 1000.0, _LARGE)}s"
    sign, whole = ("-" if value < 0 else ""), int(abs(value))
    seconds, minutes, hours, days = whole % 60, whole // 60 % 60, whole // 3600 % 24, whole // 86400
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{_four(abs(value))}s"


def _prefixed(value: float, base: float, large: Sequence[str]) -> str:
    if value == 0 or not math.isfinite(value):
        return _four(value)
    if abs(value) >= 1:
        return _scaled(value, base, large)
    power = 0
    while abs(value) < 1 and power < len(_SMALL) - 1:
        value, power = value * base, power + 1
    return f"{_four(value)}{_SMALL[power]}"


def _scaled(value: float, base: float, prefixes: Sequence[str]) -> str:
    power = 0
    while abs(value) >= base and power < len(prefixes) - 1:
        value, power = value / base, power + 1
    return f"{_four(value)}{prefixes[power]}"


def _written(precision: str | None, verb: str, operand: float | str) -> str:
    if isinstance(operand, str):
        return operand
    if not math.isfinite(operand):
        return _special(operand)
    if verb == "v" or (verb == "g" and precision is None):
        return go_value(operand)
    return f"{operand:.{6 if precision is None else precision}{verb}}"


def _four(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else _special(value)


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


FUNCTIONS: Mapping[str, Callable[[float], str]] = {
    "humanize": humanize,
    "humanize1024": humanize1024,
    "humanizePercentage": humanize_percentage,
    "humanizeDuration": humanize_duration,
}
