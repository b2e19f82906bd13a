"""Finds what is shipped beside the code: definitions, rules, dashboards; in a wheel or in a checkout."""

from importlib.resources import files
from pathlib import Path


def content(kind: str) -> dict[str, str]:
    """File name to text of every file of `kind` (canaries, rules, grafana), in name order.

    An installed wheel holds them in the package; a checkout beside `exporter/`. The folder that an
    editable install leaves in site-packages is neither, and never read.
    """
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder(kind).iterdir()) if path.is_file()}


def folder(kind: str) -> Path:
    """Where what is shipped of `kind` lies."""
    shipped = files("llm_canaries") / "_content" / kind
    if shipped.is_dir():
        return Path(str(shipped))
    return Path(__file__).parents[2] / kind
