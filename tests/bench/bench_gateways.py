"""`canaries proxy` beside Portkey, claude-code-router and LiteLLM: added latency, requests a second.

One upstream, one load generator (wrk), loopback, two cores for all of it: only ratios of one run mean something. The
targets take turns, round after round; a figure is the median of the rounds.
"""

import re
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench_sidecar import Row, main
from payloads import CHAT_ASK
from peers import CHAT, GATEWAYS, OWN, Target, prepare, upstream

ROUNDS = 8
SECONDS = 2
WAITED = ("ours.chat", "ours.messages", "bare.chat")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def gateways():
    """Every row of build/bench/gateways.json."""
    prepare()
    rates, added = measured(GATEWAYS)
    ours = rates["ours.chat"]
    best = max(rates["portkey.chat"], rates["router.messages"])
    return [
        *latencies(added),
        at_least("proxy.rps_64_vs_best", ours / best, "ratio", 3),
        at_least("proxy.rps_64_vs_litellm", ours / rates["litellm.chat"], "ratio", 30),
        *throughputs(rates),
        fact("proxy.rps_64_translated_vs_router", rates["ours.messages"] / rates["router.messages"], "ratio"),
    ]


def proxy():
    """What needs no peer: build/bench/proxy.json."""
    prepare("wrk")
    rates, added = measured(OWN)
    return [*latencies(added), *throughputs(rates)]


def measured(gateways):
    """Requests a second by target, and the milliseconds that ours and the bare pass-through add to the median."""
    with ExitStack() as stack:
        port = stack.enter_context(upstream())
        targets = {"direct": Target(port, CHAT, CHAT_ASK)}
        for name, start in gateways.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for kind, target in stack.enter_context(start(folder, port)).items():
                targets[f"{name}.{kind}"] = target
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scripts = {name: script(folder / f"{name}.lua", target) for name, target in targets.items()}
        for name, target in targets.items():
            target.check()
            wrk(target, scripts[name], 64, SECONDS)  # caches, compilers and connections are warm afterwards
        rates, waits = {name: [] for name in targets}, {name: [] for name in ("direct", *WAITED)}
        for _ in range(ROUNDS):
            for name, target in targets.items():
                rates[name].append(wrk(target, scripts[name], 64, SECONDS)[0])
            for name, found in waits.items():
                found.append(wrk(targets[name], scripts[name], 1, 1)[1])
    return (
        {name: statistics.median(found) for name, found in rates.items()},
        {
            name: statistics.median(one - direct for one, direct in zip(waits[name], waits["direct"], strict=True))
            for name in WAITED
        },
    )


def latencies(added):
    """What an ask at a time waits longer, and what it would wait behind the least of gateways."""
    return [
        at_most("proxy.added_p50_ms", added["ours.chat"], "ms", 0.40),
        at_most("proxy.translate_added_p50_ms", added["ours.messages"], "ms", 0.45),
        fact("proxy.bare_added_p50_ms", added["bare.chat"], "ms"),
    ]


def throughputs(rates):
    return [fact(f"proxy.rps_64.{name}", rate, "req/s") for name, rate in rates.items()]


def at_most(name, value, unit, floor):
    return Row(name=name, value=value, unit=unit, floor=floor, holds=value <= floor)


def at_least(name, value, unit, floor):
    return Row(name=name, value=value, unit=unit, floor=floor, holds=value >= floor)


def fact(name, value, unit):
    """A figure that nothing is asked of."""
    return Row(name=name, value=value, unit=unit, floor=None, holds=True)


def script(path, target):
    """A script that tells wrk what to send."""
    body = "".join(f"\\{byte}" if not 32 <= byte < 127 or byte in b'"\\' else chr(byte) for byte in target.body)
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in target.headers.items())
    path.write_text(f'wrk.method = "POST"\nwrk.body = "{body}"\n{headers}')
    return path


def wrk(target, path, connections, seconds):
    """(requests a second, median milliseconds); an answer that is no success ends the bench."""
    load = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
    said = subprocess.run([*load, "-s", path, target.url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{target.url}: {said}")
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", said).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), float(number) * UNITS[unit]


BENCHES = {"gateways": gateways, "proxy": proxy}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], BENCHES))
