"""Builds gateways out of a configuration: sessions, transports, cores, and the mirror where one is needed."""

from collections.abc import Collection
from contextlib import AsyncExitStack

import aiohttp
from msgspec import Struct

from llm_canaries.config.schema import Config, GatewayConfig, ProviderConfig
from llm_canaries.gateways.table import KINDS
from llm_canaries.mirror.server import Mirror, serving
from llm_canaries.proxy import gateway as proxy
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.transport import Transport, new_session
from llm_canaries.wire.exchange import Seen
from llm_canaries.wire.profile import Profile


class Assembly(Struct, frozen=True, kw_only=True):
    """The gateways by name; `mirrored` are those whose upstream is our own mirror."""

    gateways: dict[str, proxy.Gateway]
    mirrored: frozenset[str]
    mirror: Mirror | None

    async def upstream(self, mark: str) -> tuple[Seen, ...]:
        """What the mirror was sent under `mark`."""
        return self.mirror.records.of(mark) if self.mirror is not None else ()


async def assemble(stack: AsyncExitStack, config: Config, wanted: Collection[str], clock: Clock) -> Assembly:
    """The gateways `wanted`; all that they hold open is closed by `stack`."""
    chosen = {name: gateway for name, gateway in config.gateways.items() if name in wanted}
    mirrored = frozenset(
        name for name, each in chosen.items() if not KINDS[each.kind].deployed and each.providers is None
    )
    mirror, url = None, ""
    if mirrored:
        mirror = Mirror(clock)
        url = await stack.enter_async_context(serving(mirror, "127.0.0.1", 0))
    session = await stack.enter_async_context(new_session())
    profiles = read_profiles()
    gateways: dict[str, proxy.Gateway] = {}
    for name, each in chosen.items():
        if KINDS[each.kind].deployed:
            gateways[name] = _deployed(session, each)
        else:
            gateways[name] = _embedded(session, each, url, profiles, clock)
    return Assembly(gateways=gateways, mirrored=mirrored, mirror=mirror)


def _deployed(session: aiohttp.ClientSession, config: GatewayConfig) -> Deployed:
    headers = {name: value.get_secret_value() for name, value in config.headers.items()}
    key = config.api_key.get_secret_value() if config.api_key else ""
    return Deployed(Transport(session, str(config.url), _limits(config)), key, headers)


def _embedded(
    session: aiohttp.ClientSession, config: GatewayConfig, url: str, profiles: dict[str, Profile], clock: Clock
) -> Core:
    limits = _limits(config)
    if config.providers is None:
        providers = [Provider(name="mirror", url=url, profile=profiles["mirror"], limits=limits)]
        keys: dict[str, str] = {}
    else:
        providers = [_provider(name, each, profiles, limits) for name, each in config.providers.items()]
        keys = {
            name: each.api_key.get_secret_value() for name, each in config.providers.items() if each.api_key
        }
    transports = {each.name: Transport(session, each.url, limits) for each in providers}
    return Core(providers, transports, keys, clock)


def _provider(name: str, config: ProviderConfig, profiles: dict[str, Profile], limits: proxy.Limits) -> Provider:
    profile = profiles[config.profile]
    return Provider(
        name=name,
        url=str(config.url),
        profile=profile,
        dialects=config.dialects or profile.dialects,
        prefix=config.prefix or "",
        models=config.models,
        aliases=config.aliases,
        limits=limits,
    )


def _limits(config: GatewayConfig) -> proxy.Limits:
    own = config.limits
    return proxy.Limits(
        connect=own.connect, first_byte=own.first_byte, idle=own.idle, total=own.total, body=own.body
    )
