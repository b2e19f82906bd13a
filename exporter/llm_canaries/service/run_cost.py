"""What a run costs before it has begun: in dollars, and what has to be left for it to begin."""

import random

from llm_canaries.canary.bound import bound
from llm_canaries.canary.budget import Amount, amount_of
from llm_canaries.canary.canary import Case, Cost
from llm_canaries.canary.forecast import cost_of
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.proxy.price import Prices
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.json import WireError
from llm_canaries.wire.message import Usage


def dollars_of_run(case: Case, prices: Prices) -> float | None:
    """What one run of `case` costs when it passes."""
    return dollars_of(cost_of(case, SCENARIOS[case.scenario]), case.model, prices)


def dollars_of(cost: Cost, model: str, prices: Prices) -> float | None:
    """What `cost` is worth at `model`; asks are priced one by one, for long ones cost more a token."""
    asks = max(1, cost.requests)
    each = prices.dollars(model, Usage(input=cost.input_tokens // asks, output=cost.output_tokens // asks))
    return None if each is None else each * asks


def least_of(case: Case, prices: Prices) -> Amount:
    """What has to be left for a run of `case` to begin: what one that passes costs, and its first ask's bound."""
    scenario, cost = SCENARIOS[case.scenario], cost_of(case, SCENARIOS[case.scenario])
    run = amount_of(cost, dollars_of_run(case, prices))
    step = next(scenario.play(case, case.params, random.Random(0).randrange, None), None)  # noqa: S311  # none is sent
    if not isinstance(step, Send):
        return run
    try:
        first = bound(step)
    except WireError:
        return run
    dollars = prices.dollars(case.model, Usage(input=first.input_tokens, output=first.output_tokens))
    return larger(run, amount_of(Cost(1, first.input_tokens, first.output_tokens), dollars))


def larger(one: Amount, other: Amount) -> Amount:
    """The larger of each kind."""
    return Amount(
        max(one.requests, other.requests),
        max(one.tokens, other.tokens),
        max(one.nanodollars, other.nanodollars),
    )
