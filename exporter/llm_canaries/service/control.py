"""The same case at our own mirror, in this process and without any gateway: whether the mirror can pass it at all."""

from contextlib import AsyncExitStack

from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Run
from llm_canaries.canary.load import MIRROR_MODEL
from llm_canaries.canary.run import run_case
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.schema import Config, GatewayConfig, ModelConfig
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.assembly import MIRROR, assemble
from llm_canaries.service.lane import lanes
from llm_canaries.wire.nonce import Draw


async def at_own_mirror(case: Case, clock: Clock, draw: Draw) -> Run:
    """The run of `case`, which a gateway leads to our mirror, without that gateway; nothing leaves this process."""
    model = case.upstream or MIRROR_MODEL
    config = Config(gateways={MIRROR: GatewayConfig(kind="embedded", models=(ModelConfig(id=model),))})
    alone = replace(
        case,
        gateway=MIRROR,
        model=model,
        upstream=model,
        mirror="built-in",
        twin="",
        deployed=False,
    )
    async with AsyncExitStack() as stack:
        assembly = await assemble(stack, config, {MIRROR}, clock)
        return await run_case(
            alone,
            SCENARIOS[case.scenario],
            lanes(assembly, clock)[MIRROR],
            draw=draw,
            now=clock.wall(),
            mirror=assembly.own_mirror,
        )
