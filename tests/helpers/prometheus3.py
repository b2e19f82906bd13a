"""A real Prometheus of the 3 series that is given its samples by remote write, and asked at chosen times."""

import json
import os
import struct
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sidecars import wait_until
from sinks import free_port

STALE = 0x7FF0_0000_0000_0002
Sample = tuple[int, int]
"""Milliseconds of Unix time, and the bits of a float64."""
CONFIG = "global: {{scrape_interval: 1h, evaluation_interval: {every}}}\nrule_files: {rules}\n"


def prometheus3() -> str:
    """The path of the program; without it the test is skipped, and fails where the environment has CI."""
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llm-canaries" / "prometheus3"
    path = Path(os.environ.get("PROMETHEUS3") or own)
    if path.exists():
        return str(path)
    reason = "Prometheus 3 is not there: PROMETHEUS3 names the program, which .ci/run builds"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class Server:
    """The HTTP API of a running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def write(self, series: Sequence[tuple[Mapping[str, str], Sequence[Sample]]]) -> None:
        """Keeps samples; the next ones must not be much older."""
        body = _snappy(b"".join(_field(1, _series(labels, samples)) for labels, samples in series))
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        request = urllib.request.Request(f"{self.url}/api/v1/write", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status in (200, 204), answer.read()

    def query(self, expression: str, at: float) -> list[tuple[dict[str, str], float]] | str:
        """Labels and values at `at`, in order, or why there are none."""
        form = urllib.parse.urlencode({"query": expression, "time": f"{at:.3f}", "limit": "0"}).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query", form, timeout=60) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            return str(json.load(error)["error"])
        data = told["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        assert data["resultType"] == "vector", data
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def get(self, path: str) -> object:
        """The `data` of another part of the API."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=60) as answer:
            return json.load(answer)["data"]

    def metric(self, name: str) -> dict[str, float]:
        """Its own metric: what stands between the braces, to the value."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return {
            line.rpartition(" ")[0].removeprefix(name): float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name}{{", f"{name} "))
        }

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def running(folder: Path, rules: Sequence[Path] = (), every: str = "1h") -> Iterator[Server]:
    """A server with an empty store in `folder`."""
    program = prometheus3()
    folder.mkdir(parents=True, exist_ok=True)
    config, address = folder / "prometheus.yml", f"127.0.0.1:{free_port()}"
    config.write_text(CONFIG.format(every=every, rules=json.dumps([str(path) for path in rules])))
    arguments = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--web.enable-remote-write-receiver",
        "--web.enable-lifecycle",
        "--storage.tsdb.retention.time=100y",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log, cwd=folder)
    server = Server(f"http://{address}")
    try:
        wait_until(lambda: process.poll() is not None or server.ready())
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _series(labels: Mapping[str, str], samples: Sequence[Sample]) -> bytes:
    """prometheus.TimeSeries: labels in order of their names, samples in order of time."""
    pairs = (_field(1, name.encode()) + _field(2, text.encode()) for name, text in sorted(labels.items()))
    named = b"".join(_field(1, pair) for pair in pairs)
    valued = (b"\x09" + struct.pack("<Q", bits) + b"\x10" + _varint(at) for at, bits in samples)
    return named + b"".join(_field(2, each) for each in valued)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def _snappy(plain: bytes) -> bytes:
    """Snappy's block format with literals only: no compression, no library."""
    pieces = [plain[at : at + 65_536] for at in range(0, len(plain), 65_536)]
    return _varint(len(plain)) + b"".join(b"\xf4" + struct.pack("<H", len(each) - 1) + each for each in pieces)
