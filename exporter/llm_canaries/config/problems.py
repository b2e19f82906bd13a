"""Problems of a configuration: collected, placed at their line, told all at once."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from msgspec import Struct

from llm_canaries.config.lookalikes import mask_keys

Path = tuple[str | int, ...]
"""Where a value is: keys and list indexes from the root of its document."""

EMPTY = '""'
SHOWN = 60  # characters of a value that a message repeats


class Problem(Struct, frozen=True):
    """One thing that is wrong, at the line of the offending key or value."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class ConfigError(Exception):
    """Everything that is wrong with a configuration, by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Places(Struct, frozen=True):
    """The lines of a document: `keys` of each mapping key, `values` of everything."""

    keys: Mapping[Path, int]
    values: Mapping[Path, int]

    def line(self, path: Path, *, key: bool = False) -> int:
        """The line of the value at `path`, or of its key, or of the nearest thing around it that is there."""
        while path:
            if key and path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
            path = path[:-1]
        return 1


class Problems:
    """The problems of one document as they are found; what lies in a spoiled value is not told again.

    `hide` takes secrets out of a message; `written` is what stood where a value was filled in.
    """

    def __init__(self, file: str, places: Places, root: int = 1) -> None:
        self._file = file
        self._places = places
        self._root = root
        self._found: list[Problem] = []
        self._spoiled: set[Path] = set()
        self.hide: Callable[[str], str] = str
        self.written: dict[Path, str] = {}

    def add(self, path: Path, message: str, *, key: bool = False) -> None:
        """Tells of `path` unless it lies in something already told to be unusable; `key`: of its key."""
        if not self.spoiled(path):
            self.add_line(self._places.line(path, key=key), message)

    def add_line(self, line: int, message: str) -> None:
        """Tells of a line."""
        self._found.append(Problem(self._file, line, message))

    def line(self, path: Path) -> int:
        """The line of the value at `path`."""
        return self._places.line(path)

    def has(self, path: Path) -> bool:
        """Whether the document has something at `path`."""
        return path in self._places.values

    def told(self, path: Path, message: str) -> str:
        """The message led by what `path` is called inside its gateway, canary or definition."""
        return f"`{plain(self.hide(label(path, self._root)))}`: {message}"

    def shown(self, path: Path, value: object) -> str:
        """The value as it is written in the document, `${…}` and all, without secrets, in backticks."""
        source = self.source(path, value)
        return quoted(self.hide(source) if isinstance(source, str) else source)

    def source(self, path: Path, value: object) -> object:
        """The text at `path` in which something was filled in, the value itself where nothing was."""
        while path and not self.has(path):
            path = path[:-1]
        return self.written.get(path, value)

    def spoil(self, path: Path) -> None:
        """Marks a value as unusable: its problem has been told."""
        self._spoiled.add(path)

    def spoiled(self, path: Path) -> bool:
        """Whether `path` lies at or below an unusable value."""
        return any(path[:end] in self._spoiled for end in range(len(path) + 1))

    def all(self) -> tuple[Problem, ...]:
        """Every problem once, by line, without secrets."""
        return in_order(Problem(each.file, each.line, self.hide(each.message)) for each in self._found)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, by file and line, in the order found within a line."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line)))


def label(path: Path, root: int) -> str:
    """`limits.connect`, `models[1].vision`: the path without its first `root` steps, whole if there are no more."""
    steps = path[root:] or path
    if isinstance(steps[0], int):
        steps = path
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step or EMPTY}" for step in steps)
    return text.removeprefix(".")


def plain(text: str) -> str:
    """The text on one line, without backticks and what looks like a key, cut where it is long."""
    text = mask_keys(text)
    cut = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in cut).replace("`", "'")


def quoted(value: object) -> str:
    """A scalar as it is written in YAML, in backticks; a container by its name only."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == "":
        return f"`{EMPTY}`"
    if isinstance(value, str | int | float):
        return f"`{plain(str(value))}`"
    return shape(value)


def shape(value: object) -> str:
    """What kind of thing a value is, in words."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    words: dict[type, str] = {str: "text", list: "a list", tuple: "a list", dict: "a mapping", type(None): "nothing"}
    return words.get(type(value), "something else")


def listed(names: Iterable[str]) -> str:
    """Names in backticks, in order, with commas."""
    return ", ".join(f"`{plain(name)}`" for name in names)


def allowed(value: object, names: Iterable[str]) -> str:
    """The end of a message about a name: the nearest one where there is one, and all that are allowed."""
    known = sorted(names)
    near = get_close_matches(value.lower(), known, n=1) if isinstance(value, str) else []
    hint = f"did you mean `{plain(near[0])}`? " if near else ""
    return f"{hint}allowed: {listed(known)}" if known else f"{hint}there are none here"
