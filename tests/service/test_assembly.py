"""Covers service/assembly.py: what a configuration says of the core is what the core does."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from answers import ask, error, whole

from llm_canaries.config.load import load
from llm_canaries.config.schema import GatewayConfig
from llm_canaries.proxy.breaker import Threshold, Tiered
from llm_canaries.proxy.circuits import Scope
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.conduct import CANARY
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.exchange import exchange
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.service.assembly import assemble, client_core
from llm_canaries.service.settings import known
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.nonce import Draw

CHAT = "openai_chat"
ENVIRON = {"ONE": "sk-planted-one", "TWO": "sk-planted-two"}
Build = Callable[..., Awaitable[Core]]


def gateway(text: str) -> GatewayConfig:
    whole_text = f"gateways:\n  core:\n    kind: embedded\n    models: [m]\n{text}"
    return load(whole_text, known({}), file="c.yml", environ=ENVIRON, read_file=str).gateways["core"]


@pytest.fixture
async def stack() -> Any:
    async with AsyncExitStack() as opened:
        yield opened


class Upstream:
    """A provider that answers by the key it is shown, and remembers both."""

    def __init__(self, **by_key: tuple[int, bytes]) -> None:
        self.by_key = by_key
        self.seen: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.seen.append((key, (await request.json())["model"]))
        status, body = self.by_key.get(key.replace("-", "_"), (200, whole(CHAT)))
        return web.Response(status=status, body=body, content_type="application/json")


async def serve(stack: AsyncExitStack, upstream: Upstream) -> str:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.answer)
    return str((await stack.enter_async_context(TestServer(app))).make_url("")).rstrip("/")


async def test_credentials_in_turn(stack: AsyncExitStack, clock: Clock, draw: Draw, tmp_path: Any) -> None:
    token = tmp_path / "token.json"
    token.write_text(json.dumps({"access_token": "t0k", "expired": "2099-01-01T00:00:00Z"}))
    upstream = Upstream(sk_planted_two=(401, error("who")))
    url = await serve(stack, upstream)
    config = gateway(
        f"""\
    providers:
      main:
        url: {url}
        dialects: [openai_chat]
        credentials:
          - {{alias: one, api_key: "${{ONE}}", weight: 2}}
          - {{alias: two, api_key: "${{TWO}}"}}
          - {{alias: login, token_file: {token}}}
        aliases: {{fast: {{model: m, fork: true}}}}
"""
    )
    traffic = Traffic()
    core = await client_core(stack, config, clock, draw, traffic)
    used = []
    for _ in range(4):
        got = await exchange(core, Send(ask=ask(CHAT, model="fast"), dialect=CHAT), clock=clock)
        assert got.fault is None and "planted" not in repr(got.attempts)
        used.append([each.credential for each in got.attempts])
    assert used == [["one"], ["two", "login"], ["login"], ["one"]], "smooth over those that are left"
    assert {key for key, _ in upstream.seen} == {"sk-planted-one", "sk-planted-two", "t0k"}
    assert {model for _, model in upstream.seen} == {"m"}
    assert traffic.snapshot()["main"].requests == 5
    standings = {each.credential: each for each in core.standings()}
    assert standings["two"].sidelined_until is not None and standings["login"].refresh == "active"


async def test_a_chain_with_pins(stack: AsyncExitStack, clock: Clock, draw: Draw) -> None:
    main, spare = Upstream(**{"": (503, error("busy"))}), Upstream()
    text = f"""\
    pins: {{nightly: spare}}
    retries: {{attempts: 2, base: 1ms, cap: 2ms}}
    providers:
      spare: {{url: "{await serve(stack, spare)}", dialects: [openai_chat], excluded_models: ["*-preview"]}}
      main: {{url: "{await serve(stack, main)}", dialects: [openai_chat], priority: 5}}
"""
    core = await client_core(stack, gateway(text), clock, draw)
    send = Send(ask=ask(CHAT), dialect=CHAT)
    got = await exchange(core, send, clock=clock)
    assert [each.provider for each in got.attempts] == ["main", "spare"]
    pinned = Send(ask=ask(CHAT), dialect=CHAT, headers={"x-canary-workload": "nightly"})
    assert [each.provider for each in (await exchange(core, pinned, clock=clock)).attempts] == ["spare"]
    preview = Send(ask=ask(CHAT, model="m-preview"), dialect=CHAT)
    got = await exchange(core, preview, clock=clock)
    assert [each.provider for each in got.attempts] == ["main", "main"] and got.status == 503


async def test_the_same_gateway_for_canaries(stack: AsyncExitStack, clock: Clock) -> None:
    upstream = Upstream(**{"": (503, error("busy"))})
    text = f"    providers: {{p: {{url: '{await serve(stack, upstream)}', dialects: [openai_chat]}}}}\n"
    config = load(
        f"gateways:\n  core:\n    kind: embedded\n    models: [m]\n    retries: {{attempts: 5}}\n{text}",
        known({}), file="c.yml", environ={}, read_file=str,
    )
    core = (await assemble(stack, config, ["core"], clock)).gateways["core"]
    assert isinstance(core, Core) and core.conduct == CANARY
    for _ in range(7):
        got = await exchange(core, Send(ask=ask(CHAT), dialect=CHAT), clock=clock)
        assert got.status == 503 and len(got.attempts) == 1
    assert len(upstream.seen) == 7


PROVIDERS = "    providers: {a: {url: http://a}, b: {url: http://b, credentials: [{alias: x, api_key: k}]}}\n"
BREAKERS = [
    ("", Threshold(5, 30.0, 1), Scope.PROVIDER, ["a", "b"]),
    ("    breaker: {failures: 2, timeout: 5s, probes: 3}\n", Threshold(2, 5.0, 3), Scope.PROVIDER, ["a", "b"]),
    ("    breaker: {policy: tiered, cap: 45s}\n", Tiered(cap=45.0), Scope.PROVIDER, ["a", "b"]),
    ("    breaker: {scope: credential}\n", Threshold(), Scope.CREDENTIAL, ["a/default", "b/x"]),
]


@pytest.mark.parametrize(("text", "policy", "scope", "names"), BREAKERS)
async def test_breakers(
    text: str, policy: object, scope: Scope, names: list[str], stack: AsyncExitStack, clock: Clock, draw: Draw
) -> None:
    core = await client_core(stack, gateway(text + PROVIDERS), clock, draw)
    assert (core.breakers.policy, core.breakers.scope, list(core.breakers)) == (policy, scope, names)


async def test_the_mirror_where_there_is_no_provider(stack: AsyncExitStack, clock: Clock, draw: Draw) -> None:
    core = await client_core(stack, gateway(""), clock, draw)
    got = await exchange(core, Send(ask=ask(CHAT, model="mirror/healthy"), dialect=CHAT), clock=clock)
    assert got.fault is None and [each.provider for each in got.attempts] == ["mirror"]
