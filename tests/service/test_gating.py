"""service/gating.py: groups played at real servers."""

import asyncio

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from llm_canaries.canary.claim import parse_claim
from llm_canaries.canary.gating import By, Rules, Why, groups
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.canary.sequential import Decision
from llm_canaries.service.gating import gating
from llm_canaries.service.playing import Order
from llm_canaries.service.settings import read_settings

RULES = Rules(claims=(parse_claim("failures < 5%"),), confidence=0.95)


async def play(settings, clock, draw, rules=RULES, *, concurrency=None, select=("known-good",), models=()):
    its = cases(settings.config, settings.binding, Wanted(canaries=select, models=models))
    found, runs, ended = groups(its, rules), [], []
    order = Order(config=settings.config, cases=its, concurrency=concurrency)
    await gating(order, found, clock=clock, draw=draw, redact=str, report=runs.append, end=ended.append)
    assert sorted(map(id, ended)) == sorted(map(id, found))
    return [verdict for group in found for verdict in group.verdicts()], runs


def settings_for(tmp_path, **gateways):
    path = tmp_path / "canaries.yml"
    path.write_text(yaml.safe_dump({"gateways": gateways}))
    return read_settings(str(path), {})


class Limited:
    """A gateway that answers the first `good` asks with the mirror's words and every other with a 429."""

    def __init__(self, good):
        self.good, self.asked, self.busy, self.most_busy = good, 0, 0, 0

    async def answer(self, request):
        self.asked += 1
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        await asyncio.sleep(0)
        self.busy -= 1
        asked = await request.json()
        if self.asked > self.good:
            error = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
            return web.json_response(error, status=429, headers={"retry-after": "30"})
        said = asked["messages"][0]["content"].rpartition(": ")[2]
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        answer = {"id": "x", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
        return web.json_response(answer | {"usage": usage})


async def test_a_429_ends_every_group_of_its_gateway_and_is_never_asked_over(tmp_path, clock, draw):
    limited, app = Limited(5), web.Application()
    app.router.add_post("/v1/chat/completions", limited.answer)
    async with TestServer(app) as server:
        gateway = {"kind": "openai-compatible", "url": f"http://127.0.0.1:{server.port}", "dialects": ["openai_chat"]}
        settings = settings_for(tmp_path, it=gateway | {"models": ["a", "b"]})
        only = Wanted(canaries=("known-good",))
        whole = [case for case in cases(settings.config, settings.binding, only) if not case.stream]
        found, runs = groups(whole, Rules(claims=RULES.claims, confidence=0.95, by=By.CASE)), []
        order = Order(config=settings.config, cases=whole)
        await gating(order, found, clock=clock, draw=draw, redact=str, report=runs.append, end=lambda group: None)
    verdicts = [verdict for group in found for verdict in group.verdicts()]
    assert [verdict.decision for verdict in verdicts] == [Decision.UNDECIDED] * 2
    assert [verdict.why for verdict in verdicts] == [Why.HELD] * 2
    assert sum(verdict.runs for verdict in verdicts) == 5, "a 429 counts neither way"
    assert limited.asked == 6, "the one that waited for its turn was withheld"
    assert limited.most_busy == 1, "a deployed gateway gets one ask at a time"
    assert any("rate_limited" in verdict.detail and "30 s" in verdict.detail for verdict in verdicts)


@pytest.mark.parametrize(
    ("model", "decision"),
    [("healthy", Decision.PASS), ("drop-image", Decision.FAIL), ("no-call-id", Decision.PASS)],
)
async def test_at_the_mirror(tmp_path, clock, draw, model, decision):
    settings = settings_for(tmp_path, it={"kind": "embedded", "models": [f"mirror/{model}"]})
    rules = Rules(claims=(parse_claim("dropped_silent < 20%"),), confidence=0.95)
    verdicts, runs = await play(settings, clock, draw, rules, select=("tool-result-images",), concurrency=16)
    assert [verdict.decision for verdict in verdicts] == [decision]
    assert len(runs) >= verdicts[0].made


async def test_a_passing_answer_that_says_that_nothing_is_left_counts_and_is_the_last(tmp_path, clock, draw):
    class Telling(Limited):
        async def answer(self, request):
            answer = await super().answer(request)
            if self.asked == self.good:
                names = {"limit": str(self.good), "remaining": "0", "reset": "2m"}
                answer.headers.update({f"x-ratelimit-{name}-requests": value for name, value in names.items()})
            return answer

    limited, app = Telling(5), web.Application()
    app.router.add_post("/v1/chat/completions", limited.answer)
    async with TestServer(app) as server:
        gateway = {"kind": "openai-compatible", "url": f"http://127.0.0.1:{server.port}", "dialects": ["openai_chat"]}
        settings = settings_for(tmp_path, it=gateway | {"models": ["a"]})
        only = Wanted(canaries=("known-good",))
        whole = [case for case in cases(settings.config, settings.binding, only) if not case.stream]
        found = groups(whole, RULES)
        order = Order(config=settings.config, cases=whole)
        await gating(order, found, clock=clock, draw=draw, redact=str, report=lambda run: None, end=lambda group: None)
    (verdict,) = [verdict for group in found for verdict in group.verdicts()]
    assert (verdict.decision, verdict.why, verdict.runs) == (Decision.UNDECIDED, Why.HELD, 5)
    assert limited.asked == 5, "the 429 that would have come was not asked for"
