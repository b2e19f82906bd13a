"""Rule files: text to groups. Whatever would not be evaluated is refused, and every problem is told at once."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from llm_canaries.config.problems import ConfigError, Path, Problem, Problems, allowed, quoted, shape
from llm_canaries.config.source import read_source
from llm_canaries.rules.duration import read_duration
from llm_canaries.rules.group import Rule, RuleGroup, Texts
from llm_canaries.rules.promql.parse import Compiler, Refused
from llm_canaries.rules.promql.plan import Number, Plan, reach, selected_names, selectors
from llm_canaries.rules.template import Literally, Template, TemplateError, read_template
from llm_canaries.rules.vector import NAME

MOST_CHARACTERS = 20_000_000
MOST_VALUES = 500_000

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ELSEWHERE = {"up": "does not exist here: nothing is scraped, so this could never fire"}
_GROUP_KEYS = ("name", "interval", "limit", "labels", "rules")
_ALERT_KEYS = ("alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_RECORD_KEYS = ("record", "expr", "labels")


def load(texts: Mapping[str, str]) -> tuple[RuleGroup, ...]:
    """The groups of all files, name to text, in order. Raises ConfigError with every problem of every file."""
    groups: list[RuleGroup] = []
    problems: list[Problem] = []
    compiler = Compiler()
    for file, text in texts.items():
        reading = _Reading(file, text, compiler)
        groups += reading.groups()
        problems += reading.problems.all()
    if problems:
        raise ConfigError(problems)
    return tuple(groups)


class _Reading:
    """The walk through one file."""

    def __init__(self, file: str, text: str, compiler: Compiler) -> None:
        source = read_source(text, most_characters=MOST_CHARACTERS, most_values=MOST_VALUES)
        self._file, self._compiler, self._data = file, compiler, source.data
        self.problems = Problems(file, source.places, root=0)
        for fault in source.faults:
            self.problems.add_line(fault.line, fault.message)
        self._readable = not (source.data is None and source.faults)

    def groups(self) -> list[RuleGroup]:
        """The groups that can be read; what cannot is in `problems`."""
        if not self._readable or self._data is None:
            return []
        root = self._mapping((), self._data, ("groups",))
        found = self._list(("groups",), root.get("groups"))
        groups = [self._group(("groups", index), each) for index, each in enumerate(found)]
        first: set[str] = set()
        for index, group in enumerate(groups):
            if group.name in first:
                self.problems.add(("groups", index, "name"), f"a second group {quoted(group.name)} in this file")
            first.add(group.name)
        return groups

    def _group(self, path: Path, data: object) -> RuleGroup:
        fields = self._mapping(path, data, _GROUP_KEYS)
        name = fields.get("name")
        if not isinstance(name, str) or not name:
            self.problems.add((*path, "name"), "a group needs a `name`")
            name = f"#{path[-1]}"
        limit = fields.get("limit", 0)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
            self.problems.add((*path, "limit"), f"group {quoted(name)}: `limit` is a whole number, 0 for none")
            limit = 0
        interval = self._duration((*path, "interval"), fields, f"group {quoted(name)}")
        common = self._texts((*path, "labels"), fields.get("labels"), f"group {quoted(name)}")
        rules = self._list((*path, "rules"), fields.get("rules"))
        read = [self._rule((*path, "rules", index), each, name, common) for index, each in enumerate(rules)]
        kept = tuple(rule for rule in read if rule is not None)
        return RuleGroup(file=self._file, name=name, interval=interval or None, limit=limit, rules=kept)

    def _rule(self, path: Path, data: object, group: str, common: Texts) -> Rule | None:
        kind: Literal["alert", "record"] = "record" if isinstance(data, dict) and "record" in data else "alert"
        fields = self._mapping(path, data, _RECORD_KEYS if kind == "record" else _ALERT_KEYS)
        name = fields.get(kind)
        where = f"group {quoted(group)}, rule {quoted(name)}" if isinstance(name, str) else f"group {quoted(group)}"
        if not isinstance(name, str) or not name or (kind == "record" and not _METRIC.fullmatch(name)):
            wanted = "a metric name" if kind == "record" else "a name"
            self.problems.add((*path, kind), f"{where}: `{kind}` wants {wanted}")
            return None
        plan = self._plan((*path, "expr"), fields.get("expr"), where)
        own = self._texts((*path, "labels"), fields.get("labels"), where, literal=kind == "record")
        return Rule(
            kind=kind,
            name=name,
            expression=str(fields.get("expr")).strip(),
            plan=plan,
            names=selected_names(plan),
            reach=reach(plan),
            hold=self._duration((*path, "for"), fields, where),
            keep=self._duration((*path, "keep_firing_for"), fields, where),
            labels=tuple((dict(common) | dict(own)).items()),
            annotations=self._texts((*path, "annotations"), fields.get("annotations"), where),
            line=self.problems.line(path),
        )

    def _plan(self, path: Path, data: object, where: str) -> Plan:
        nothing = Number("nan")
        if data is None or data == "":
            self.problems.add(path, f"{where}: needs an `expr`")
            return nothing
        if isinstance(data, bool) or not isinstance(data, str | int | float):
            self.problems.add(path, f"{where}: `expr` is text, not {shape(data)}")
            return nothing
        try:
            plan = self._compiler.parse(str(data))
        except Refused as refused:
            self.problems.add(path, f"{where}: {refused}")
            return nothing
        for matcher in (each for matchers in selectors(plan) for each in matchers):
            if matcher.name == NAME and matcher.operator == "=" and matcher.value in _ELSEWHERE:
                self.problems.add(path, f"{where}: `{matcher.value}` {_ELSEWHERE[matcher.value]}")
        return plan

    def _texts(self, path: Path, data: object, where: str, *, literal: bool = False) -> Texts:
        """Labels or annotations; `literal` where Prometheus takes them as they are, braces and all."""
        texts: Texts = ()
        for name, text in (self._mapping(path, data, None) if data is not None else {}).items():
            if not _LABEL.fullmatch(name) or name == "__name__":
                self.problems.add((*path, name), f"{where}: {quoted(name)} is not a label name", key=True)
                continue
            if not isinstance(text, str):
                self.problems.add((*path, name), f"{where}: {quoted(name)} is text; put {quoted(text)} in quotes")
                continue
            try:
                texts += ((name, Template((Literally(text),)) if literal else read_template(text)),)
            except TemplateError as error:
                self.problems.add((*path, name), f"{where}: {quoted(name)}: {error}")
        return texts

    def _duration(self, path: Path, fields: Mapping[str, object], where: str) -> float:
        data = fields.get(str(path[-1]), "0")
        seconds = read_duration(str(data)) if isinstance(data, str | int) and not isinstance(data, bool) else None
        if seconds is None:
            message = f"{where}: `{path[-1]}` is a duration such as `5m` or `1h30m`, not {quoted(data)}"
            self.problems.add(path, message)
        return seconds or 0.0

    def _mapping(self, path: Path, data: object, keys: tuple[str, ...] | None) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.problems.add(path, f"a mapping is wanted here, not {shape(data)}")
            return {}
        for key in data if keys is not None else ():
            if key not in keys:  # type: ignore[operator]
                self.problems.add((*path, key), f"{quoted(key)} is not evaluated here; {allowed(key, keys)}", key=True)  # type: ignore[arg-type]
        return data

    def _list(self, path: Path, data: object) -> list[object]:
        if data is None:
            return []
        if not isinstance(data, list):
            self.problems.add(path, f"a list is wanted here, not {shape(data)}")
            return []
        return data
