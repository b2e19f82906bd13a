"""The pages behind the alerts: what is seen, what it means, what to check first, what to do."""

from importlib.resources import files

from msgspec import Struct, convert

from llm_canaries.config.content import read_content

_PAGES = ("canaries", "routing", "providers", "credentials", "quota", "sidecar")


class AlertPage(Struct, frozen=True, forbid_unknown_fields=True):
    """One alert, explained; `symptom` is what the alert saw, `check` and `do` are steps in their order."""

    symptom: str
    means: str
    check: tuple[str, ...]
    do: tuple[str, ...]


def read_alert_pages() -> dict[str, AlertPage]:
    """Every page by the name of its alert."""
    folder = files("llm_canaries.alerts.runbook")
    pages: dict[str, AlertPage] = {}
    for name in _PAGES:
        text = (folder / f"{name}.yml").read_text(encoding="utf-8")
        pages |= convert(read_content(text), dict[str, AlertPage])
    return pages
