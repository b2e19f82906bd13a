"""Where asks arrive: the paths of the table of dialects, found without a router."""

import re
from collections.abc import Mapping

from llm_canaries.wire.dialects import DIALECTS

GOOGLE = "gemini"
METHOD = ":streamGenerateContent"
EVENTS = "?alt=sse"  # without it a provider, too, answers a stream with one array

_FIELD = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
_CALL = re.compile(r"/v1[a-z0-9]*(/models/.+:(?:generateContent|streamGenerateContent))")
_SIGNS = ("x-goog-api-client", "x-goog-api-key")  # headers that only Google's clients send


class AskPaths:
    """Every dialect's path; those without a field in them are one look into a table.

    Google's clients ask any version of its API (google-genai 3 asks /v1), and are all answered as v1beta.
    """

    def __init__(self) -> None:
        plain = {name: dialect.path for name, dialect in DIALECTS.items() if "{" not in dialect.path}
        self._plain: Mapping[str, str] = {path: name for name, path in plain.items()}
        self._shaped = [(_pattern(each.path), name) for name, each in DIALECTS.items() if name not in plain]

    def dialect(self, path: str) -> str | None:
        """The dialect that is spoken at `path`, None where it is no place for asks."""
        found = self._plain.get(path)
        if found is None and _CALL.fullmatch(path):
            return GOOGLE
        if found is None:
            found = next((name for pattern, name in self._shaped if pattern.fullmatch(path)), None)
        return found


def own_path(dialect: str, path: str) -> str:
    """The path as the dialect itself writes it, a stream as events."""
    call = _CALL.fullmatch(path) if dialect == GOOGLE else None
    if call is None:
        return path
    return DIALECTS[GOOGLE].models_path.removesuffix("/models") + call[1] + (EVENTS if path.endswith(METHOD) else "")


def list_dialect(path: str, headers: Mapping[str, str]) -> str | None:
    """The dialect of a model list at `path`: Google's or Anthropic's form for a client of theirs."""
    spoken = [name for name, dialect in DIALECTS.items() if dialect.models_path == path]
    if spoken and any(sign in headers for sign in _SIGNS):
        return GOOGLE
    if "anthropic-version" in headers and "anthropic_messages" in spoken:
        return "anthropic_messages"
    return next(iter(spoken), None)


def _pattern(path: str) -> re.Pattern[str]:
    """The expression of a path such as `/models/{model}:{method:generate|stream}`."""
    parts: list[str] = []
    end = 0
    for field in _FIELD.finditer(path):
        parts += re.escape(path[end : field.start()]), f"(?:{field[2] or '[^/]+'})"
        end = field.end()
    return re.compile("".join(parts) + re.escape(path[end:]))
