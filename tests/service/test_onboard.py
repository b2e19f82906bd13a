"""Covers service/onboard.py and the command: onboarding at the mirror, and at gateways that change meanwhile."""

import json
import subprocess
import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from commands import interrupted

from llm_canaries.canary.onboarding import Reason, judge
from llm_canaries.mirror.server import Mirror
from llm_canaries.service.beside import Beside
from llm_canaries.service.onboard import Block, Onboard
from llm_canaries.service.settings import read_settings
from llm_canaries.state.database import FILE, Database
from llm_canaries.state.spending import write_spent


class Gateway:
    """The mirror as a gateway: `lists` and `refusals` by the number of looks and asks so far, headers of refusals."""

    def __init__(self, clock):
        self.mirror = Mirror(clock)
        self.looks, self.asks, self.in_flight, self.most = 0, [], 0, 0
        self.ids = lambda look: ["mirror/healthy"]
        self.refuse = lambda ask: None

    async def listed(self, request):
        self.looks += 1
        ids = self.ids(self.looks)
        if ids is None:
            return web.Response(status=404)
        return web.json_response({"object": "list", "data": [{"id": each, "object": "model"} for each in ids]})

    async def asked(self, request):
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            body = json.loads(await request.read())
            self.asks.append(body["model"])
            if (refusal := self.refuse(len(self.asks))) is not None:
                status, headers = refusal
                error = {"error": {"message": "no", "type": "x", "code": None}}
                return web.json_response(error, status=status, headers=headers)
            return await self.mirror.asks("openai_chat")(request)
        finally:
            self.in_flight -= 1


@pytest.fixture
async def gateway(clock):
    its = Gateway(clock)
    app = web.Application()
    app.router.add_get("/v1/models", its.listed)
    app.router.add_post("/v1/chat/completions", its.asked)
    async with TestServer(app) as server:
        its.url = str(server.make_url("")).rstrip("/")
        yield its


async def onboarded(gateway, tmp_path, clock, draw, *, watch=0.3, models=(), text="", twin=False, **block):
    own = f"own: {{kind: embedded, models: [{text or 'mirror/healthy'}]}}" if twin else ""
    (tmp_path / "c.yml").write_text(
        f"gateways: {{it: {{kind: openai-compatible, url: '{gateway.url}', dialects: [openai_chat],\n"
        f"  models: [{text or 'mirror/healthy'}]{', twin: own' if twin else ''}}}, {own}}}\n"
    )
    settings = read_settings(str(tmp_path / "c.yml"), {})
    said = []
    its = Block(gateway="it", prefix=block.pop("prefix", "mirror"), models=models, watch=watch, every=0.05)
    onboard = Onboard(settings, its, Beside(settings.config, tmp_path / "state", clock), clock, draw, said.append)
    await onboard.run()
    return onboard.seen, judge(onboard.seen), said


async def test_a_sound_block_is_ready(gateway, tmp_path, clock, draw):
    seen, verdict, said = await onboarded(gateway, tmp_path, clock, draw)
    assert (verdict.word, verdict.causes) == ("ready", ())
    assert [run.case.scenario for run in seen.runs] == [
        "known-good", "usage-parity", "tool-round-trip", "stream-conformance", "tool-result-image", "thinking"
    ]  # fmt: skip
    assert {run.case.dialect for run in seen.runs} == {"openai_chat"}
    assert len(seen.ticks) >= 2
    assert gateway.most == 1, "one ask in flight"
    assert "mirror/healthy: listed" in said


async def test_what_is_not_listed_is_not_asked(gateway, tmp_path, clock, draw):
    _, verdict, said = await onboarded(gateway, tmp_path, clock, draw, models=("absent", "mirror/healthy"))
    assert (verdict.word, [cause.reason for cause in verdict.causes]) == ("not ready", [Reason.NOT_LISTED])
    assert set(gateway.asks) == {"mirror/healthy"}
    assert "mirror/absent: not listed, and not asked" in said


async def test_facts_of_models_are_respected(gateway, tmp_path, clock, draw):
    text = "{id: mirror/healthy, vision: false, thinking: false}"
    seen, verdict, _ = await onboarded(gateway, tmp_path, clock, draw, text=text)
    skipped = {run.case.scenario for run in seen.runs if run.finding.outcome == "skip"}
    assert (verdict.word, skipped) == ("ready", {"tool-result-image", "thinking"})


async def test_a_refusal_spares_the_model_at_once(gateway, tmp_path, clock, draw):
    gateway.refuse = lambda ask: (401, {})
    seen, verdict, said = await onboarded(gateway, tmp_path, clock, draw)
    assert verdict.word == "not ready"
    assert [cause.reason for cause in verdict.causes] == [Reason.CANARY_FAILED] + [Reason.LEFT_OUT] * 5
    assert len(gateway.asks) == 1
    assert len(seen.spared) == 5
    assert any("asking again would harm" in line for line in said)


async def test_a_refusal_while_watching_ends_the_asks(gateway, tmp_path, clock, draw):
    before = await onboarded(gateway, tmp_path, clock, draw, watch=0.0)
    asked = len(gateway.asks)
    gateway.refuse = lambda ask: (403, {}) if ask > 2 * asked + 1 else None
    seen, verdict, _ = await onboarded(gateway, tmp_path, clock, draw)
    assert before[1].word == "ready"
    assert (verdict.word, verdict.causes[0].reason) == ("not ready", Reason.REFUSED_MEANWHILE)
    assert len(gateway.asks) == 2 * asked + 2
    assert seen.ticks[-1].run is None, "the list alone is looked at from then on"


async def test_a_long_wait_is_not_waited_for_and_a_short_one_is(gateway, tmp_path, clock, draw):
    gateway.refuse = lambda ask: (429, {"retry-after": "3600"})
    seen, _, _ = await onboarded(gateway, tmp_path, clock, draw)
    assert len(gateway.asks) == 1
    assert "held_retry_after for 3600 s" in seen.spared[0]
    gateway.asks.clear()
    gateway.refuse = lambda ask: (429, {"retry-after": "1"}) if ask == 1 else None
    seen, verdict, _ = await onboarded(gateway, tmp_path, clock, draw, watch=0.0)
    assert (len(seen.spared), len(seen.runs)) == (0, 6)
    assert [cause.reason for cause in verdict.causes] == [Reason.CANARY_FAILED]


async def test_a_model_that_vanishes_while_watching(gateway, tmp_path, clock, draw):
    gateway.ids = lambda look: ["mirror/healthy"] if look < 3 else ["other"]
    _, verdict, _ = await onboarded(gateway, tmp_path, clock, draw)
    assert (verdict.word, [cause.reason for cause in verdict.causes]) == ("not ready", [Reason.VANISHED])


async def test_without_a_list_the_models_are_asked_and_the_verdict_is_open(gateway, tmp_path, clock, draw):
    gateway.ids = lambda look: None
    seen, verdict, _ = await onboarded(gateway, tmp_path, clock, draw)
    assert (verdict.word, [cause.reason for cause in verdict.causes]) == ("undecided", [Reason.NO_LIST])
    assert len(seen.runs) == 6


async def test_without_models_by_name_a_few_of_the_listed_are_taken(gateway, tmp_path, clock, draw):
    gateway.ids = lambda look: [f"new/{n}" for n in range(9)]
    seen, verdict, said = await onboarded(gateway, tmp_path, clock, draw, prefix="new", watch=0.0)
    assert seen.expected == ("new/0", "new/1", "new/2")
    assert verdict.word == "not ready", "the mirror has no such models"
    assert any("name others with --models" in line for line in said)


async def budgeted(gateway, tmp_path, clock, draw, budget, more=""):
    (tmp_path / "c.yml").write_text(
        f"gateways: {{it: {{kind: openai-compatible, url: '{gateway.url}', models: [mirror/healthy],\n"
        f"  dialects: [openai_chat], budget: {{{budget}}}}}}}\n{more}"
    )
    settings, said = read_settings(str(tmp_path / "c.yml"), {}), []
    block = Block(gateway="it", prefix="mirror", watch=0.0, every=0.05)
    onboard = Onboard(settings, block, Beside(settings.config, tmp_path / "state", clock), clock, draw, said.append)
    await onboard.run()
    return onboard.seen, judge(onboard.seen)


async def spent(tmp_path, clock, day=0, **amounts):
    """As if a sidecar had spent so much at the gateway, `day` days after today."""
    database = Database.open(tmp_path / "state")
    today = str(int(clock.wall() // 86_400) + day)
    numbers = [amounts.get(kind, 0) for kind in ("requests", "tokens", "nanodollars")]
    await database.do(lambda connection: write_spent(connection, "it", today, tuple(numbers)))
    await database.close()


async def test_the_budget_ends_the_asks(gateway, tmp_path, clock, draw):
    seen, verdict = await budgeted(gateway, tmp_path, clock, draw, "tokens: 1300")
    assert [run.case.scenario for run in seen.runs] == ["known-good", "usage-parity"]
    assert "the gateway's budget of 1,300 tokens a day would be spent: " in seen.spared[0]
    assert (verdict.word, {cause.reason for cause in verdict.causes}) == ("undecided", {Reason.LEFT_OUT})


@pytest.mark.parametrize(
    ("amounts", "budget", "more", "told"),
    [
        ({"tokens": 99_900}, "tokens: 100000", "", "budget of 100,000 tokens a day would be spent: 99,900 are"),
        ({"requests": 40}, "requests: 41", "", "budget of 41 requests a day would be spent: 41 are"),
        ({"nanodollars": 10**9}, "dollars: 1", "", "budget of $1.00 a day would be spent: $1.0000 are"),
        ({"tokens": 90_000}, "", "budget: {tokens: 90001}", "the budget of all gateways of 90,001 tokens a day"),
    ],
)
async def test_what_the_sidecar_has_spent_today_counts(amounts, budget, more, told, gateway, tmp_path, clock, draw):
    prices = "\nprices: {'mirror/*': {input: 1, output: 1}}\n"
    await spent(tmp_path, clock, **amounts)
    seen, verdict = await budgeted(gateway, tmp_path, clock, draw, budget, more + prices)
    assert (gateway.asks, verdict.word) == ([], "undecided")
    assert told in seen.spared[0]


async def test_another_day_or_gateway_does_not(gateway, tmp_path, clock, draw):
    await spent(tmp_path, clock, day=-1, tokens=10**9)
    _, verdict = await budgeted(gateway, tmp_path, clock, draw, "tokens: 100000")
    assert verdict.word == "ready"


async def test_a_state_that_cannot_be_read_says_nothing_may_be_spent(gateway, tmp_path, clock, draw):
    await spent(tmp_path, clock)
    for file in (tmp_path / "state").iterdir():
        file.write_bytes(b"this is no database" * 100)
    seen, verdict = await budgeted(gateway, tmp_path, clock, draw, "tokens: 100000")
    assert (gateway.asks, verdict.word) == ([], "undecided")
    assert "what was spent today cannot be read" in seen.spared[0]


async def test_the_sidecars_state_is_only_read(gateway, tmp_path, clock, draw):
    await spent(tmp_path, clock, tokens=5)
    before = (tmp_path / "state" / FILE).read_bytes()
    _, verdict = await budgeted(gateway, tmp_path, clock, draw, "tokens: 100000")
    assert verdict.word == "ready"
    assert (tmp_path / "state" / FILE).read_bytes() == before


async def test_where_there_is_nothing_to_ask_there_is_nothing_to_watch(gateway, tmp_path, clock, draw):
    seen, verdict, said = await onboarded(gateway, tmp_path, clock, draw, prefix="other", watch=3600.0)
    assert (verdict.word, [cause.reason for cause in verdict.causes]) == ("undecided", [Reason.NOTHING_ASKED])
    assert seen.ticks == ()
    assert "nothing to watch" in said[-1]


def canaries(*words, cwd):
    line = [sys.executable, "-m", "llm_canaries", "onboard", *words]
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd, timeout=60)


def test_the_demonstration_needs_nothing(tmp_path):
    done = canaries("mirror/", "--watch", "1s", "--json", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["reasons"], found["missing"]) == ("ready", [], [])
    assert len(found["runs"]) == 6
    assert found["watch"]["asks"] >= 1
    assert "Verdict: ready." in done.stderr
    assert "watched 1 s of 1 s" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["mirror", "--watch", "0s", "--models", "drop-image"], 1, "canary_failed: tool-result-image at mirror/drop"),
        (["mirror", "--watch", "0s", "--models", "no-such"], 1, "not_listed: mirror/no-such is not in the model list"),
        (["other", "--watch", "0s"], 3, "nothing_asked"),
        (["mirror", "--watch", "soon"], 2, "--watch soon: is not a duration"),
        (["a b"], 2, "is not a name"),
        (["mirror", "--every", "1ms"], 2, "write at least 0.5s"),
        (["mirror", "--gateway", "no"], 2, "no: no such gateway; configured: embedded"),
    ],
)
def test_exit_codes(words, code, told, tmp_path):
    done = canaries(*words, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_deployed_gateway_is_not_looked_at_too_often(tmp_path):
    (tmp_path / "canaries.yml").write_text(
        "gateways:\n  a: {kind: openai-compatible, url: 'http://127.0.0.1:1', models: [new/m]}\n"
        "  b: {kind: openai-compatible, url: 'http://127.0.0.1:1', models: [new/m]}\n"
    )
    done = canaries("new", cwd=tmp_path)
    assert (done.returncode, "which gateway? configured: a, b" in done.stderr) == (2, True)
    done = canaries("new", "--gateway", "a", "--every", "5s", cwd=tmp_path)
    assert (done.returncode, "too often for a gateway that others use" in done.stderr) == (2, True)


def test_ctrl_c_ends_with_the_verdict_so_far(tmp_path):
    watching = ("onboard", "mirror", "--watch", "1h", "--every", "1s")
    done = interrupted(*watching, cwd=tmp_path, told=lambda line: "watched" in line)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert "cut_short: watched" in done.stdout
    assert "Verdict: undecided." in done.stdout


async def test_a_block_that_fails_says_whose_fault_it_is(gateway, tmp_path, clock, draw):
    gateway.refuse = lambda ask: (502, {})
    _, verdict, said = await onboarded(gateway, tmp_path, clock, draw, twin=True)
    told = [line for line in said if line.startswith("known-good at mirror/healthy: fail")]
    assert "upstream_error (deployment):" in told[0]
    assert "the same ask through the embedded core passed; the gateway gave no answer, twice" in told[0]
    assert any("deployment" in cause.detail for cause in verdict.causes)
