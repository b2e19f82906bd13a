"""The same random series in a real Prometheus 3 and in our windows: every expression has the same value in both."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest
from prometheus3 import STALE, Server, running
from promql_random import START, TICK, Draw, Expressions, Source

from llm_canaries.content import content
from llm_canaries.rules.load import load
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import Refused, parse
from llm_canaries.rules.promql.plan import selectors
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.sources import Sources
from llm_canaries.rules.table import NAME
from llm_canaries.service.metrics import FAMILIES

EXPRESSIONS = 500
CLOSE = 1e-9
TICKS = 110
TIMES = [START + TICK * tick + offset for tick, offset in ((60, 0.0), (83, 4.321), (105, 0.0), (110, 200.0))]
NEWER = re.compile(r"many-to-one matching must be explicit")
"""Prometheus 3.5 sees several matches only where they pass the comparison; later ones see them always, as we do."""
Row = dict[tuple[tuple[str, str], ...], float]


@pytest.fixture(scope="module")
def drawn() -> list[Source]:
    draw = Draw(7)
    return [draw.source(TICKS, "a"), draw.source(TICKS // 2, "b", 2 * TICK), packs(draw)]


@pytest.fixture(scope="module")
def server(drawn: Sequence[Source], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("prometheus"), every="1m") as server:
        samples = [(at, labels, bits) for source in drawn for labels, row in source.samples(STALE) for at, bits in row]
        samples.sort(key=lambda each: each[0])
        for low in range(0, len(samples), 20_000):
            server.write([(labels, [(at, bits)]) for at, labels, bits in samples[low : low + 20_000]])
        yield server


@pytest.fixture(scope="module")
def ours(drawn: Sequence[Source]) -> Sources:
    return Sources([source.window() for source in drawn])


def packs(draw: Draw) -> Source:
    """Series that the shipped rules select, with every value of a label that a rule names, around their thresholds."""
    source = Source(draw.times(TICKS))
    plans = [rule.plan for group in shipped() for rule in group.rules]
    wanted: dict[str, list[dict[str, str]]] = {}
    for matchers in (each for plan in plans for each in selectors(plan)):
        name = next(each.value for each in matchers if each.name == NAME)
        stated = {each.name: each.value for each in matchers if each.operator == "=" and each.name != NAME}
        sets = wanted.setdefault(name, [])
        sets += [stated] if stated not in sets else []
    for name, sets in sorted(wanted.items()):
        family = FAMILIES.get(re.sub("_(bucket|sum|count)$", "", name)) or FAMILIES.get(name)
        labels = family.labels if family else ("canary", "gateway")
        for stated in sets:
            for number in range(3):
                plain = {label: f"{label}{number}" for label in labels} | stated
                made = {"__name__": name, **plain} | ({"le": "+Inf"} if name.endswith("_bucket") else {})
                if made not in source.labels:
                    draw._add(source, made, pack_values(draw, name))
    return source


def pack_values(draw: Draw, name: str):
    if "threshold" in name:
        return lambda: 0.02
    choices = draw.random.choice(([0.0, 1.0], [0.01, 0.03, 0.2], [1.0, 3.0, 40.0], [START - 9e4, START, START + 900]))
    return lambda: draw.random.choice(choices)


def shipped():
    return load({name: text for name, text in content("rules").items() if name.endswith(".yml")})


def generated(names: Sequence[str]) -> list[str]:
    """Expressions that are evaluated: all but the one construct in which Prometheus itself errs."""
    maker, found = Expressions(Draw(11), names), []
    while len(found) < EXPRESSIONS:
        expression = maker.vector()
        try:
            parse(expression)
        except Refused as refused:
            if "Prometheus forgets the offset" not in str(refused):
                raise
            continue
        found += [expression] if len(expression) < 400 else []
    return found


def theirs(server: Server, expression: str, at: float) -> Row | str:
    found = server.query(expression, at)
    return found if isinstance(found, str) else {tuple(sorted(labels.items())): value for labels, value in found}


def own(sources: Sources, expression: str, at: float) -> Row | str:
    try:
        with np.errstate(all="raise"):  # what is not a number on purpose says so where it is made
            vector = Tick(sources, at).vector(parse(expression))
    except EvaluationError as error:
        return str(error)
    keys = [tuple(sorted(labels.items())) for labels in vector.labels]
    assert len(set(keys)) == len(keys), expression
    return dict(zip(keys, vector.values.tolist(), strict=True))


def differs(got: Row | str, wanted: Row | str) -> str:
    if isinstance(wanted, str) or isinstance(got, str):
        return "" if isinstance(got, str) and isinstance(wanted, str) else f"{str(got)[:300]} but {str(wanted)[:300]}"
    if got.keys() != wanted.keys():
        here, there = sorted(got.keys() - wanted.keys()), sorted(wanted.keys() - got.keys())
        return f"only here {here[:3]}, only there {there[:3]}"
    for key, value in wanted.items():
        same = got[key] == value or (math.isnan(got[key]) and math.isnan(value))
        if not same and not math.isclose(got[key], value, rel_tol=CLOSE, abs_tol=CLOSE):
            return f"{key}: {got[key]!r} but {value!r}"
    return ""


def compared(server: Server, sources: Sources, expressions: Sequence[str]) -> tuple[list[str], int, int]:
    """What differs; how many answers have a value, and how many are an error only in later versions."""
    problems, filled, newer = [], 0, 0
    for expression in expressions:
        for at in TIMES:
            got, wanted = own(sources, expression, at), theirs(server, expression, at)
            if isinstance(got, str) and isinstance(wanted, dict) and NEWER.search(got):
                newer += 1
                continue
            filled += isinstance(wanted, dict) and bool(wanted)
            problem = differs(got, wanted)
            if problem:
                problems.append(f"{expression} at {at}: {problem}")
    return problems, filled, newer


def test_every_shipped_expression_has_the_same_value(server, ours):
    expressions = [rule.expression for group in shipped() for rule in group.rules]
    problems, filled, newer = compared(server, ours, expressions)
    assert problems == []
    assert newer == 0
    assert filled > len(expressions) // 2


def test_generated_expressions_have_the_same_value(server, ours, drawn, capsys):
    names = sorted({labels[NAME] for source in drawn[:2] for labels in source.labels})
    expressions = generated(names)
    problems, filled, newer = compared(server, ours, expressions)
    answers = EXPRESSIONS * len(TIMES)
    with capsys.disabled():
        print(f"\nagainst Prometheus 3: {answers} answers, {filled} with series, {newer} errors of later versions only")
    assert problems == [], f"{len(problems)} differ:\n" + "\n".join(problems[:10])
    assert filled > answers // 2
    assert newer < answers // 10


def test_what_the_store_was_given_is_what_the_window_holds(server, ours, drawn):
    """The differential test would be easy on an empty store."""
    for source in drawn:
        at = source.times[-1] / 1000
        name = source.labels[0][NAME]
        expression = f"count_over_time({name}[1h])"
        wanted: Mapping = theirs(server, expression, at)
        assert wanted == own(ours, expression, at)
        assert sum(wanted.values()) > 3 * len(wanted)
