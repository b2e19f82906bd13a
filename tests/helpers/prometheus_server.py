"""Debian's Prometheus as a process that scrapes what a test names, and a relay that sees how it asks."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from sidecars import wait_until
from sinks import free_port
from small_server import handled_by

CONFIG = """
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: %s
scrape_configs:
"""
JOB = "  - {job_name: %s, static_configs: [{targets: ['%s']}]}\n"


class Prometheus:
    """The HTTP API of a running server."""

    def __init__(self, url):
        self.url = url

    def api(self, path, **parameters):
        """The `data` of an answer; what is refused, and what comes with a warning, fails the test."""
        where = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            with urllib.request.urlopen(where, timeout=10) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        assert told["status"] == "success", told
        assert not told.get("warnings"), told
        return told["data"]

    def query(self, expression):
        """The samples of an instant vector: labels and value."""
        data = self.api("query", query=expression)
        assert data["resultType"] == "vector", data
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def query_range(self, expression, seconds):
        """The series of the last `seconds`: labels and values."""
        now = time.time()
        data = self.api("query_range", query=expression, start=now - seconds, end=now, step=1)
        return [(series["metric"], [float(value) for _, value in series["values"]]) for series in data["result"]]

    def targets(self):
        """What is scraped, by job."""
        return {each["labels"]["job"]: each for each in self.api("targets", state="active")["activeTargets"]}

    def ready(self):
        """Whether it answers queries."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False


@contextmanager
def scraping(folder, jobs, rules=()):
    """A Prometheus that scrapes `jobs` (name to URL) every second, and evaluates the files of `rules`."""
    if (command := shutil.which("prometheus")) is None:
        if os.environ.get("CI"):
            pytest.fail("prometheus is not installed")
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    config, address = folder / "prometheus.yml", f"127.0.0.1:{free_port()}"
    targets = "".join(JOB % (name, url.removeprefix("http://")) for name, url in jobs.items())
    config.write_text(CONFIG % json.dumps([str(path) for path in rules]) + targets)
    arguments = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={address}"]
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen([command, *arguments], stdout=log, stderr=log, cwd=folder)
    server = Prometheus(f"http://{address}")
    try:
        wait_until(lambda: process.poll() is not None or server.ready())
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield server
    finally:
        process.terminate()
        process.wait(20)


class Relay:
    """Passes GETs on to `upstream`; `seen` holds the Accept header that came and the content type that was answered."""

    def __init__(self, upstream, accept):
        self.upstream, self.accept, self.seen, self.url = upstream, accept, [], ""

    def answer(self, path, accept):
        """(content type, body) of what the upstream says."""
        request = urllib.request.Request(self.upstream + path, headers={"Accept": self.accept or accept})
        with urllib.request.urlopen(request, timeout=5) as answer:
            kind, body = answer.headers["Content-Type"], answer.read()
        self.seen.append((accept, kind))
        return kind, body


@contextmanager
def relaying(upstream, accept=None):
    """A relay on a free port; `accept` takes the place of the Accept header that comes."""
    relay = Relay(upstream, accept)

    class Passing(BaseHTTPRequestHandler):
        def do_GET(self):  # the name that http.server calls
            kind, body = relay.answer(self.path, self.headers.get("Accept", ""))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            """Nothing: the test looks at `seen`."""

    with handled_by(Passing) as relay.url:
        yield relay
