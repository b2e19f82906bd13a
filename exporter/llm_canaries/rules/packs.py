"""What a rule file says of itself in the comments at its top: `# needs: watched`.

A pack that needs something is not loaded unless it is named: nothing fills its families where that is missing.
"""

import re

from msgspec import Struct

WATCHED = "watched"
_NEEDS = re.compile(r"#\s*needs:\s*(\S.*?)\s*")


class Pack(Struct, frozen=True):
    """One shipped rule file; `needs` is empty where it works with every configuration."""

    name: str
    text: str
    needs: str


def read_pack(file: str, text: str) -> Pack:
    """The pack in a file, called as the file is without its ending."""
    return Pack(file.removesuffix(".yaml").removesuffix(".yml"), text, needs_of(text))


def needs_of(text: str) -> str:
    """What the comments before the first line of content say that the rules need, empty where they say nothing."""
    for line in text.splitlines():
        if not line.strip():
            continue
        if not line.lstrip().startswith("#"):
            break
        if (found := _NEEDS.fullmatch(line.strip())) is not None:
            return found[1]
    return ""
