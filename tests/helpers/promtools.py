"""The promtools of this machine: Debian's of the 2 series, and one of the 3 series."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROMTOOLS = ("promtool 2", "promtool 3")


def promtool(which: str) -> str:
    """The path of a promtool; without one the test is skipped, and fails where the environment has CI."""
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-canaries" / "promtool"
    choices = {
        "promtool 2": [os.environ.get("PROMTOOL2"), shutil.which("promtool")],
        "promtool 3": [os.environ.get("PROMTOOL3"), str(own), shutil.which("promtool")],
    }
    for path in choices[which]:
        if path and Path(path).exists() and _version(path) == which[-1]:
            return path
    reason = f"{which} is not installed: put it on PATH, or name it in PROMTOOL{which[-1]}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _version(path: str) -> str:
    """The first digit; one built from source has no version, and the 3 series' `test rules` a flag that 2.42 lacks."""
    said = _said(path, "--version").partition("version ")[2][:1]
    if said.isdigit():
        return said
    return "3" if "ignore-unknown-fields" in _said(path, "test", "rules", "--help") else "2"


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr
