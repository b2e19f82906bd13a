"""The command as a user runs it."""

import os
import subprocess
import sys


def canaries(*arguments, cwd, env=None, timeout=120):
    """`canaries ARGUMENTS` in the folder `cwd`, ended."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")} | (env or {})
    return subprocess.run(
        [sys.executable, "-m", "llm_canaries", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environ,
        timeout=timeout,
    )
