"""`${VARIABLE}` and `${file:/path}` inside the values of a document; `$${` is a literal `${`."""

import re
from collections.abc import Callable, Mapping

from llm_canaries.config.problems import Path, Problems, plain
from llm_canaries.config.values import Refused

_PLACE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Interpolation:
    """Values filled in from the environment and files; what was written there is left with the problems."""

    def __init__(self, environ: Mapping[str, str], read_file: Callable[[str], str], problems: Problems) -> None:
        self._environ = environ
        self._read_file = read_file
        self._problems = problems
        self._contents: dict[str, str] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """The contents of every file read, secrets all."""
        return tuple(self._contents.values())

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
        self._problems.written[path] = data
        if not whole:
            self._problems.spoil(path)
            return ""
        return "".join((*parts, data[end:]))

    def _part(self, name: str, path: Path, *, closed: bool) -> str | None:
        """What one `${…}` stands for, None where it cannot be had and that is told."""
        message = ""
        if not closed:
            message = "a `${` is never closed; write `}` after the name, or `$${` for a literal `${`"
        elif name.startswith("file:"):
            return self._content(name.removeprefix("file:"), path)
        elif not _VARIABLE.fullmatch(name):
            message = "a `${…}` names no variable; write `${NAME}` or `${file:/path}`, or `$${` for a literal `${`"
        elif value := self._environ.get(name):
            return value
        else:
            state = "is empty" if name in self._environ else "is not set"
            message = f"`${{{name}}}` {state}; set the environment variable `{name}`"
        self._problems.add(path, self._problems.told(path, message))
        return None

    def _content(self, file: str, path: Path) -> str | None:
        if file not in self._contents:
            try:
                self._contents[file] = self._read(file)
            except Refused as refused:
                message = f"`${{file:{plain(file)}}}` {refused}"
                self._problems.add(path, self._problems.told(path, message))
                return None
        return self._contents[file]

    def _read(self, file: str) -> str:
        if not file.strip():
            raise Refused("names no file; write `${file:/path}`")
        try:
            content = self._read_file(file).rstrip("\r\n")
        except OSError as error:
            raise Refused(f"cannot be read: {plain(error.strerror or 'no reason given')}; check the path") from None
        except ValueError:
            raise Refused("cannot be read as text; write UTF-8 into the file") from None
        if not content:
            raise Refused("is empty; write the value into the file")
        return content
