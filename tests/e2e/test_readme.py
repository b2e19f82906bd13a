"""What the README shows is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from llm_canaries.canary.load import Wanted, cases
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS
from llm_canaries.service.settings import read_settings, shipped

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


ENVIRON = {"GATEWAY_KEY": "sk-test-key", "APPRISE_URL": "json://127.0.0.1/", "HEALTHCHECK_URL": "http://127.0.0.1/"}


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_is_short():
    assert len(README.splitlines()) < 200


def test_the_configuration_loads_and_means_cases(tmp_path):
    first, second, _ = blocks("yaml")
    text = f"{first}\n{second}"
    path = tmp_path / "canaries.yml"
    path.write_text(text)
    settings = read_settings(str(path), ENVIRON)
    found = cases(settings.config, settings.binding, Wanted())
    assert {case.canary for case in found} == {"tool-result-image", "thinking", "claude-answers"}
    assert {case.gateway for case in found} == {"home"}


def test_the_proxys_configuration_loads_and_asks_each_provider_in_its_own_words(tmp_path):
    path = tmp_path / "canaries.yml"
    path.write_text(blocks("yaml")[2])
    keys = {name: f"sk-test-{name}" for name in ("OPENAI_ONE", "OPENAI_TWO", "ANTHROPIC_KEY", "CLIENT_KEY")}
    settings = read_settings(str(path), keys)
    asked = {(case.model, case.dialect) for case in cases(settings.config, settings.binding, Wanted())}
    assert asked == {
        ("gpt-5.3-codex", "openai_chat"),
        ("gpt-5.3-codex", "openai_responses"),
        ("claude-sonnet-4-5", "anthropic_messages"),
    }


def test_every_shipped_canary_is_in_the_table():
    definitions, _ = shipped()
    rows = re.search(r"## What is judged(.*?)##", README, re.DOTALL)
    assert rows is not None
    assert set(re.findall(r"`([a-z-]+)`", rows[1])) >= set(definitions)


@pytest.mark.parametrize("model", sorted(set(re.findall(r"mirror/([a-z-]+)", README))))
def test_every_model_named_exists(model):
    assert model in MISBEHAVIOURS


COMMANDS = sorted(set(re.findall(r"^(?:\.venv/bin/)?canaries ([^#\n]+)", "".join(blocks("sh")), re.MULTILINE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command, tmp_path):
    """Each is parsed by the real command line: `--help` appended, so that nothing is run."""
    words = [word for word in command.split() if not word.startswith("runs.")]
    words = [word for word in words if word not in ("--json", "--junit")]
    done = subprocess.run(
        [sys.executable, "-m", "llm_canaries", *words, "--help"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_make_has_the_two_commands():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"run", "test", "check"} <= targets
