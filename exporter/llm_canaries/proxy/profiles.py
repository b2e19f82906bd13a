"""The shipped provider profiles, one YAML file each."""

from importlib.resources import files

import yaml
from msgspec import convert

from llm_canaries.wire.profile import Profile


def read_profiles() -> dict[str, Profile]:
    """Every shipped profile by its name, which is its file's."""
    folder = files("llm_canaries.proxy") / "profile_files"
    return {
        name: convert((yaml.safe_load(entry.read_text(encoding="utf-8")) or {}) | {"name": name}, Profile)
        for entry in folder.iterdir()
        if entry.name.endswith(".yml") and (name := entry.name.removesuffix(".yml"))
    }
