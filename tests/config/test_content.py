"""Covers config/content.py: what is shipped reads as PyYAML's own loader, written in Python, reads it."""

from importlib.resources import files

import pytest
import yaml

from llm_canaries.config.content import read_content

SHIPPED = [
    entry
    for package, folder in (("canary", "reasons"), ("alerts.runbook", "."), ("proxy", "profile_files"))
    for entry in (files(f"llm_canaries.{package}") / folder).iterdir()
    if entry.name.endswith(".yml")
]


@pytest.mark.parametrize("entry", SHIPPED, ids=[entry.name for entry in SHIPPED])
def test_it_is_what_the_other_loader_reads(entry):
    text = entry.read_text(encoding="utf-8")
    assert read_content(text) == yaml.safe_load(text) != {}


def test_nothing_is_made_but_plain_values():
    with pytest.raises(yaml.YAMLError):
        read_content("!!python/object/apply:os.getcwd []")
