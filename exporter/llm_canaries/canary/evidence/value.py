"""The evidence of one run: all that was sent, all that came, and how it was judged, as it is stored and shown.

Nothing in it is secret, and it is bounded: keep.py makes it so. A body says of itself what is not there any more.
"""

from base64 import b64decode
from typing import Any

from msgspec import Struct

from llm_canaries.canary.canary import Attributed, Case, Finding, Way
from llm_canaries.wire.exchange import Loss, Reasoning, Via
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.message import Usage
from llm_canaries.wire.quota import Quota


class Body(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A body of `size` bytes: `text`, or `base64` where it is not UTF-8, and neither where nothing of it is kept.

    `cut` bytes at its end are not kept. `masked`: secrets were taken out. `withheld`: it holds a secret in pieces.
    """

    size: int
    text: str | None = None
    base64: str | None = None
    cut: int = 0
    masked: bool = False
    withheld: bool = False

    @property
    def data(self) -> bytes:
        """The bytes that are kept. Raises ValueError where `base64` is none."""
        return self.text.encode() if self.text is not None else b64decode(self.base64 or "", validate=True)

    @property
    def left_out(self) -> str:
        """What is not kept of it, in words; empty where all of it is."""
        if self.withheld:
            return f"{self.size} bytes withheld: they say a secret in pieces"
        return f"cut: the last {self.cut} of {self.size} bytes are not kept" if self.cut else ""

    @property
    def whole(self) -> bool:
        """Whether all of it is kept."""
        return not self.cut and not self.withheld


class KeptRequest(Struct, frozen=True, kw_only=True):
    """What a provider was sent, but for the credential."""

    path: str
    body: Body


class KeptAttempt(Struct, frozen=True, kw_only=True):
    """One try at one provider: see wire.exchange.Attempt."""

    provider: str
    credential: str
    status: int | None
    duration: float
    reason: str = ""
    request: KeptRequest | None = None


class KeptSeen(Struct, frozen=True, kw_only=True):
    """What the mirror was sent: see wire.exchange.Seen."""

    dialect: str
    model: str
    stream: bool
    path: str
    body: Body


class KeptAnswer(Struct, frozen=True, kw_only=True):
    """What every answer has: `step` counts from 1, `digest` tells the step from every other one.

    `broke`, `at` and the rest are as in wire.exchange.Exchange and Page. `masked`: secrets were taken out of its
    headers or its body.
    """

    step: int
    digest: str
    via: Via
    path: str
    status: int | None
    headers: Headers
    body: Body
    duration: float
    at: float
    broke: Fault | None
    fault: Fault | None
    masked: bool = False


class KeptPage(KeptAnswer, frozen=True, kw_only=True, tag_field="kind", tag="page"):
    """A page that was read."""


class KeptExchange(KeptAnswer, frozen=True, kw_only=True, tag_field="kind", tag="exchange"):
    """One ask with its answer: see wire.exchange.Exchange; `broken_off` is its `cut`."""

    dialect: str
    stream: bool
    mark: str
    asked_headers: Headers
    sent: Body
    broken_off: bool
    arrivals: tuple[tuple[float, int], ...]
    first_content: float | None
    model: str
    finish: str
    usage: Usage | None
    objections: tuple[str, ...]
    quota: tuple[Quota, ...]
    attempts: tuple[KeptAttempt, ...]
    losses: tuple[Loss, ...]
    thinking: Reasoning
    upstream: tuple[KeptSeen, ...]


class Evidence(Struct, frozen=True, kw_only=True):
    """One run; `program` is the version that judged it, `url` the gateway's, empty for an embedded core.

    `case.params`, `finding.memory` and `remembered` (the memory that went in) are plain values. `drawn` are the numbers
    that were drawn, `bound:number` in hexadecimal. `judged` is what the scenario itself found, before evidence from
    elsewhere changed `finding`; `decision` is how that came about, sentence by sentence.
    `params_masked`: secrets were taken out of the parameters. `attributed` and `twins` are as in canary.canary.Run.
    """

    program: str
    case: Case
    url: str
    started: float
    confirmation: bool
    finding: Finding
    judged: Finding
    decision: tuple[str, ...]
    drawn: tuple[str, ...]
    remembered: Any
    answers: tuple[KeptExchange | KeptPage, ...]
    params_masked: bool = False
    attributed: Attributed | None = None
    twins: tuple["KeptTwin", ...] = ()

    @property
    def exchanges(self) -> tuple[KeptExchange, ...]:
        """The asks and answers, without the pages."""
        return tuple(answer for answer in self.answers if isinstance(answer, KeptExchange))


class KeptTwin(Struct, frozen=True):
    """A run made to compare with (see canary.canary.Twin): no part of the run itself, and in no ratio."""

    way: Way
    run: Evidence

    @property
    def name(self) -> str:
        """How it was asked, for people."""
        at = self.run.case.gateway
        names = {"direct": f"directly, through {at}", "again": f"once more at {at}"}
        names |= {"loop": f"to our own mirror, through {at}", "control": "at our own mirror, without any gateway"}
        return names[self.way]
