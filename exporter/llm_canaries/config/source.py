"""YAML text as plain data and the line of everything in it: YAML 1.2's scalars, anchors, aliases, merge keys.

Plain `yes`, `on` and dates are text, as in YAML 1.2. Messages never repeat text of a document that cannot be
read: it may be a secret that wants quotes.
"""

import math
import re
from collections.abc import Iterator, Mapping

import yaml
from msgspec import Struct
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from llm_canaries.config.problems import Path, Places, plain

MOST_CHARACTERS = 1_000_000
MOST_VALUES = 20_000
DEEPEST = 40

_CORE = "tag:yaml.org,2002:"
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,4})?")
_MERGE = _CORE + "merge"


class Fault(Struct, frozen=True):
    """Something wrong as YAML, in the value at `path`."""

    path: Path
    line: int
    message: str
    spoils: bool = False  # the value is not what was meant, so that nothing more can be said of it


class Source(Struct, frozen=True):
    """A document: its data, its lines, and what is wrong with it as YAML; `data` None if unreadable."""

    data: object
    places: Places
    faults: tuple[Fault, ...]


class _Unreadable(Exception):
    """The document cannot be used at all."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def read_source(text: str, *, most_characters: int = MOST_CHARACTERS, most_values: int = MOST_VALUES) -> Source:
    """The one document in `text`; rule files are allowed to be longer than configurations."""
    try:
        root = _compose(text, most_characters)
        reading = _Reading(most_values)
        data = reading.read(root, ())
    except _Unreadable as unreadable:
        return Source(None, Places({}, {}), (Fault((), unreadable.line, unreadable.message),))
    return Source(data, Places(reading.keys, reading.values), tuple(reading.faults))


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with the scalars of YAML 1.2 and a bound on depth."""

    depth = 0

    def resolve(self, kind: type[Node], value: str | None, implicit: tuple[bool, bool] | bool) -> str:
        """The tag of a node that names none."""
        if kind is not ScalarNode or not isinstance(implicit, tuple) or not implicit[0] or value is None:
            return _CORE + {ScalarNode: "str", SequenceNode: "seq", MappingNode: "map"}[kind]
        return _MERGE if value == "<<" else _CORE + _plain_tag(value)

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """The next node and all below it."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise _too_deep(self.line + 1)
        node: Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Reading:
    """The walk from nodes to data; it counts values, so that aliases cannot multiply without end."""

    def __init__(self, most_values: int) -> None:
        self._most = most_values
        self.keys: dict[Path, int] = {}
        self.values: dict[Path, int] = {}
        self.faults: list[Fault] = []
        self._open: list[Node] = []
        self._count = 0

    def read(self, node: Node, path: Path) -> object:
        """The data of `node`."""
        line = _line(node)
        self._counted(line)
        self.values[path] = line if isinstance(node, ScalarNode) else self.keys.get(path, line)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if any(node is each for each in self._open):
            raise _Unreadable(line, "an alias leads back into its own anchor; write the values out")
        if len(self._open) >= DEEPEST:
            raise _too_deep(line)
        if node.tag not in (_CORE + "seq", _CORE + "map"):
            self.faults.append(Fault(path, line, _TAG, spoils=True))
        self._open.append(node)
        data: object
        if isinstance(node, SequenceNode):
            data = [self.read(each, (*path, index)) for index, each in enumerate(node.value)]
        else:
            data = self._mapping(node, path)
        self._open.pop()
        return data

    def _mapping(self, node: Node, path: Path) -> dict[str, object]:
        data: dict[str, object] = {}
        for key, value in self._pairs(node, path, []):
            self.keys[*path, key.value] = _line(key)
            data[key.value] = self.read(value, (*path, key.value))
        return data

    def _pairs(self, node: Node, path: Path, merging: list[Node]) -> Iterator[tuple[ScalarNode, Node]]:
        """The node's own pairs, then those merged in whose keys are still free."""
        if any(node is each for each in merging):
            raise _Unreadable(_line(node), "a merge key `<<` leads back into its own anchor; write the values out")
        first: dict[str, int] = {}
        merges: list[Node] = []
        for key, value in node.value:
            self._counted(_line(key))
            if not self._usable(key, path):
                continue
            if key.value in first:
                message = f"duplicate key `{plain(key.value)}`, first on line {first[key.value]}; keep one of them"
                self.faults.append(Fault(path, _line(key), message))
                continue
            first[key.value] = _line(key)
            if key.tag == _MERGE:
                merges += self._merged(value, path)
            else:
                yield key, value
        for each in merges:
            for key, value in self._pairs(each, path, [*merging, node]):
                if key.value not in first:
                    first[key.value] = _line(key)
                    yield key, value

    def _merged(self, value: Node, path: Path) -> list[Node]:
        nodes = value.value if isinstance(value, SequenceNode) else [value]
        if all(isinstance(each, MappingNode) for each in nodes):
            return list(nodes)
        message = "the merge key `<<` needs a mapping or a list of mappings; write `<<: *anchor`"
        self.faults.append(Fault(path, _line(value), message))
        return []

    def _usable(self, key: Node, path: Path) -> bool:
        """Whether the key is text; if not, that is told."""
        message = ""
        if not isinstance(key, ScalarNode):
            message = "a key is a list or a mapping; write text"
        elif _broken(key.value):
            message = _SURROGATE
        elif key.tag == _CORE + "null":
            message = "a key is empty; write text before the `:`"
        elif not key.tag.startswith(_CORE):
            message = _TAG
        elif key.tag not in (_MERGE, _CORE + "str"):
            message = f"the key `{plain(key.value)}` is not text; put it in quotes"
        if message:
            self.faults.append(Fault(path, _line(key), message))
        return not message

    def _scalar(self, node: ScalarNode, path: Path) -> object:
        tag, text = node.tag.removeprefix(_CORE), str(node.value)
        message = _SURROGATE if _broken(text) else ""
        if tag not in ("str", "merge") and tag != _plain_tag(text):
            message = _TAG
        if message:
            self.faults.append(Fault(path, _line(node), message, spoils=True))
            return ""
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        return int(text) if tag == "int" else float(text) if tag == "float" else text

    def _counted(self, line: int) -> None:
        self._count += 1
        if self._count > self._most:
            message = f"more than {self._most:,} values, most of them through aliases; write fewer"
            raise _Unreadable(line, message)


def _compose(text: str, most_characters: int) -> Node:
    if len(text) > most_characters:
        raise _Unreadable(1, f"more than {most_characters:,} characters; write less")
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Unreadable(line, f"the character U+{ord(text[error.position]):04X} cannot be here; remove it") from None
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, text) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise _Unreadable(loader.line + 1, _OTHER) from None
    finally:
        loader.dispose()
    if root is None:
        raise _Unreadable(1, "the document is empty; write a mapping")
    return root


_SURROGATE = "half of a surrogate pair is no character; write the character itself"
_TAG = "tags such as `!name` are not supported; put text that begins with `!` in quotes"
_OTHER = "not valid YAML here; check indentation, quotes and brackets"
_OPEN = ("while scanning a quoted scalar", "while parsing a flow sequence", "while parsing a flow mapping")

# The first words that PyYAML's own message holds decide; its messages repeat text, so they are never shown.
_ADVICE: Mapping[str, str] = {
    "but found another document": "a second document begins here; keep one document in the file",
    "'\\t'": "a tab cannot indent; use spaces",
    "undefined alias": "an alias names no anchor above it; put text that begins with `*` in quotes",
    "duplicate anchor": "an anchor is given twice; put text that begins with `&` in quotes",
    "tag": _TAG,
    "mapping values are not allowed": "a `:` is not allowed here; see the line above, align keys, quote text with `:`",
    "could not find expected ':'": "a key has no `:`, or a value is not indented; write `key: value`",
    "cannot start any token": "a value cannot begin with this character; put the text in quotes",
    "unknown escape": "an unknown escape in double quotes; use single quotes, or `\\\\` for a backslash",
    "unexpected end of stream": "a quote is opened here and never closed; close it",
    "unexpected document separator": "a quote is opened here and never closed; close it",
    "expected ',' or ']'": "a list is opened here with `[` and not closed as it should be; check `,` and `]`",
    "expected ',' or '}'": "a mapping is opened here with `{` and not closed as it should be; check `,` and `}`",
    "expected <block end>": "this does not fit the lines above; check indentation and quotes",
}


def _unreadable(error: yaml.MarkedYAMLError, text: str) -> _Unreadable:
    words = f"{error.problem} {error.context}"
    mark = error.problem_mark
    if mark is not None and "expected ','" in words and text[max(0, mark.index - 1) : mark.index + 1] == "${":
        return _Unreadable(mark.line + 1, "a `${…}` inside `{ }` or `[ ]` needs quotes; write `\"${…}\"`")
    opened = error.context in _OPEN and "escape" not in words
    marks = (error.context_mark, error.problem_mark) if opened else (error.problem_mark, error.context_mark)
    line = next((mark.line + 1 for mark in marks if mark is not None), 1)
    return _Unreadable(line, next((advice for part, advice in _ADVICE.items() if part in words), _OTHER))


def _too_deep(line: int) -> _Unreadable:
    return _Unreadable(line, f"more than {DEEPEST} levels deep; write it flatter")


def _plain_tag(text: str) -> str:
    """The type of a scalar without quotes; numbers too large to be exact stay text."""
    if _NULL.fullmatch(text):
        return "null"
    if _BOOL.fullmatch(text):
        return "bool"
    if _INT.fullmatch(text):
        return "int"
    return "float" if _FLOAT.fullmatch(text) and math.isfinite(float(text)) else "str"


def _broken(text: str) -> bool:
    return any("\ud800" <= each <= "\udfff" for each in text)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
