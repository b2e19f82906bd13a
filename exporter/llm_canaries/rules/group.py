"""Rules as they were loaded: what is computed, how long it must hold, what an alert of it says."""

from typing import Literal

from msgspec import Struct

from llm_canaries.rules.promql.plan import Plan
from llm_canaries.rules.template import Template

Texts = tuple[tuple[str, Template], ...]


class Rule(Struct, frozen=True, kw_only=True):
    """One rule; `hold` is its `for`, `keep` its `keep_firing_for`, in seconds, 0 for a recording rule.

    `names` are the metric names that it selects, None where it could be any.
    """

    kind: Literal["alert", "record"]
    name: str
    expression: str
    plan: Plan
    names: frozenset[str] | None = None
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
