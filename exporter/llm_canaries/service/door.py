"""Wires `canaries proxy`: one embedded gateway of a configuration, its core, traffic and prices, behind HTTP."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct

from llm_canaries.config.schema import Config
from llm_canaries.config.secrets import Redactor
from llm_canaries.gateways.table import KINDS
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.price import prices_of
from llm_canaries.proxy.server.door import Door, serving
from llm_canaries.proxy.server.keys import ClientKeys
from llm_canaries.proxy.server.pages import Pages
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.service.assembly import MIRROR, client_core
from llm_canaries.wire.nonce import Draw


class Plan(Struct, frozen=True, kw_only=True):
    """What to serve where: `gateway` is one of kind `embedded`; `keys` are those of clients, none for anyone."""

    config: Config
    gateway: str
    host: str
    port: int
    keys: Sequence[str]
    redact: Redactor


def embedded(config: Config) -> list[str]:
    """The names of the gateways that have a core of their own."""
    return [name for name, each in config.gateways.items() if not KINDS[each.kind].deployed]


@asynccontextmanager
async def opened(plan: Plan, clock: Clock, draw: Draw) -> AsyncIterator[str]:
    """The proxy listening; the value is its base URL. Raises OSError where the address is taken."""
    config = plan.config.gateways[plan.gateway]
    prices = prices_of(plan.config.prices)
    prices.look_up(each.id for each in config.models)
    traffic = Traffic(config.providers or (MIRROR,), price=prices.dollars)
    async with AsyncExitStack() as stack:
        core = await client_core(stack, config, clock, draw, traffic)
        core.ways.learn = plan.redact.learn
        door = Door(core, Pages(core, traffic, clock), ClientKeys(plan.keys), redact=plan.redact)
        yield await stack.enter_async_context(serving(door, plan.host, plan.port))
