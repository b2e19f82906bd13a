"""Fixtures of the state's tests: real files, real processes."""

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from llm_canaries.state.database import Database

Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An open state in `tmp_path / "state"`."""
    opened = Database.open(tmp_path / "state")
    yield opened
    await opened.close()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts a Python process: `spawn(code, *arguments)`; killed and reaped at the end of the test if still there."""
    children: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def told(spawn: Spawn) -> Callable[..., str]:
    """What a Python process prints until it ends by itself: `told(code, *arguments)`."""

    def run(code: str, *arguments: object) -> str:
        child = spawn(code, *arguments)
        output, _ = child.communicate(timeout=30)
        assert child.returncode == 0, output
        return output.strip()

    return run


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The folder of a state that was made and closed."""
    folder = tmp_path / "state"

    async def make() -> None:
        await Database.open(folder).close()

    asyncio.run(make())
    return folder
