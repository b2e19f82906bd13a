"""Commands that serve, each as a process of its own on a free port."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LINES = {"proxy": 3, "mirror": 1}  # that a command prints once it listens


class Running:
    """A command that listens at `url`; `said` is what it printed."""

    def __init__(self, process: subprocess.Popen[str], lines: int) -> None:
        self.process = process
        assert process.stdout is not None
        self.said = [process.stdout.readline() for _ in range(lines)]
        found = re.search(r"http://\S+?:\d+", self.said[0])
        if found is None:
            process.kill()
            raise AssertionError(f"{self.said}: {process.communicate()[1]}")
        self.url = found[0]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code and what it complained of."""
        self.process.send_signal(number)
        _, complaints = self.process.communicate(timeout=20)
        return self.process.returncode, complaints


@contextmanager
def canaries(cwd: Path, command: str, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`canaries COMMAND ARGUMENTS` that serves, killed at the end where the test has not stopped it."""
    listen = () if "--listen" in arguments else ("--listen", "127.0.0.1:0")
    process = subprocess.Popen(
        [sys.executable, "-m", "llm_canaries", command, *listen, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Running(process, LINES[command])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
