"""YAML that is shipped with the program: facts, reasons, runbook pages. What people write is read by source.py."""

from typing import Any

import yaml

# libyaml's is ten times as fast, where PyYAML was built with it; its errors say less, but nobody is to see any
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_content(text: str) -> Any:
    """The plain value of `text`. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506  # both are safe
