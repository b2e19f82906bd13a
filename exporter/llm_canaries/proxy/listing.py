"""The core's own model list: what its providers list, under the ids by which the core serves it."""

from collections.abc import Mapping, Sequence

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.gateway import Unanswered
from llm_canaries.proxy.headers import STANDING_HEADERS
from llm_canaries.proxy.routes import Provider, Route, exposed
from llm_canaries.proxy.translate import gather
from llm_canaries.proxy.transport import Transport
from llm_canaries.proxy.ways import Ways
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError

LISTING_LIMIT = 4 * 1024 * 1024  # bytes of one provider's model list


async def listed(
    providers: Sequence[Provider], transports: Mapping[str, Transport], ways: Ways, clock: Clock, *, whole: bool
) -> tuple[str, ...]:
    """Every id once, in the order of the providers.

    Raises Unanswered where a provider has no list: for a `whole` one any provider, else only the last one left.
    """
    ids: list[str] = []
    failed: list[Unanswered] = []
    for each in providers:
        try:
            ids += await _listed(each, transports[each.name], ways, clock)
        except Unanswered as error:
            failed.append(error)
            if whole or len(failed) == len(providers):
                raise
    return tuple(dict.fromkeys(ids))


async def _listed(provider: Provider, transport: Transport, ways: Ways, clock: Clock) -> list[str]:
    dialect, now = DIALECTS[provider.dialects[0]], clock.monotonic()
    key = ways.secret(ways.probe(Route(provider, ""), now, clock.wall()), now)
    headers = (*STANDING_HEADERS.get(dialect.name, ()), *(dialect.auth(key) if key else ()))
    async with transport.request("GET", dialect.models_path, headers, None) as answer:
        body = await gather(answer.chunks(), LISTING_LIMIT)
    if answer.status >= 400:
        message = f"{provider.name}: no model list"
        raise Unanswered(Fault(reason=FaultReason.UPSTREAM_ERROR, status=answer.status, message=message))
    try:
        return exposed(provider, dialect.read_models(body).ids)
    except WireError as error:
        raise Unanswered(Fault(reason=FaultReason.MALFORMED_BODY, message=f"{provider.name}: {error}")) from None
