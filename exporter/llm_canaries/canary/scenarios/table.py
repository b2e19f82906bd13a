"""The table of scenarios."""

from collections.abc import Mapping

from llm_canaries.canary.canary import Scenario
from llm_canaries.canary.scenarios import (
    catalog,
    client_route,
    completion,
    eligibility,
    http,
    known_good,
    negative_control,
    negotiation,
    routing,
    stale_cooldown,
    stream_conformance,
    thinking,
    tool_result_image,
    tool_round_trip,
    usage_parity,
)
from llm_canaries.canary.scenarios.loopback import scenario as loopback

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        tool_result_image.SCENARIO,
        known_good.SCENARIO,
        eligibility.SCENARIO,
        thinking.SCENARIO,
        usage_parity.SCENARIO,
        tool_round_trip.SCENARIO,
        stream_conformance.SCENARIO,
        catalog.SCENARIO,
        routing.SCENARIO,
        client_route.SCENARIO,
        stale_cooldown.SCENARIO,
        negative_control.SCENARIO,
        negotiation.SCENARIO,
        loopback.SCENARIO,
        completion.SCENARIO,
        http.SCENARIO,
    )
}
