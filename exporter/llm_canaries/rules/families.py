"""Selectors held against the table of families: a name or a label that nothing exports can never match."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches

from llm_canaries.config.problems import Problem
from llm_canaries.rules.group import Rule, RuleGroup
from llm_canaries.rules.matcher import Matchers
from llm_canaries.rules.promql.plan import selectors
from llm_canaries.rules.vector import NAME

PREFIXES = ("llm_canary_", "llm_gateway_", "llm_sidecar_")
_SCRAPED = ("job", "instance", "le")


def strangers(
    groups: Sequence[RuleGroup],
    labels: Mapping[str, Sequence[str]],
    histograms: Collection[str] = (),
    unfilled: Mapping[str, str] = {},
    anything: Collection[str] = (),
) -> list[Problem]:
    """What rules select of our families that is not there; `labels` are those of each family.

    `anything` are families of which the labels are not known yet; `unfilled` says why nothing fills one.
    """
    known = dict(labels)
    for name in histograms:
        known |= {f"{name}_{end}": labels[name] for end in ("bucket", "sum", "count")}
        known.pop(name)
    return [
        Problem(group.file, rule.line, f"group `{group.name}`, rule `{rule.name}`: {message}")
        for group in groups
        for rule in group.rules
        for message in dict.fromkeys(_told(rule, known, unfilled, anything))
    ]


def values_read(groups: Sequence[RuleGroup], family: str, label: str) -> frozenset[str] | None:
    """The values of `label` by which rules select `family`; None where one of them may mean any."""
    found = set[str]()
    for matchers in (each for group in groups for rule in group.rules for each in selectors(rule.plan)):
        if _name(matchers) == family:
            own = [each for each in matchers if each.name == label]
            if not own or any(each.operator != "=" for each in own):
                return None
            found |= {each.value for each in own}
    return frozenset(found)


def _told(
    rule: Rule, known: Mapping[str, Sequence[str]], unfilled: Mapping[str, str], anything: Collection[str]
) -> Iterator[str]:
    for matchers in selectors(rule.plan):
        name = _name(matchers)
        family = re.sub("_(bucket|sum|count)$", "", name)
        if not name.startswith(PREFIXES):
            continue
        if (empty := name if name in unfilled else family) in unfilled:
            yield f"nothing fills `{empty}`: {unfilled[empty]}"
        elif not {name, family}.isdisjoint(anything):
            continue
        elif name not in known:
            near = get_close_matches(name, [*known, *anything], 1)
            yield f"no family is named `{name}`{f'; did you mean `{near[0]}`?' if near else ''}"
        else:
            for matcher in matchers:
                if matcher.name not in (NAME, *_SCRAPED, *known[name]):
                    yield f"`{name}` has no label `{matcher.name}`; it has {', '.join(known[name])}"


def _name(matchers: Matchers) -> str:
    return next((each.value for each in matchers if each.name == NAME and each.operator == "="), "")
