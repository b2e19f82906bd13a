"""What canaries cost, in advance and against a day's caps."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from llm_canaries.canary.canary import Case, Cost, Scenario

DAY = 86400.0


class Forecast(Struct, frozen=True):
    """What a day of scheduled runs comes to, at most."""

    requests: float
    input_tokens: float
    output_tokens: float

    @property
    def tokens(self) -> float:
        """Input and output."""
        return self.input_tokens + self.output_tokens


def cost_of(case: Case, scenario: Scenario) -> Cost:
    """What one run of `case` costs, at most, when it passes."""
    return scenario.cost(case, case.params)


def forecast(cases: Sequence[Case], scenarios: Mapping[str, Scenario]) -> Forecast:
    """A day of all `cases` at their intervals."""
    requests = tokens_in = tokens_out = 0.0
    for case in cases:
        cost, runs = cost_of(case, scenarios[case.scenario]), DAY / case.every
        requests += runs * cost.requests
        tokens_in += runs * cost.input_tokens
        tokens_out += runs * cost.output_tokens
    return Forecast(requests, tokens_in, tokens_out)


class Allowance(Struct, frozen=True):
    """A day's caps at one gateway."""

    requests: int
    tokens: int

    def covers(self, spent: tuple[int, int], cost: Cost) -> bool:
        """Whether one more run of `cost` stays within the caps after `spent` (requests, tokens)."""
        requests, tokens = spent
        more = cost.input_tokens + cost.output_tokens
        return requests + cost.requests <= self.requests and tokens + more <= self.tokens


def day_of(now: float) -> str:
    """The UTC day of `now` as a number in text: what a day's spending is kept under."""
    return str(int(now // DAY))


def day_end(now: float) -> float:
    """When the UTC day of `now` ends (Unix time)."""
    return (int(now // DAY) + 1) * DAY
