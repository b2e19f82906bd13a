"""`${VARIABLE}` and `${file:/path}` inside the values of a document; `$${` is a literal `${`."""

import re
from collections.abc import Callable, Mapping

from llm_canaries.config.problems import Path, Problems, plain

_PLACE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Interpolation:
    """Values filled in, and what was written there: `written` by path; `files` are contents, secrets all."""

    def __init__(self, environ: Mapping[str, str], read_file: Callable[[str], str], problems: Problems) -> None:
        self._environ = environ
        self._read_file = read_file
        self._problems = problems
        self._contents: dict[str, str | None] = {}
        self.written: dict[Path, str] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """The contents of every file read."""
        return tuple(content for content in self._contents.values() if content)

    def fill(self, data: object, path: Path = ()) -> object:
        """The data with every value filled in; what cannot be is told, spoiled and empty."""
        if isinstance(data, dict):
            return {key: self.fill(value, (*path, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.fill(value, (*path, index)) for index, value in enumerate(data)]
        if not isinstance(data, str) or "${" not in data:
            return data
        whole = True
        parts: list[str] = []
        end = 0
        for match in _PLACE.finditer(data):
            part = "${" if match[0] == "$${" else self._part(match[1], path, closed=bool(match[2]))
            whole = whole and part is not None
            parts += data[end : match.start()], part or ""
            end = match.end()
        self.written[path] = data
        if not whole:
            self._problems.spoil(path)
            return ""
        return "".join((*parts, data[end:]))

    def _part(self, name: str, path: Path, *, closed: bool) -> str | None:
        if not closed:
            return self._tell(path, "a `${` is never closed; write `}` after the name, or `$${` for a literal `${`")
        if name.startswith("file:"):
            return self._content(name.removeprefix("file:"), path)
        if not _VARIABLE.fullmatch(name):
            return self._tell(path, "a `${…}` names no variable; write `${NAME}`, `${file:/path}`, or `$${` for a literal")
        if value := self._environ.get(name):
            return value
        state = "is empty" if name in self._environ else "is not set"
        return self._tell(path, f"`${{{name}}}` {state}; set the environment variable `{name}`")

    def _content(self, file: str, path: Path) -> str | None:
        if file not in self._contents:
            self._contents[file] = None
            shown = f"`${{file:{plain(file)}}}`"
            if not file.strip():
                return self._tell(path, "`${file:}` names no file; write `${file:/path}`")
            try:
                content = self._read_file(file).rstrip("\r\n")
            except OSError as error:
                return self._tell(path, f"{shown} cannot be read: {plain(error.strerror or 'no reason given')}; check the path")
            except ValueError:
                return self._tell(path, f"{shown} cannot be read as text; write UTF-8 into it")
            if not content:
                return self._tell(path, f"{shown} is empty; write the value into the file")
            self._contents[file] = content
        return self._contents[file]

    def _tell(self, path: Path, message: str) -> None:
        self._problems.add(path, self._problems.told(path, message))
