"""The command as a user runs it."""

import os
import signal
import subprocess
import sys
import time


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


def interrupted(*arguments, cwd, told=lambda line: True, pause=0.0, timeout=20):
    """`canaries ARGUMENTS`, ended by Ctrl-C `pause` seconds after it has told a line of progress that is `told`.

    Whoever starts the tests in the background has them ignore Ctrl-C, which a child would inherit.
    """
    line = [sys.executable, "-m", "llm_canaries", *arguments]
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(line, text=True, cwd=cwd, preexec_fn=heed, **pipes) as started:
        while not told(said := started.stderr.readline()):
            assert said, "it ended by itself"
        time.sleep(pause)
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=timeout)
    return subprocess.CompletedProcess(line, started.returncode, out, err)
