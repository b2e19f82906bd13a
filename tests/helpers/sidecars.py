"""A real `canaries serve` in a process of its own, as users run it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families


class Served:
    """One running sidecar."""

    def __init__(self, process, url, log):
        self.process, self.url, self.log = process, url, log

    def get(self, path, **headers):
        """(status, body) of a GET."""
        return self._ask(urllib.request.Request(self.url + path, headers=headers))

    def post(self, path):
        """(status, body) of a POST."""
        return self._ask(urllib.request.Request(self.url + path, method="POST", data=b""))

    def samples(self):
        """Every sample of the metrics page: (name, labels) to value."""
        status, body = self.get("/metrics")
        assert status == 200, body
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(body)
            for sample in family.samples
        }

    def value(self, family, **labels):
        """The one sample of `family` that has these labels, None where there is none."""
        found = [
            value
            for (name, its), value in self.samples().items()
            if name == family and set(labels.items()) <= its
        ]
        assert len(found) <= 1, found
        return found[0] if found else None

    def answers(self):
        """Whether the port is open."""
        try:
            return self.get("/-/healthy")[0] == 200
        except OSError:
            return False

    def cases(self):
        """What /api/v1/cases says."""
        return json.loads(self.get("/api/v1/cases")[1])["cases"]

    def is_ready(self):
        """Whether it answers and works; between standing by and taking over it does not listen."""
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def stop(self, sign=signal.SIGTERM):
        """The exit code and the seconds it took to stop."""
        started = time.monotonic()
        self.process.send_signal(sign)
        code = self.process.wait(15)
        return code, time.monotonic() - started

    def _ask(self, request):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@contextmanager
def serving(folder, config, **environ):
    """A sidecar on a free port with its state in `folder`; `config` is YAML text without `server:` and `state:`."""
    path = folder / "canaries.yml"
    path.write_text(complete(folder, config))
    with running(["serve", "--config", str(path)], folder / "log", **environ) as (process, log):
        url = wait_until(lambda: found(process, log, r"ready url=(\S+)"))
        yield Served(process, url, log)


@contextmanager
def standing_by(folder, config, **environ):
    """A second sidecar on the same state, once it knows that it is the second."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    path = folder / "second.yml"
    path.write_text(complete(folder, config).replace("127.0.0.1:0", address))
    with running(["serve", "--config", str(path)], folder / "second.log", **environ) as (process, log):
        wait_until(lambda: found(process, log, "(standing by)"))
        second = Served(process, f"http://{address}", log)
        wait_until(second.answers)
        yield second


@contextmanager
def mirroring(folder):
    """The base URL of a mirror in a process of its own."""
    with running(["mirror", "--listen", "127.0.0.1:0"], folder / "mirror.log") as (process, log):
        yield wait_until(lambda: found(process, log, r"(http://127\.0\.0\.1:\d+) "))


@contextmanager
def running(arguments, log, **environ):
    """A command of ours in a process, and what it writes from now on; ended when the block is."""
    before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as file:
        command = [sys.executable, "-u", "-m", "llm_canaries", *arguments]
        process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | environ)
    try:
        yield process, Log(log, before)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


class Log:
    """What one process wrote."""

    def __init__(self, path, before):
        self.path, self.before = path, before

    def read_text(self):
        """All of it so far."""
        return self.path.read_bytes()[self.before :].decode()


def found(process, log, pattern):
    """The first match in the log, None before it comes; fails the test where the process has ended."""
    text = log.read_text()
    match = re.search(pattern, text)
    assert match or process.poll() is None, text
    return match[1] if match else None


def complete(folder, config):
    """`config` with the address and the state of a test."""
    return f"{config}\nserver: {{listen: '127.0.0.1:0'}}\nstate: {folder / 'state'}\n"


def wait_until(condition, seconds=20.0, every=0.1):
    """The first true value of `condition`; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {condition}")
