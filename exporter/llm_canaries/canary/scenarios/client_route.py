"""client-route: a client with this environment reaches the gateway, and not its maker (protocols.md F, Amp).

What the environment says is read at the edge and comes in as an Aim, without its key; it fails before anything is sent
where it does not lead to the gateway. Then one canary goes out as that client would send it.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from llm_canaries.canary.asks import echo_prompt, sending, text_ask
from llm_canaries.canary.canary import Case, Cost, Finding, Outcome, Scenario
from llm_canaries.canary.clients import CLIENTS, Aim
from llm_canaries.canary.scenarios import known_good
from llm_canaries.canary.scenarios.routing import told
from llm_canaries.canary.verdict import failed, faulted, passed, undecided
from llm_canaries.wire import nonce
from llm_canaries.wire.exchange import Exchange, Play, send
from llm_canaries.wire.fault import Domain, FaultReason
from llm_canaries.wire.nonce import Draw

Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Reason(StrEnum):
    """Why the client does not reach the gateway, and when it cannot be told."""

    NO_BASE_URL = "no_base_url"
    BAD_BASE_URL = "bad_base_url"
    NO_KEY = "no_key"
    MISROUTED = "misrouted"
    WRONG_PATH = "wrong_path"
    NOT_SEEN = "not_seen"
    NOT_ECHOED = "not_echoed"
    NO_ENVIRONMENT = "no_environment"


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """The `client`, the file that its environment is read from at each run (`env_file`; our own without it).

    `url_names`, `key_names`: other variables than the client's own. `addresses`: more base URLs at which the gateway
    can be reached. `cap` on tokens.
    """

    client: str = "openai"
    env_file: str = ""
    url_names: tuple[Variable, ...] = ()
    key_names: tuple[Variable, ...] = ()
    addresses: tuple[str, ...] = ()
    cap: int = 512

    def __post_init__(self) -> None:
        if self.client not in CLIENTS:
            raise ValueError(f"`{self.client}` is not a client; there are {', '.join(CLIENTS)}")


def play(case: Case, params: Params, draw: Draw, memory: None) -> Play[Finding]:
    """Where the environment leads, then one ask on that way."""
    if case.aim is None:
        return undecided(Reason.NO_ENVIRONMENT, f"{params.env_file} cannot be read")
    if (finding := judge_aim(case.aim)) is not None:
        return finding
    mark, number = nonce.mark(draw), nonce.digits(draw, 6)
    step = sending(case, text_ask(case, echo_prompt(mark, number), cap=params.cap), mark)
    exchange = yield from send(replace(step, via="client"))
    return judge(case, case.aim, exchange, number)


def judge_aim(aim: Aim) -> Finding | None:
    """What is wrong with the environment itself, None where it leads to the gateway."""
    if aim.problem is not None:
        return failed(Reason(aim.problem), Domain.CLIENT, aim.detail)
    if aim.hits:
        return None
    detail = f"{aim.variable} leads to {aim.origin}, the gateway is at {' or '.join(aim.gateway) or 'no known address'}"
    return failed(Reason.MISROUTED, Domain.CLIENT, detail)


def judge(case: Case, aim: Aim, exchange: Exchange, number: str) -> Finding:
    """The finding of the one ask: it came back, and our mirror saw it where it is the upstream."""
    fault, way = exchange.fault, f"{aim.origin}{aim.path}"
    if fault is not None and (fault.reason is FaultReason.NO_ROUTE or exchange.status == 405):
        return failed(Reason.WRONG_PATH, Domain.CLIENT, f"HTTP {exchange.status} for {way}; {_hint(aim)}")
    if fault is not None:
        return faulted(fault)
    answered = known_good.judge(exchange, number, known_good.Params())
    if answered.outcome is Outcome.INCONCLUSIVE:
        return answered
    if answered.outcome is Outcome.FAIL:
        return failed(Reason.NOT_ECHOED, Domain.ROUTING, f"{way}: {answered.reason}: {answered.detail}")
    if case.deployed and case.upstream and not exchange.upstream:
        detail = f"{way} answered, and the mirror behind the gateway saw nothing of it"
        return failed(Reason.NOT_SEEN, Domain.ROUTING, detail)
    return passed(f"{aim.variable} leads to {way}: {told(exchange)}")


def _hint(aim: Aim) -> str:
    if aim.path.startswith("/api/provider/"):
        return "few gateways have Amp's own paths; let it speak as an OpenAI client, by OPENAI_API_BASE"
    return f"should {aim.variable} {'not ' if '/v1/v1/' in aim.path else ''}end with /v1?"


def objection(case: Case) -> str:
    """The client speaks a dialect of its own."""
    spoken = dict.fromkeys(route.dialect for route in CLIENTS[case.params.client])
    if case.dialect not in spoken:
        return f"the client `{case.params.client}` speaks `{'` or `'.join(spoken)}`"
    return ""


def cost(case: Case, params: Params) -> Cost:
    """One short ask."""
    return Cost(requests=1, input_tokens=40, output_tokens=20, limit=params.cap)


SCENARIO = Scenario(
    name="client-route",
    reasons=Reason,
    params=Params,
    play=play,
    cost=cost,
    needs=frozenset({"environment"}),
    ways="whole",
    objection=objection,
    compared=frozenset(),  # another way is another environment
    dialects=("openai_chat", "openai_responses", "anthropic_messages", "gemini"),
)
