"""The shipped provider profiles, one YAML file each, over what is documented of models whoever serves them."""

from importlib.resources import files
from typing import Any

from msgspec import convert

from llm_canaries.config.content import read_content
from llm_canaries.wire.profile import Profile

_SHARED = "_models"


def read_profiles() -> dict[str, Profile]:
    """Every shipped profile by its name, which is its file's; its own facts of models go before the shared ones."""
    said: dict[str, dict[str, Any]] = {
        name: read_content(entry.read_text(encoding="utf-8")) or {}
        for entry in (files("llm_canaries.proxy") / "profile_files").iterdir()
        if entry.name.endswith(".yml") and (name := entry.name.removesuffix(".yml"))
    }
    shared = said.pop(_SHARED)["models"]
    return {name: convert(_over(own, shared) | {"name": name}, Profile) for name, own in said.items()}


def _over(own: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    models = own.get("models", {})
    return own | {"models": models | {pattern: facts for pattern, facts in shared.items() if pattern not in models}}
