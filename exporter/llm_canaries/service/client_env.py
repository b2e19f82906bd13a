"""The environment of a client, read for one run: where it leads, and the lane that goes there with its key."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from msgspec.structs import replace

from llm_canaries.canary.canary import Case
from llm_canaries.canary.clients import Aim, Route, aim_of, key_of, read_environment, routes, taken
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.schema import Config
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.deployed import Deployed, DeployedAnswer
from llm_canaries.proxy.transport import Transport, new_session
from llm_canaries.service.lane import GatewayLane, Lanes
from llm_canaries.service.providers import limits_of
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look, Send

Surround: TypeAlias = Callable[[Case, Lanes], AbstractAsyncContextManager[tuple[Case, Lanes]]]


@asynccontextmanager
async def in_environment(
    case: Case, lanes: Lanes, *, config: Config, clock: Clock, learn: Callable[[str], None]
) -> AsyncIterator[tuple[Case, Lanes]]:
    """`case` with where its client's environment leads, and a lane there, where its scenario needs one.

    `learn` is told of the key before anything is sent.
    """
    if "environment" not in SCENARIOS[case.scenario].needs:
        yield case, lanes
        return
    params = case.params
    said = await asyncio.to_thread(_read, params.env_file) if params.env_file else dict(os.environ)
    if said is None:
        yield case, lanes
        return
    choices = routes(case.params.client, params.url_names, params.key_names)
    urls = (_address(config, case.gateway), *params.addresses)
    aim, route = aim_of(params.client, said, choices, urls, case.model), taken(said, choices)
    for name in (*(key.name for key in route.keys), route.url):
        learn(_secret(said.get(name, ""), url=name == route.url))
    aimed = replace(case, aim=aim)
    if aim.problem is not None or not aim.hits:
        yield aimed, lanes
        return
    async with new_session() as session:
        transport = Transport(session, aim.origin, limits_of(config.gateways[case.gateway]))
        yield aimed, {**lanes, "client": GatewayLane(_Client(transport, aim, _key(said, route)), clock, 1)}


class _Client:
    """A gateway as one client asks it: under the client's own base URL, on its own path, with its own key."""

    def __init__(self, transport: Transport, aim: Aim, headers: Mapping[str, str]) -> None:
        self._deployed, self._aim = Deployed(transport, "", headers), aim
        self.limits = transport.limits

    @asynccontextmanager
    async def open(self, send: Send) -> AsyncIterator[DeployedAnswer]:
        """Sends one ask on the client's path. Raises Unanswered, and WireError where it cannot be written."""
        assert not isinstance(send.ask, bytes), "the scenario asks in hub form"
        written = DIALECTS[send.dialect].write_ask(send.ask, send.profile)
        async with self._deployed.open(replace(send, ask=written.body, path=self._aim.path)) as answer:
            yield answer

    @asynccontextmanager
    async def look(self, look: Look) -> AsyncIterator[DeployedAnswer]:
        """Reads a page below the base URL's host. Raises Unanswered."""
        async with self._deployed.look(look) as answer:
            yield answer


def _read(path: str) -> dict[str, str] | None:
    try:
        return read_environment(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _address(config: Config, gateway: str) -> str:
    """Where clients find the gateway: its URL, or for an embedded one where `canaries proxy` listens."""
    own = config.gateways[gateway].url
    return str(own) if own is not None else f"http://{config.proxy.listen}"


def _key(environ: Mapping[str, str], route: Route) -> Mapping[str, str]:
    found = key_of(environ, route)
    return {} if found is None else {found[0]: found[1]}


def _secret(value: str, *, url: bool) -> str:
    """What of a variable's value is secret: all of a key, of a URL what stands before its `@`."""
    return value.strip() if not url else value.partition("://")[2].rpartition("@")[0]
