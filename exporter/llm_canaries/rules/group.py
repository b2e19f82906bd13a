"""Rules as they were loaded: what is computed, how long it must hold, what an alert of it says."""

from collections.abc import Collection
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.rules.promql.plan import Plan
from llm_canaries.rules.template import Template

Texts = tuple[tuple[str, Template], ...]
RuleKey = tuple[str, str, str, Texts]


class Rule(Struct, frozen=True, kw_only=True):
    """One rule; `hold` is its `for`, `keep` its `keep_firing_for`, in seconds, 0 for a recording rule.

    `names` are the metric names that it selects, None where it could be any; `reach` is how many seconds it looks
    back.
    """

    kind: Literal["alert", "record"]
    name: str
    expression: str
    plan: Plan
    names: frozenset[str] | None = None
    reach: float = 0.0
    hold: float = 0.0
    keep: float = 0.0
    labels: Texts = ()
    annotations: Texts = ()
    line: int = 0

    @property
    def severity(self) -> str:
        """Its label `severity`, empty where it has none or one that is computed."""
        return dict(self.labels).get("severity", Template(())).fixed or ""


class RuleGroup(Struct, frozen=True, kw_only=True):
    """Rules that are evaluated together and in order; `limit` is the most series of each, 0 for any number."""

    file: str
    name: str
    interval: float | None
    limit: int
    rules: tuple[Rule, ...]

    @property
    def reach(self) -> float:
        """How many seconds the farthest-looking of its rules looks back."""
        return max((rule.reach for rule in self.rules), default=0.0)

    def without(self, names: Collection[str]) -> "RuleGroup":
        """The group without its rules of these names."""
        return replace(self, rules=tuple(rule for rule in self.rules if rule.name not in names)) if names else self

    def only(self, rules: tuple[Rule, ...]) -> "RuleGroup":
        """The group with these of its rules."""
        return replace(self, rules=rules)

    def rule_keys(self) -> list[tuple[RuleKey, int]]:
        """What tells each rule over a reload: file, group, name and labels; and which of those that are alike it is."""
        seen: dict[RuleKey, int] = {}
        found = []
        for rule in self.rules:
            key = (self.file, self.name, rule.name, rule.labels)
            found.append((key, seen.get(key, 0)))
            seen[key] = seen.get(key, 0) + 1
        return found
