"""The words of the house: case, finding, scenario (DESIGN 3 and 6)."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

from llm_canaries.canary import attribution
from llm_canaries.canary.clients import Aim
from llm_canaries.wire.exchange import Exchange, Page, Play
from llm_canaries.wire.fault import Domain
from llm_canaries.wire.nonce import Draw, Drawn
from llm_canaries.wire.profile import ModelFacts, Profile


class Outcome(StrEnum):
    """What a run came to; only the first two are decided."""

    PASS = "pass"  # noqa: S105  # an outcome, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIP = "skip"

    @property
    def decided(self) -> bool:
        """Whether the run says something about the gateway."""
        return self in (Outcome.PASS, Outcome.FAIL)


class Severity(StrEnum):
    """How much a failure matters."""

    WARNING = "warning"
    CRITICAL = "critical"


class Priority(StrEnum):
    """Which canaries give way first when a day's budget runs short."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class SharedReason(StrEnum):
    """Why any scenario may end undecided or skipped; FaultReason holds the shared reasons to fail."""

    TEXT_ONLY_MODEL = "text_only_model"
    NO_THINKING = "no_thinking"
    NO_ENDPOINT = "no_endpoint"
    CAP_TOO_SMALL = "cap_too_small"
    UNWRITABLE_ASK = "unwritable_ask"
    MIRROR_GONE = "mirror_gone"
    OWN_NETWORK = "own_network"


class Case(Struct, frozen=True, kw_only=True):
    """One cell of a canary's matrix; `stream` is None where the scenario asks both ways itself.

    `every` is in seconds.
    `upstream`: what our mirror is asked for behind the gateway, empty where the model does not lead to it or nobody
    has said. `dialect_certain`: the user said that the gateway speaks this dialect, so a missing endpoint is a failure.
    `deployed`: the gateway is not ours, and tells nothing of its attempts. `twin`: the embedded gateway that asks the
    same provider directly, empty where there is none. `mirror`: how our own mirror is behind the model, if it is.
    `aim`: where a client's environment leads, for scenarios that need one; it is read anew for each run.
    """

    canary: str
    scenario: str
    gateway: str
    model: str
    dialect: str
    stream: bool | None
    severity: Severity
    params: Any
    priority: Priority = Priority.NORMAL
    profile: Profile = Profile()
    facts: ModelFacts = ModelFacts()
    upstream: str = ""
    dialect_certain: bool = False
    deployed: bool = False
    twin: str = ""
    mirror: Literal["", "built-in", "loopback"] = ""
    aim: Aim | None = None
    every: float = 600.0
    thresholds: Mapping[str, Mapping[Literal["warning", "critical"], float]] = {}

    @property
    def key(self) -> str:
        """The case's own name, for storage: the same after a restart."""
        return "|".join((self.canary, self.gateway, self.model, self.dialect, self.stream_word))

    @property
    def stream_word(self) -> str:
        """`true`, `false` or `both`, as labels and tables say it."""
        return "both" if self.stream is None else str(self.stream).lower()


class Finding(Struct, frozen=True, kw_only=True):
    """The judgement of one run: `reason` is empty for a pass, `detail` is for people.

    `because` is what decided it beside the answers themselves, sentence by sentence.
    """

    outcome: Outcome
    reason: str = ""
    detail: str = ""
    fault_domain: Domain | None = None
    measures: Mapping[str, float] = {}
    memory: Any = None
    because: tuple[str, ...] = ()


class Cost(Struct, frozen=True):
    """What one run asks of a gateway when it passes; `output_tokens` are those of answers without reasoning unasked.

    `limit` is the most output that all its asks together allow, which a model that reasons by itself may use up; 0
    where that is no more than `output_tokens`.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    limit: int = 0

    @property
    def most(self) -> "Cost":
        """The same where every answer is as long as it may be."""
        return Cost(self.requests, self.input_tokens, max(self.output_tokens, self.limit))


Ways = Literal["either", "both", "streamed", "whole"]


def _never(case: Case) -> str:
    return ""


class Scenario(Struct, frozen=True, kw_only=True):
    """A kind of canary: a script of steps that ends in a finding, and the closed set of its own reasons.

    `needs`: what the model or the gateway must have: vision, thinking, a loopback to our mirror, a twin to ask
    directly, or a client's environment. `ways`: whether it asks for a stream as its case says, for both itself, always
    or never. `objection`: why a case of it can never be asked, empty where it can. `dialects`: those of a canary for
    which no definition is shipped. `least_every`: the shortest interval, in seconds, at which it does no harm.
    `compared`: the ways on which a run of it tells something about a failure of another, but of one for a reason in
    `alone`; `slow`: the reasons that no single run shows.
    """

    name: str
    reasons: type[StrEnum]
    params: type[Struct]
    play: Callable[[Case, Any, Draw, Any], Play[Finding]]
    cost: Callable[[Case, Any], Cost]
    memory: type[Struct] | None = None
    needs: frozenset[str] = frozenset()
    ways: Ways = "either"
    objection: Callable[[Case], str] = _never
    dialects: tuple[str, ...] = ("openai_chat",)
    least_every: float = 0.0
    compared: frozenset[Literal["direct", "loopback"]] = frozenset({"direct", "loopback"})
    alone: frozenset[str] = frozenset()
    slow: frozenset[str] = frozenset()


TOKEN_KINDS = ("input", "output", "reasoning", "cache_read", "cache_write")


Way = Literal["direct", "again", "loop", "control"]


class Attributed(Struct, frozen=True, kw_only=True):
    """What the fault domain of a failure rests on: the evidence as the table takes it.

    `quickest`: seconds of the quickest answer that the gateway had given, None before the first.
    """

    evidence: attribution.Evidence
    quickest: float | None = None


class Run(Struct, frozen=True, kw_only=True):
    """One execution of a case, with its evidence; `latency` is that of its first exchange, in seconds.

    `judged` is what the scenario itself found, before evidence from elsewhere changed `finding`. `steps` are how many
    of `answers` each step brought, `drawn` the numbers that were drawn, each with its bound, `remembered` the memory
    that went in. `number` is the one under which it is stored, 0 where it is not. `attributed` is what the fault domain
    rests on, None where nobody but the scenario has said it; `twins` are the runs that were made to find that out.
    """

    case: Case
    finding: Finding
    started: float
    answers: tuple[Exchange | Page, ...]
    steps: tuple[int, ...] = ()
    drawn: tuple[Drawn, ...] = ()
    remembered: Any = None
    judged: Finding | None = None
    number: int = 0
    attributed: Attributed | None = None
    twins: tuple["Twin", ...] = ()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The asks and answers, without the pages."""
        return tuple(answer for answer in self.answers if isinstance(answer, Exchange))

    @property
    def latency(self) -> float | None:
        """Seconds of the first exchange, None where nothing was sent."""
        return next((exchange.duration for exchange in self.exchanges), None)

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens spent by all exchanges, by kind; a kind that nobody counted is left out. A scripted answer is free."""
        spent: dict[str, int] = {}
        for exchange in self.exchanges:
            usage = exchange.reply.usage if exchange.reply and exchange.send.script is None else None
            for kind in TOKEN_KINDS:
                if usage is not None and (count := getattr(usage, kind)) is not None:
                    spent[kind] = spent.get(kind, 0) + count
        return spent


class Twin(Struct, frozen=True):
    """A run of a failing case made to compare with: directly, once more, through the gateway to our own mirror, or at
    that mirror without any gateway, as a control.
    """

    way: Way
    run: Run
