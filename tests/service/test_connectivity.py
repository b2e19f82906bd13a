"""Covers service/connectivity.py: one broken line is not the fault of everybody at its other end."""

import asyncio
import socket
from types import SimpleNamespace

import pytest
from bent_gateways import settings_of
from msgspec.structs import replace
from runs import run

from llm_canaries.canary.attribution import Net
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.attributing import Attributing
from llm_canaries.service.connectivity import FRESH, MOST_HOSTS, Connectivity, reachable
from llm_canaries.wire.exchange import Attempt
from llm_canaries.wire.fault import Fault, FaultReason

CONFIG = """
gateways:
  one: {kind: openai-compatible, url: "https://one.example:8443/base", models: [m]}
  two: {kind: openai-compatible, url: "http://two.example", models: [m]}
  near: {kind: openai-compatible, url: "http://localhost:8317", models: [m]}
  core:
    kind: embedded
    models: [m]
    providers:
      a: {url: "https://api.example", models: [m]}
      b: {url: "https://one.example", models: [m]}
      c: {url: "http://127.0.0.1:1", models: [m]}
"""
HOSTS = {("one.example", 8443), ("two.example", 80), ("api.example", 443)}


class Line:
    """A network with these hosts up; it counts who is asked for."""

    def __init__(self, *up):
        self.up, self.asked = set(up), []

    async def __call__(self, host, port):
        self.asked.append((host, port))
        await asyncio.sleep(0)
        return host in self.up


def failed(reason, gateway="one", provider=None):
    """A run that came to nothing for `reason`."""
    fault = Fault(reason=FaultReason(reason), message="no")
    attempts = (Attempt(provider=provider, credential="d", status=None, duration=0.1),) if provider else ()
    its = run("fail", reason, gateway=gateway)
    return SimpleNamespace(
        case=its.case, finding=its.finding, answers=(SimpleNamespace(fault=fault),),
        exchanges=(SimpleNamespace(attempts=attempts),),
    )  # fmt: skip


@pytest.fixture
def look():
    def look(line, config=CONFIG):
        now = [100.0]
        connectivity = Connectivity(settings_of(config).config, Clock(lambda: now[0], lambda: now[0]), line)
        return connectivity, now

    return look


@pytest.mark.parametrize("reason", ["connect", "connect_timeout", "tls", "connection_lost"])
async def test_it_is_the_network_where_nobody_else_is_reached(look, reason):
    line = Line()
    connectivity, _ = look(line)
    assert await connectivity.behind(failed(reason)) is Net.DOWN
    assert connectivity.up is False
    assert set(line.asked) == HOSTS, "each host once, none of this machine"


async def test_one_other_host_is_enough_to_know_better(look):
    connectivity, _ = look(Line("api.example"))
    assert await connectivity.behind(failed("connect")) is Net.OK
    assert connectivity.up is True


async def test_the_host_that_failed_speaks_neither_for_nor_against(look):
    connectivity, _ = look(Line("one.example"))
    assert await connectivity.behind(failed("connect")) is Net.DOWN


async def test_a_provider_of_the_embedded_core_is_a_host_like_any_other(look):
    connectivity, _ = look(Line())
    assert await connectivity.behind(failed("connect_timeout", "core", "a")) is Net.DOWN
    assert await connectivity.behind(failed("connect", "core")) is Net.UNKNOWN, "nobody was asked"


@pytest.mark.parametrize("reason", ["upstream_error", "rate_limited", "auth", "html", "idle_timeout"])
async def test_other_faults_are_no_matter_of_the_network(look, reason):
    line = Line()
    connectivity, _ = look(line)
    assert await connectivity.behind(failed(reason)) is Net.UNKNOWN
    assert line.asked == []


async def test_a_gateway_on_this_machine_shares_our_network(look):
    """It is there, and says itself that it reaches nobody; that it is not there is no matter of the network."""
    connectivity, _ = look(Line())
    assert await connectivity.behind(failed("upstream_error", "near")) is Net.DOWN
    assert await connectivity.behind(failed("connect", "near")) is Net.UNKNOWN
    assert await connectivity.behind(failed("connect", "core", "c")) is Net.UNKNOWN


async def test_fewer_than_two_others_prove_nothing(look):
    few = 'gateways: {one: {kind: openai-compatible, url: "http://one.example", models: [m]}, '
    few += 'two: {kind: openai-compatible, url: "http://two.example", models: [m]}}\n'
    line = Line()
    connectivity, _ = look(line, few)
    assert await connectivity.behind(failed("connect")) is Net.UNKNOWN
    assert (line.asked, connectivity.up) == ([], None)
    connectivity, _ = look(Line(), few + 'connectivity: ["https://three.example"]')
    assert await connectivity.behind(failed("connect")) is Net.DOWN


async def test_many_failures_at_once_are_one_look(look):
    line = Line()
    connectivity, now = look(line)
    found = await asyncio.gather(*(connectivity.behind(failed("connect")) for _ in range(20)))
    assert set(found) == {Net.DOWN}
    assert len(line.asked) == len(HOSTS)
    now[0] += FRESH / 2
    await connectivity.behind(failed("connect", "two"))
    assert len(line.asked) == len(HOSTS)
    now[0] += FRESH
    await connectivity.behind(failed("connect", "two"))
    assert len(line.asked) == 2 * len(HOSTS)


async def test_no_more_hosts_than_a_few_are_tried(look):
    urls = ", ".join(f'"https://h{number}.example"' for number in range(3 * MOST_HOSTS))
    line = Line()
    connectivity, _ = look(line, f"{CONFIG}connectivity: [{urls}]")
    await connectivity.behind(failed("connect"))
    assert len(line.asked) == MOST_HOSTS


async def test_that_it_comes_back_is_seen_without_a_run(look):
    line = Line()
    connectivity, now = look(line)
    await connectivity.look_again()
    assert (line.asked, connectivity.up) == ([], None), "nothing was wrong"
    await connectivity.behind(failed("connect"))
    line.up.add("two.example")
    now[0] += FRESH
    await connectivity.look_again()
    assert connectivity.up is True


async def test_a_failure_by_our_own_network_is_undecided_and_blames_nobody(look):
    connectivity, _ = look(Line())
    answers = failed("connect").answers
    its = run("fail", "connect", gateway="one", detail="one.example:8443: No route to host")
    attributing = Attributing(settings_of(CONFIG).config, connectivity)

    async def never(case, memory):
        raise AssertionError("nobody is asked while the network is down")

    judged = await attributing.of(replace(its, answers=answers), never, repeat=True)
    assert (judged.finding.outcome, judged.finding.reason) == ("inconclusive", "own_network")
    assert judged.finding.fault_domain == "network"
    assert "No route to host" in judged.finding.detail
    assert judged.finding.because[-2:] == (
        "other hosts cannot be reached",
        "no other host could be reached from here either: network",
    )


async def test_a_port_that_takes_connections_is_reachable_and_a_closed_one_is_not(unused_tcp_port):
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert await reachable("127.0.0.1", server.getsockname()[1])
    assert not await reachable("127.0.0.1", unused_tcp_port)
    assert not await reachable("a" * 64, 80), "no name at all"
