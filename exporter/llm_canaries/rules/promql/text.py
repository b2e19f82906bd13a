"""What is checked of an expression's text before the parser sees it."""

import re

MOST_CHARACTERS = 10_000
DEEPEST = 100  # the parser overflows the stack of the process somewhere beyond a thousand

_TOKENS = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<raw>`[^`]*`)|(?P<comment>\#[^\n]*)
    |(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<at>@\s*[-+])
    |(?P<sign>[-+*/%^=!<>]+|\b(?:and|or|unless|atan2|bool)\b)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\(?:x[89a-fA-F]|[23][0-7][0-7])")


class Refused(Exception):
    """An expression that is not evaluated here; the message says which construct, and why."""


class NotPromql(Refused):
    """An expression that Prometheus refuses as well."""


def check_text(text: str) -> None:
    """Refuses what would overflow the parser, and what it is known to misread."""
    if len(text) > MOST_CHARACTERS:
        raise Refused(f"more than {MOST_CHARACTERS:,} characters")
    depth = deepest = signs = 0
    for token in _TOKENS.finditer(text):
        kind = token.lastgroup
        if kind == "raw" and "\\" in token.group():
            raise Refused("a backslash in a `backquoted` text is misread by the parser; use double quotes")
        if kind == "text" and _BYTE.search(token.group()):
            raise Refused("bytes beyond ASCII, such as `\\xff`, are misread by the parser; write the character")
        if kind == "at":
            raise Refused("a sign after `@` is misread by the parser")
        depth += (kind == "open") - (kind == "close")
        deepest = max(deepest, depth)
        signs += max(1, sum(map(token.group().count, "+-"))) if kind == "sign" else 0
    if deepest > DEEPEST or signs > 2 * DEEPEST:
        raise Refused(f"nested deeper than {DEEPEST}, or more than {2 * DEEPEST} operators")
