"""What is wrong with rules that can be evaluated: they select what is not there, can never fire, or say too little."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from llm_canaries.config.problems import Problem, in_order
from llm_canaries.rules.evaluate import evaluate
from llm_canaries.rules.families import strangers
from llm_canaries.rules.group import Rule, RuleGroup
from llm_canaries.rules.reach import recorded, shape_of
from llm_canaries.rules.severities import disagreements
from llm_canaries.rules.window import Window
from llm_canaries.service.metrics import FAMILIES, UNFILLED
from llm_canaries.service.vocabulary import family_labels, histograms, our_world, page_series, page_world

Pages = Mapping[str, str]
NOTED = ("runbook", "runbook_url")


def examine(
    groups: Sequence[RuleGroup],
    needs: Mapping[str, str],
    explained: Collection[str],
    pages: Pages,
    *,
    shipped: bool = False,
) -> tuple[Problem, ...]:
    """Everything that is wrong with the groups of files; `needs` is what each file says that it needs.

    `explained` are the alerts with a runbook page; `pages` are all that there is to select, our families apart. Raises
    ValueError for a page that is none.
    """
    found: list[Problem] = []
    for group in groups:
        unfilled = {} if needs.get(group.file) else UNFILLED
        found += strangers([group], family_labels(), histograms(), unfilled, anything=UNFILLED)
    told = {(problem.file, problem.line) for problem in found}
    found += [each for each in _never(groups, pages) if (each.file, each.line) not in told]
    found += disagreements(groups)
    found += _unexplained(groups, explained, shipped=shipped)
    found += _collisions(groups)
    return in_order(found)


def on_page(groups: Sequence[RuleGroup], pages: Pages) -> list[str]:
    """Which alerts would begin on these pages as they are; needs no history, so ranges say nothing here."""
    series = [each for text in pages.values() for each in page_series(text)]
    if not pages:
        return []
    window = Window(2)
    window.put(0.0, [labels for labels, _ in series], np.array([value for _, value in series], dtype=np.float64))
    notes = []
    for group in groups:
        for alert in evaluate(group, window, 0.0).alerts:
            labels = ", ".join(f'{name}="{text}"' for name, text in alert.labels.items() if name != "alertname")
            notes.append(f"{alert.labels['alertname']} begins on this page at once: {{{labels}}}")
    return notes


def _never(groups: Sequence[RuleGroup], pages: Pages) -> Iterable[Problem]:
    world = page_world(pages) if pages else our_world()
    for group in groups:
        for rule in group.rules:
            shape = shape_of(rule.plan, world)
            if shape.never:
                yield _problem(group, rule, f"can never {_verb(rule)}: {shape.why}")
            if rule.kind == "record":
                world = recorded(world, rule)


def _unexplained(groups: Sequence[RuleGroup], explained: Collection[str], *, shipped: bool) -> Iterable[Problem]:
    for group in groups:
        for rule in group.rules:
            if rule.kind == "record" or rule.name in explained:
                continue
            if shipped or not any(name in NOTED for name, _ in rule.annotations):
                yield _problem(group, rule, "has no runbook: neither a page nor an annotation `runbook_url`")


def _collisions(groups: Sequence[RuleGroup]) -> Iterable[Problem]:
    for group in groups:
        for rule in group.rules:
            if rule.kind == "record" and rule.name in FAMILIES:
                yield _problem(group, rule, "is recorded under the name of a family that is exported")


def _verb(rule: Rule) -> str:
    return "fire" if rule.kind == "alert" else "be recorded"


def _problem(group: RuleGroup, rule: Rule, message: str) -> Problem:
    return Problem(group.file, rule.line, f"group `{group.name}`, rule `{rule.name}`: {message}")
