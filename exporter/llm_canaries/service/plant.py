"""What one configuration builds: gateways, the ways to them, and the cases to run there."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from msgspec import Struct

from llm_canaries.canary.canary import Case
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.assembly import Assembly, assemble
from llm_canaries.service.attributing import Attributing
from llm_canaries.service.connectivity import Connectivity
from llm_canaries.service.lane import Lanes, lanes
from llm_canaries.service.loop_end import LoopEnd
from llm_canaries.service.settings import Settings


class Plant(Struct, frozen=True, kw_only=True):
    """What one configuration built: replaced whole by a reload."""

    settings: Settings
    cases: Mapping[str, Case]
    assembly: Assembly
    lanes: Mapping[str, Lanes]
    connectivity: Connectivity
    attributing: Attributing
    stack: AsyncExitStack


async def build(settings: Settings, clock: Clock, loop_end: LoopEnd) -> Plant:
    """The plant of `settings`, with nothing of it running yet. Raises OSError where the mirror cannot listen."""
    found = cases(settings.config, settings.binding, Wanted())
    stack = AsyncExitStack()
    config, learn = settings.config, settings.redactor.learn
    try:
        assembly = await assemble(stack, config, config.gateways, clock, learn, loop_end)
    except OSError:
        await stack.aclose()
        raise
    connectivity = Connectivity(config, clock)
    return Plant(
        settings=settings,
        cases={case.key: case for case in found},
        assembly=assembly,
        lanes=lanes(assembly, clock),
        connectivity=connectivity,
        attributing=Attributing(config, connectivity),
        stack=stack,
    )
