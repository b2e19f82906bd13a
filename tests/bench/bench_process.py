"""What the whole program costs, and how true its clocks are. Run by `make bench`; never a test."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from bench_sidecar import Row, fill, main
from prometheus_client import CollectorRegistry
from sidecars import serving, wait_until

from llm_canaries.cli.loop import loop_factory
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.transport import Transport, new_session
from llm_canaries.service.board import Board
from llm_canaries.service.collector import quieten_collector
from llm_canaries.service.exposition import text_slices
from llm_canaries.service.http import paced
from llm_canaries.wire.exchange import Send

ONE = "gateways: {it: {kind: embedded, models: [mirror/healthy]}}"


def row(name, value, unit, floor):
    """One figure; it holds when it is at most its floor."""
    return Row(name=name, value=value, unit=unit, floor=floor, holds=floor is None or value <= floor)


def many(cases, every):
    """A configuration of so many cases at our own mirror."""
    entries = [
        f"  - {{scenario: known-good, name: c{n}, every: {every}, dialects: [openai_chat], stream: [false]}}"
        for n in range(cases)
    ]
    return "\n".join([ONE, "canaries:", *entries])


def in_a_folder(work):
    """`work(folder)` in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return work(Path(folder))


def proc(pid, field):
    """A field of /proc/PID/status, in its own unit."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(field)))


def cpu_seconds(pid):
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_rss():
    """Resident memory with 100 cases, once each has run."""

    def work(folder):
        with serving(folder, many(100, "10m")) as served:
            wait_until(lambda: all(case["verdict"] == "pass" for case in served.cases()), 30)
            return proc(served.process.pid, "VmRSS") / 1024

    return [row("sidecar.idle_rss", in_a_folder(work), "MB", 120)]


def capacity():
    """CPU of one core that 1,000 cases a minute against the mirror take, mirror included."""

    def work(folder):
        with serving(folder, many(1000, "1m")) as served:
            time.sleep(70)  # the first burst, and the second: each minute has one of about five seconds
            before, started, runs = cpu_seconds(served.process.pid), time.monotonic(), count(served)
            time.sleep(60)
            took = time.monotonic() - started
            return (cpu_seconds(served.process.pid) - before) / took, (count(served) - runs) / took * 60

    share, rate = in_a_folder(work)
    return [
        row("sidecar.capacity", share, "cores", 0.25),
        Row(name="sidecar.capacity.runs", value=rate, unit="runs/min", floor=1000, holds=rate >= 990),
    ]


def count(served):
    """Runs so far."""
    return sum(value for (name, _), value in served.samples().items() if name == "llm_canary_runs_total")


def ready():
    """Seconds from the start of the process to ready, median of five."""

    def work(folder):
        started = time.monotonic()
        with serving(folder, ONE) as served:
            wait_until(lambda: served.get("/-/ready")[0] == 200, every=0.01)
            return time.monotonic() - started

    return [row("sidecar.ready", statistics.median(in_a_folder(work) for _ in range(5)), "s", 1.5)]


def help_time():
    """Wall time of `canaries --help`, median of nine, in milliseconds."""
    command = [str(Path(sys.executable).parent / "canaries"), "--help"]
    times = []
    for _ in range(10):
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        times.append((time.monotonic() - started) * 1000)
    return [row("cli.help", statistics.median(times[1:]), "ms", 150)]


RATE = 160  # asks a second; each is answered in 0.4 s, so that 64 are in flight
CHUNK = b'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
SERVER = """
import asyncio, sys, time
from aiohttp import web
from llm_canaries.cli.loop import loop_factory
CHUNK, LAST = %r, %r
async def answer(request):
    started = time.monotonic()
    await request.read()
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.sleep(0.2)
    first = time.monotonic() - started
    await response.write(CHUNK %% f"first={first:.6f};".encode())
    await asyncio.sleep(0.2)
    await response.write(CHUNK %% f"whole={time.monotonic() - started:.6f};".encode() + LAST)
    return response
async def main():
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.sleep(120)
with asyncio.Runner(loop_factory=loop_factory()) as runner:  # as the mirror does
    runner.run(main())
"""


def latency_truth():
    """How far our clock is from a server's own, at the 99th percentile: 64 in flight, a large page made meanwhile."""
    server = subprocess.Popen([sys.executable, "-c", SERVER % (CHUNK, LAST)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        with asyncio.Runner(loop_factory=loop_factory()) as runner:  # the loop that the program itself runs on
            whole, first = runner.run(measure(f"http://127.0.0.1:{server.stdout.readline().strip()}"))
    finally:
        server.kill()
        server.wait()
    return [row("sidecar.latency_truth", whole, "ms", 5), row("sidecar.latency_truth.first_token", first, "ms", 5)]


async def measure(url):
    """99th percentiles of the error of duration and time to first token, in milliseconds."""
    clock = Clock(time.monotonic, time.time)
    board = Board()
    fill(board, CollectorRegistry())
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    send = Send(ask=body, dialect="openai_chat", stream=True)
    errors = []
    quieten_collector()
    async with new_session() as session:
        gateway = Deployed(Transport(session, url, Limits()), "", {})
        async def one(delay):
            await asyncio.sleep(delay)
            found = await exchange(gateway, send, clock=clock)
            said = dict(part.split("=") for part in found.reply.text.strip(";").split(";"))
            errors.append((found.duration - float(said["whole"]), found.first_content - float(said["first"])))

        async def scrape():
            while True:
                await paced(text_slices(board))
                await asyncio.sleep(1)

        scraping = asyncio.create_task(scrape())
        await asyncio.gather(*(one(1 + number / RATE) for number in range(10 * RATE)))
        scraping.cancel()
    late = sorted(abs(each[0]) * 1000 for each in errors)
    early = sorted(abs(each[1]) * 1000 for each in errors)
    return late[int(len(late) * 0.99)], early[int(len(early) * 0.99)]


BENCHES = {
    "cli.help": help_time,
    "sidecar.ready": ready,
    "sidecar.idle_rss": idle_rss,
    "sidecar.latency_truth": latency_truth,
    "sidecar.capacity": capacity,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], BENCHES))
