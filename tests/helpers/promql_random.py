"""Made-up series and expressions, the same ones for the same seed."""

import math
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from llm_canaries.rules.window import GAP, STALE, Window

START = 1_700_000_000.0
TICK = 15.0
LE = ("0.1", "0.5", "1", "5", "+Inf")


@dataclass
class Source:
    """Series sampled together: `rows[i]` has the bits of all series at `times[i]`, in milliseconds."""

    times: list[int]
    labels: list[dict[str, str]] = field(default_factory=list)
    columns: list[list[int]] = field(default_factory=list)

    def window(self) -> Window:
        window = Window(len(self.times))
        window.align(self.labels)
        for at, row in zip(self.times, zip(*self.columns, strict=True), strict=True):
            window.append(at / 1000, np.array(row, dtype=np.uint64).view(np.float64))
        return window

    def samples(self, stale: int) -> list[tuple[Mapping[str, str], list[tuple[int, int]]]]:
        """Each series with what was sampled; `stale` are the bits of a stale marker."""
        found = []
        for labels, column in zip(self.labels, self.columns, strict=True):
            there = [(at, bits) for at, bits in zip(self.times, column, strict=True) if bits != GAP]
            found.append((labels, [(at, stale if bits == STALE else bits) for at, bits in there]))
        return found


class Draw:
    """Series and expressions drawn at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def times(self, ticks: int, every: float = TICK) -> list[int]:
        """Ticks that come late now and then, and fail to come."""
        kept = [tick for tick in range(ticks) if self.random.random() > 0.03]
        return [round(1000 * (START + every * tick)) + self.random.choice((0, 0, 0, 1, 7, 250)) for tick in kept]

    def source(self, ticks: int, name: str, every: float = TICK) -> Source:
        """Counters, gauges, histograms and odd values; series that come, go stale and return."""
        source = Source(self.times(ticks, every))
        for number in range(12):
            labels = {"job": f"j{number % 3}", "i": str(number), "src": name}
            self._add(source, {"__name__": f"{name}_total", **labels}, self._counter())
            self._add(source, {"__name__": f"{name}_gauge", **labels}, self._gauge())
            self._add(source, {"__name__": f"{name}_level", **labels}, self._level())
            if number % 2:
                self._add(source, {"__name__": f"{name}_odd", **labels, "extra": "x"}, self._odd())
        for number in range(3):
            self._histogram(source, {"__name__": f"{name}_seconds_bucket", "job": f"j{number}", "src": name})
        return source

    def _add(self, source: Source, labels: dict[str, str], value: "Values") -> None:
        there, column = self.random.random() < 0.85, []
        went = not there
        for _ in source.times:
            if self.random.random() < 0.03:
                there = not there
            number = value()
            if there:
                column.append(GAP if self.random.random() < 0.04 else _bits(number))
            else:
                column.append(GAP if went or self.random.random() < 0.3 else STALE)
            went = not there
        source.labels.append(labels)
        source.columns.append(column)

    def _counter(self) -> "Values":
        total, step = self.random.choice((0.0, 3.0, 1000.0)), self.random.choice((0.0, 0.1, 1.0, 7.0))

        def value() -> float:
            nonlocal total
            total = 0.0 if self.random.random() < 0.02 else total + self.random.choice((0.0, step, 2 * step))
            return total

        return value

    def _gauge(self) -> "Values":
        centre = self.random.choice((0.0, 1.0, -50.0, 5e3))
        return lambda: centre + self.random.gauss(0, 3)

    def _level(self) -> "Values":
        return lambda: float(self.random.choice((0, 0, 1, 2, 3)))

    def _odd(self) -> "Values":
        return lambda: self.random.choice((math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.5, -3.0, 1e-9, 1e9))

    def _histogram(self, source: Source, labels: dict[str, str]) -> None:
        counts = [0.0] * len(LE)
        columns: list[list[int]] = [[] for _ in LE]
        for _ in source.times:
            for _ in range(self.random.randrange(4)):
                bucket = self.random.randrange(len(LE))
                counts = [count + (place >= bucket) for place, count in enumerate(counts)]
            for column, count in zip(columns, counts, strict=True):
                column.append(_bits(count))
        source.labels += [{**labels, "le": le} for le in LE]
        source.columns += columns


Values = type(lambda: 0.0)


class Expressions:
    """Expressions over series of these names, of every construct that is evaluated.

    Times count from `START`: the difference of large numbers would compare rounding errors.
    """

    def __init__(self, draw: Draw, names: Sequence[str]) -> None:
        self._random, self._names = draw.random, names

    def vector(self, depth: int = 3) -> str:
        """An instant vector."""
        if depth <= 0:
            return self._selector()
        makers = (
            self._selector, self._over, self._over, self._each, self._aggregate, self._aggregate, self._with_scalar,
            self._two, self._set, self._labelled, self._quantile, self._absent, self._stamp,
        )  # fmt: skip
        maker = self._random.choice(makers)
        return maker() if maker == self._selector else maker(depth - 1)

    def scalar(self, depth: int = 1) -> str:
        """A number."""
        plain = ("0", "1", "2.5", "-1", "100", "1e-3", f"(time() - {START})", "pi()", "NaN", "Inf")
        if depth <= 0 or self._random.random() < 0.8:
            return self._random.choice(plain)
        return f"scalar({self.vector(depth - 1)})"

    def _selector(self, *, moved: bool = True) -> str:
        name = self._random.choice(self._names)
        matchers = ("", "", '{job="j1"}', '{job=~"j[01]"}', '{i!="3"}', '{i!~"1.*", job!=""}', '{extra=""}')
        when = ("", "", "", "", " offset 1m", " offset -30s", f" @ {START + 900}", " @ end()", " @ start() offset 2m")
        return name + self._random.choice(matchers) + (self._random.choice(when) if moved else "")

    def _range(self, depth: int) -> str:
        if depth > 0 and self._random.random() < 0.15:
            step = self._random.choice(("", "30s", "17s", "1m"))
            return f"({self.vector(depth - 1)})[{self._random.choice(('3m', '7m'))}:{step}]" + self._random.choice(
                ("", " offset 1m")
            )
        selector, _, when = self._selector().partition(" ")
        length = self._random.choice(("20s", "45s", "1m", "5m", "7m13s", "12m", "1ms"))
        if "{" in selector and "}" not in selector:  # the matchers had a blank
            head, _, when = when.partition("}")
            selector = f"{selector} {head}}}"
        return f"{selector}[{length}]{when if when.startswith(' ') or not when else ' ' + when}"

    def _over(self, depth: int) -> str:
        plain = (
            "rate", "increase", "delta", "irate", "idelta", "deriv", "resets", "changes", "avg_over_time",
            "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time",
            "present_over_time", "stddev_over_time", "stdvar_over_time", "absent_over_time",
        )  # fmt: skip
        ranged = self._range(depth)
        special = self._random.random()
        if special < 0.08:
            return f"quantile_over_time({self._random.choice(('0.5', '0.9', '0', '1', '-1', '2', 'NaN'))}, {ranged})"
        if special < 0.16:
            return f"predict_linear({ranged}, {self._random.choice(('60', '3600', '-30'))})"
        return f"{self._random.choice(plain)}({ranged})"

    def _each(self, depth: int) -> str:
        plain = ("abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "round", "atan", "tanh", "deg",
                 "rad", "sort", "sort_desc", "cos", "sin", "asinh")  # fmt: skip
        inner = self.vector(depth)
        special = self._random.random()
        if special < 0.1:
            return f"clamp({inner}, {self._random.choice(('-2', '0', '3'))}, 2)"
        if special < 0.2:
            return f"{self._random.choice(('clamp_min', 'clamp_max'))}({inner}, 1.5)"
        if special < 0.25:
            return f"round({inner}, {self._random.choice(('0.1', '5', '-2'))})"
        if special < 0.3:
            return f"-({inner})"
        if special < 0.4:
            dates = ("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year")
            return f"{self._random.choice(dates)}({inner})"
        return f"{self._random.choice(plain)}({inner})"

    def _grouping(self) -> str:
        groupings = ("", "", " by (job)", " by (job, src)", " without (i)", " by (nothing)", " without ()")
        return self._random.choice(groupings)

    def _aggregate(self, depth: int) -> str:
        inner, grouping = self.vector(depth), self._grouping()
        special = self._random.random()
        if special < 0.12:
            return f"quantile{grouping} ({self._random.choice(('0.5', '0.95', '0', '1', '1.1'))}, {inner})"
        if special < 0.22:
            levels = self._random.choice([name for name in self._names if name.endswith("_level")])
            return f'count_values{grouping} ("v", {levels} * 2)'
        name = self._random.choice(("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"))
        return f"{name}{grouping} ({inner})"

    def _with_scalar(self, depth: int) -> str:
        operators = ("+", "-", "*", "/", "%", "^", ">", "<", ">=", "<=", "==", "!=", "> bool", "atan2")
        operator = self._random.choice(operators)
        sides = [self.vector(depth), self.scalar()]
        self._random.shuffle(sides)
        return f"({sides[0]} {operator} {sides[1]})"

    def _two(self, depth: int) -> str:
        operator = self._random.choice(("+", "-", "*", "/", "%", ">", "<", "== bool", ">= bool", "!=", "atan2"))
        match = self._random.random()
        left, right = self.vector(depth), self.vector(depth)
        if match < 0.4:
            return f"({left} {operator} {right})"
        if match < 0.6:
            return f"(sum by (job) ({left}) {operator} on (job) max by (job) ({right}))"
        if match < 0.8:
            side = self._random.choice(("group_left", "group_left ()", "group_left (extra)"))
            return f"({left} {operator} on (job) {side} sum by (job, extra) ({right}))"
        return f"(avg by (job) ({left}) {operator} ignoring (i, src, extra) group_right () {right})"

    def _set(self, depth: int) -> str:
        operator = self._random.choice(("and", "or", "unless"))
        match = self._random.choice(("", " on (job)", " on (job, i)", " ignoring (src, extra)", " on ()"))
        return f"({self.vector(depth)} {operator}{match} {self.vector(depth)})"

    def _labelled(self, depth: int) -> str:
        inner = self.vector(depth)
        return self._random.choice((
            f'label_replace({inner}, "new", "$1-${{2}}", "i", "(.)(.?)")',
            f'label_replace({inner}, "job", "x$1", "job", "j(.*)")',
            f'label_replace({inner}, "extra", "", "extra", ".*")',
            f'label_join({inner}, "all", "/", "job", "i", "none")',
        ))  # fmt: skip

    def _quantile(self, depth: int) -> str:
        buckets = self._random.choice([name for name in self._names if name.endswith("_bucket")])
        inner = self._random.choice((buckets, f"rate({buckets}[5m])", f"sum by (le) (increase({buckets}[3m]))"))
        if self._random.random() < 0.3:
            return f"histogram_fraction({self._random.choice(('0.1', '0.5', '-Inf'))}, 2, {inner})"
        return f"histogram_quantile({self._random.choice(('0.5', '0.99', '0', '1', '2', 'NaN'))}, {inner})"

    def _absent(self, depth: int) -> str:
        return self._random.choice((f"absent({self.vector(depth)})", 'absent(nothing{job="a", i!="3"})',
                                    "vector(1)", "absent_over_time(nothing[5m])"))  # fmt: skip

    def _stamp(self, depth: int) -> str:
        if self._random.random() < 0.3:
            return f"(timestamp({self.vector(depth)}) - {START})"
        when = self._random.choice(("", " offset 1m", f" @ {START + 900}", " @ end()"))
        return f"(timestamp({self._random.choice(self._names)}{when}) - {START})"


def _bits(number: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", number))[0])
