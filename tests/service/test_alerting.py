"""From a fault to the phone: canaries, ledger, rules, incidents, outbox and a real Apprise URL, turn by turn."""

import asyncio
import re
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sinks import sink

from llm_canaries.config.problems import ConfigError
from llm_canaries.mirror.server import Mirror
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.alerting import Alerting, from_here
from llm_canaries.service.app import Sidecar
from llm_canaries.service.board import Board
from llm_canaries.service.page import cases_json
from llm_canaries.service.settings import read_settings
from llm_canaries.service.store import Store
from llm_canaries.state.database import Database


class Upstream:
    """A gateway that can be broken and mended: the mirror, or 500."""

    def __init__(self, clock):
        self.broken = False
        self._answer = Mirror(clock).asks("openai_chat")

    async def handle(self, request):
        if self.broken:
            return web.json_response({"error": {"message": "boom"}}, status=500)
        return await self._answer(request)


class Turns:
    """A sidecar without its clockwork: runs and evaluations happen when the test says so."""

    def __init__(self, sidecar, alerting, upstream, settings):
        self.sidecar, self.alerting, self.upstream, self.settings = sidecar, alerting, upstream, settings

    async def run(self):
        """Every case once, then one evaluation."""
        for key in list(self.sidecar.plant.cases):
            await self.sidecar.due(key, self.sidecar.clock.wall())
        await self.alerting.tick()


def text(url, receivers, model="mirror/healthy", name="good"):
    return (
        f"gateways: {{it: {{kind: openai-compatible, url: '{url}', models: [{model}]}}}}\n"
        "canaries:\n"
        f"  - {{scenario: known-good, name: {name}, every: 1h, dialects: [openai_chat], stream: [false]}}\n"
        f"receivers: {{{receivers}}}\n"
    )


@asynccontextmanager
async def turning(folder, clock, draw, receivers, upstream=None):
    upstream = upstream or Upstream(clock)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.handle)
    async with TestServer(app) as server:
        path = folder / "canaries.yml"
        path.write_text(text(server.make_url("/"), receivers))
        settings = read_settings(str(path), {})
        database = Database.open(folder / "state")
        board = Board()
        sidecar = Sidecar(board, Store(database, board), clock, draw)
        alerting = Alerting(sidecar, database, clock, draw)
        rules = alerting.parse(settings)
        await sidecar.swap(await sidecar.build(settings))
        await alerting.start(settings, rules)
        try:
            yield Turns(sidecar, alerting, upstream, settings)
        finally:
            await alerting.close()
            await sidecar.drain(0.1)
            await sidecar.close()
            await database.close()


@pytest.mark.parametrize(
    ("where", "asked"),
    [
        ("http://0.0.0.0:9877", "http://127.0.0.1:9877"),
        ("http://[::]:80", "http://[::1]:80"),
        ("http://10.0.0.1:9877", "http://10.0.0.1:9877"),
    ],
)
def test_a_server_at_any_address_is_asked_at_this_one(where, asked):
    assert from_here(where) == asked


async def test_one_opened_one_escalated_one_resolved(tmp_path, clock, draw):
    async with sink() as phone, turning(tmp_path, clock, draw, f"phone: {{url: '{phone.url()}'}}") as turns:
        await turns.run()
        turns.upstream.broken = True
        await turns.run()
        assert phone.received == [], "one failure alone is silent"
        await turns.run()
        await phone.until(1)
        await turns.run()
        await phone.until(2)
        await turns.run()
        turns.upstream.broken = False
        await turns.run()
        await phone.until(3)
        await turns.run()
        await asyncio.sleep(0.3)
        opened, escalated, resolved = phone.titles
        assert opened.startswith("WARNING: ")
        assert escalated.startswith("Now CRITICAL: ")
        assert resolved.startswith("Resolved: ")
        message = phone.received[0]["message"]
        assert "good" in message
        assert "2 of 3" in message
        assert "upstream_error" in message
        assert "First: " in message
        assert re.search(r"Evidence: canaries evidence [1-9]\d* --url http://127\.0\.0\.1:9877\n", message)
        assert turns.sidecar.board.get(turns.sidecar.board.slot("llm_sidecar_incidents", level="critical")) == 0


async def test_a_hanging_receiver_delays_no_evaluation(tmp_path, clock, draw):
    async with sink() as phone, turning(tmp_path, clock, draw, f"phone: {{url: '{phone.url()}'}}") as turns:
        phone.gate.clear()
        turns.upstream.broken = True
        async with asyncio.timeout(5):
            for _ in range(4):
                await turns.run()
        assert phone.tried >= 1
        assert phone.received == []


async def test_an_incident_survives_a_restart_and_is_not_told_twice(tmp_path, clock, draw):
    async with sink() as phone:
        receivers = f"phone: {{url: '{phone.url()}'}}"
        upstream = Upstream(clock)
        upstream.broken = True
        async with turning(tmp_path, clock, draw, receivers, upstream) as turns:
            for _ in range(3):
                await turns.run()
            await phone.until(2)
            (before,) = cases_json(turns.sidecar, clock.wall())
        async with turning(tmp_path, clock, draw, receivers, upstream) as turns:
            (after,) = cases_json(turns.sidecar, clock.wall())
            for known in ("verdict", "reason", "detail", "fault_domain", "run"):
                assert after[known] == before[known], known
            assert after["verdict"] == "fail" and after["run"]
            await turns.run()
            await asyncio.sleep(0.2)
            assert len(phone.received) == 2
            upstream.broken = False
            await turns.run()
            await phone.until(3)
        assert [title.split(":")[0] for title in phone.titles] == ["WARNING", "Now CRITICAL", "Resolved"]


async def test_a_case_that_a_reload_removes_closes_as_removed(tmp_path, clock, draw):
    async with sink() as phone, turning(tmp_path, clock, draw, f"phone: {{url: '{phone.url()}'}}") as turns:
        turns.upstream.broken = True
        for _ in range(2):
            await turns.run()
        await phone.until(1)
        path = tmp_path / "canaries.yml"
        path.write_text(path.read_text().replace("name: good", "name: other"))
        settings = read_settings(str(path), {})
        rules = turns.alerting.parse(settings)
        gone = await turns.sidecar.swap(await turns.sidecar.build(settings))
        await turns.alerting.replace(settings, rules, gone)
        await phone.until(2)
        assert phone.titles[1].startswith("No longer watched")


async def test_nonsense_receivers_and_rules_are_refused_at_once(tmp_path, clock, draw):
    async with turning(tmp_path, clock, draw, "") as turns:
        path = tmp_path / "canaries.yml"
        rules = tmp_path / "rules.yml"
        rules.write_text("groups:\n  - name: mine\n    rules:\n      - {alert: A, expr: 'rate(x[5m]) >'}\n")
        more = f"rules: {{files: ['{rules}'], disable: [NoSuchAlert]}}\n"
        path.write_text(path.read_text().replace("receivers: {}", "receivers: {phone: {url: nonsense}}") + more)
        with pytest.raises(ConfigError) as caught:
            turns.alerting.parse(read_settings(str(path), {}))
        told = [str(problem) for problem in caught.value.problems]
        assert len(told) == 2
        assert "receiver `phone`: the URL is not an Apprise URL" in told[0]
        assert "group `mine`, rule `A`" in told[1]


async def test_rules_may_be_left_to_a_prometheus(tmp_path, clock, draw):
    async with sink() as phone, turning(tmp_path, clock, draw, f"phone: {{url: '{phone.url()}'}}") as turns:
        path = tmp_path / "canaries.yml"
        path.write_text(path.read_text() + "rules: {evaluate: false}\n")
        assert turns.alerting.parse(read_settings(str(path), {})) is None


async def test_a_wall_clock_that_steps_back_loses_nothing(tmp_path, clock, draw):
    shift = [0.0]
    shifted = Clock(clock.monotonic, lambda: clock.wall() + shift[0])
    async with sink() as phone, turning(tmp_path, shifted, draw, f"phone: {{url: '{phone.url()}'}}") as turns:
        turns.sidecar.begin()
        turns.upstream.broken = True
        await turns.run()
        shift[0] = -7200.0
        await turns.run()
        await phone.until(1)
        (ledger,) = turns.sidecar.ledgers.values()
        assert ledger.failures_in_a_row >= 2
        assert ledger.tally("recent", shifted.wall()).runs >= 2
        (due,) = turns.sidecar.schedule.due_times().values()
        assert due <= clock.wall() + 3600, "the scheduler itself goes by the machine's clock"
        turns.upstream.broken = False
        await turns.run()
        await phone.until(2)
        assert phone.titles[1].startswith("Resolved")
