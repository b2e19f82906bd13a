"""Builds gateways out of a configuration: sessions, transports, cores, and the mirror where one is needed."""

import secrets
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack

import aiohttp
from msgspec import Struct
from pydantic import SecretStr

from llm_canaries.canary.run import Mirrored
from llm_canaries.config.provider import BreakerConfig, ProviderConfig
from llm_canaries.config.schema import Config, GatewayConfig
from llm_canaries.gateways.table import KINDS
from llm_canaries.mirror.server import Mirror, serving
from llm_canaries.proxy import gateway as proxy
from llm_canaries.proxy.agent import agent
from llm_canaries.proxy.breaker import Policy, Threshold, Tiered
from llm_canaries.proxy.circuits import Scope
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.conduct import CANARY, Conduct
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.credentials import Credential, Strategy
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.proxy.retry import Retries
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.signature import Sign, signer
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.proxy.transport import Transport, new_session
from llm_canaries.proxy.ways import Settings
from llm_canaries.service.loop_end import LoopEnd
from llm_canaries.service.providers import limits_of, providers_of
from llm_canaries.wire.nonce import Draw

MIRROR = "mirror"  # the provider of an embedded gateway that has none of its own


class Assembly(Struct, frozen=True, kw_only=True):
    """The gateways by name; `mirrored` are those whose only upstream is a mirror of this process.

    `wrong_keys` are cores like theirs with a key that is wrong, before a mirror of this process that wants another.
    `twins` names the embedded gateway with the same providers, for a deployed one that has it.
    """

    gateways: dict[str, proxy.Gateway]
    twins: Mapping[str, str]
    mirrored: frozenset[str]
    wrong_keys: Mapping[str, proxy.Gateway]
    own_mirror: Mirrored | None
    loops: Mapping[str, Collection[str]]
    loop_mirror: Mirrored | None

    def mirror_behind(self, gateway: str, model: str) -> Mirrored | None:
        """Our mirror, where `model` leads to it through `gateway`; the models of its `loopback` do."""
        if gateway in self.mirrored:
            return self.own_mirror
        return self.loop_mirror if model in self.loops.get(gateway, ()) else None


async def assemble(
    stack: AsyncExitStack,
    config: Config,
    wanted: Collection[str],
    clock: Clock,
    learn: Callable[[str], None] = lambda secret: None,
    loop_end: LoopEnd | None = None,
) -> Assembly:
    """The gateways `wanted`, and their twins; `stack` closes what they hold open.

    `learn` is told of tokens that files bring, `loop_end` is kept by whoever assembles again. Raises OSError where its
    address is taken.
    """
    named = {*wanted, *(config.gateways[name].twin for name in wanted)}
    chosen = {name: gateway for name, gateway in config.gateways.items() if name in named}
    mirrored = frozenset(
        name for name, each in chosen.items() if not KINDS[each.kind].deployed and each.providers is None
    )
    mirror, url, locked = None, "", ""
    if mirrored:
        mirror = Mirror(clock)
        url = await stack.enter_async_context(serving(mirror, "127.0.0.1", 0))
        locked = await stack.enter_async_context(serving(Mirror(clock, secrets.token_hex()), "127.0.0.1", 0))
    session = await stack.enter_async_context(new_session())
    loops = {name: each.loopback.models for name, each in chosen.items() if each.loopback is not None}
    if loop_end is None:
        loop_end = LoopEnd(clock)
        stack.push_async_callback(loop_end.close)
    loop_mirror = await loop_end.at(config.mirror if loops else None, session)
    sign = signer(_secret(config.mark.key if config.mark is not None else None), clock.wall)
    gateways: dict[str, proxy.Gateway] = {}
    for name, each in chosen.items():
        if KINDS[each.kind].deployed:
            gateways[name] = _deployed(session, each, sign)
        else:
            core = gateways[name] = embedded_core(session, each, url, clock)
            core.ways.learn = learn
    wrong = {name: embedded_core(session, chosen[name], locked, clock, key="wrong-key") for name in mirrored}
    twins = {name: each.twin for name, each in chosen.items() if each.twin is not None}
    return Assembly(
        gateways=gateways,
        twins=twins,
        mirrored=mirrored,
        wrong_keys=wrong,
        own_mirror=mirror,
        loops=loops,
        loop_mirror=loop_mirror,
    )


def _deployed(session: aiohttp.ClientSession, config: GatewayConfig, sign: Sign) -> Deployed:
    headers = {name: value.get_secret_value() for name, value in config.headers.items()}
    return Deployed(Transport(session, str(config.url), limits_of(config)), _secret(config.api_key), headers, sign)


async def client_core(
    stack: AsyncExitStack, config: GatewayConfig, clock: Clock, draw: Draw, traffic: Traffic | None = None
) -> Core:
    """The core of an embedded gateway for clients: retries, connections kept alive; `stack` closes what it opens."""
    url = ""
    if config.providers is None:
        url = await stack.enter_async_context(serving(Mirror(clock), "127.0.0.1", 0))
    session = await stack.enter_async_context(new_session(keep_alive=True))
    own = config.retries
    conduct = Conduct(raw=False, retries=Retries(attempts=own.attempts, base=own.base, cap=own.cap))
    return embedded_core(session, config, url, clock, conduct=conduct, traffic=traffic, draw=draw)


def embedded_core(
    session: aiohttp.ClientSession,
    config: GatewayConfig,
    url: str,
    clock: Clock,
    *,
    conduct: Conduct = CANARY,
    traffic: Traffic | None = None,
    draw: Draw = lambda below: below - 1,
    key: str = "",
) -> Core:
    """The core of an embedded gateway; `url` and `key` are the mirror's, for one without providers."""
    limits, profiles, who = limits_of(config), read_profiles(), agent("canary" if conduct.raw else "proxy")
    own, mirror = config.providers or {}, profiles["mirror"]
    providers = providers_of(config, profiles) or [
        Provider(name=MIRROR, url=url, profile=mirror, dialects=mirror.dialects, limits=limits)
    ]
    return Core(
        providers,
        {each.name: Transport(session, each.url, limits, who) for each in providers},
        {MIRROR: key} if key else {},
        clock,
        credentials={name: _credentials(each) for name, each in own.items()},
        settings=_settings(config.breaker, {name: Strategy(each.strategy) for name, each in own.items()}),
        conduct=conduct,
        pins=config.pins,
        traffic=traffic,
        draw=draw,
    )


def _credentials(config: ProviderConfig) -> tuple[Credential, ...]:
    """The keys of a provider; the short form is one of the default name."""
    if config.credentials is None:
        return (Credential(key=_secret(config.api_key), token_file=config.token_file or ""),)
    return tuple(
        Credential(each.alias, _secret(each.api_key), each.weight, each.token_file or "")
        for each in config.credentials
    )


def _settings(config: BreakerConfig, strategies: dict[str, Strategy]) -> Settings:
    policy: Policy = Threshold(failures=config.failures, timeout=config.timeout, probes=config.probes)
    if config.policy == "tiered":
        policy = Tiered(cap=config.cap)
    scope = Scope(config.scope)
    return Settings(policy=policy, scope=scope, count_limits=config.count_rate_limits, strategies=strategies)


def _secret(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
