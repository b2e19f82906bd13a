"""Whose fault a failure is: one written table, from the evidence to a fault domain and the sentence that says why.

One exchange cannot tell a provider's fault from its gateway's. The same ask, sent directly through the embedded core
and through the gateway to our own mirror, can (peers.md E.1); docs/attribution.md is this table for people.
"""

from collections.abc import Set
from enum import StrEnum

from msgspec import Struct

from llm_canaries.wire.fault import Domain


class Sign(StrEnum):
    """What the failing answer itself shows."""

    ANSWERED = "answered"
    REFUSED = "refused"
    NAMED = "named"
    LOCAL = "local"
    BEHIND = "behind"
    PAGE = "page"
    SILENT = "silent"
    TLS = "tls"
    UNREACHED = "unreached"


class Direct(StrEnum):
    """What the same case came to directly, through the embedded core to the same provider."""

    PASSED = "passed"
    SAME = "same"
    OTHER = "other"
    UNDECIDED = "undecided"
    NOT_RUN = "not_run"


class Loop(StrEnum):
    """What the same case came to through the gateway where our own mirror answers.

    `void`: our own mirror, asked without any gateway, fails it as well.
    """

    PASSED = "passed"
    FAILED = "failed"
    VOID = "void"
    UNDECIDED = "undecided"
    NOT_RUN = "not_run"


class Base(StrEnum):
    """What the same case came to at the other gateway of a comparison, before the same provider.

    `passed` only where it has been proven to fail less often there than here.
    """

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"


class Again(StrEnum):
    """What the same case came to once more at the gateway, after it had passed directly."""

    FAILED = "failed"
    PASSED = "passed"
    NOT_RUN = "not_run"


class Net(StrEnum):
    """Whether other hosts could be reached from here."""

    OK = "ok"
    DOWN = "down"
    UNKNOWN = "unknown"


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is known of one failure; `own` is the domain that its scenario named."""

    own: Domain
    sign: Sign = Sign.ANSWERED
    direct: Direct = Direct.NOT_RUN
    loop: Loop = Loop.NOT_RUN
    again: Again = Again.NOT_RUN
    base: Base = Base.NOT_RUN
    net: Net = Net.UNKNOWN


class Rule(Struct, frozen=True, kw_only=True):
    """One line of the table: it fits where every set that it names holds the evidence; empty sets hold anything.

    `domain` None is the scenario's own; `why` is half a sentence for people.
    """

    domain: Domain | None
    why: str
    own: Set[Domain] = frozenset()
    sign: Set[Sign] = frozenset()
    direct: Set[Direct] = frozenset()
    loop: Set[Loop] = frozenset()
    again: Set[Again] = frozenset()
    base: Set[Base] = frozenset()
    net: Set[Net] = frozenset()

    def fits(self, evidence: Evidence) -> bool:
        """Whether this line speaks of `evidence`."""
        return all(
            not (wanted := getattr(self, name)) or getattr(evidence, name) in wanted
            for name in Evidence.__struct_fields__
        )


class Blame(Struct, frozen=True):
    """Whose fault it is, and which line of the table says so."""

    domain: Domain
    rule: Rule

    @property
    def sentence(self) -> str:
        """Which evidence decided, and what."""
        return f"{self.rule.why}: {self.domain}"


D = Domain
_OUTSIDE = {D.PROVIDER, D.NETWORK, D.CANARY}
_LOSABLE = _OUTSIDE | {D.TRANSLATION}
_UNREACHED = {Sign.TLS, Sign.UNREACHED}
_NO_ANSWER = {Sign.REFUSED, Sign.NAMED, Sign.SILENT}
_NOT_SAME = set(Direct) - {Direct.SAME}

TABLE: tuple[Rule, ...] = (
    # our own network
    Rule(domain=D.NETWORK, why="no other host could be reached from here either", net={Net.DOWN}),
    # it passes at another gateway before the same provider
    Rule(domain=D.DEPLOYMENT, why="base was reached, and head was not", sign=_UNREACHED, base={Base.PASSED}),
    Rule(
        domain=D.DEPLOYMENT, why="a web page answers in head's place, and not in base's",
        sign={Sign.PAGE}, base={Base.PASSED},
    ),
    Rule(
        domain=D.POLICY, why="head refused by itself, and the same ask passes at base",
        sign={Sign.LOCAL}, base={Base.PASSED},
    ),
    Rule(
        domain=D.TRANSLATION, why="the same ask passes at base, before the same provider, and head loses it",
        own=_LOSABLE, sign={Sign.ANSWERED}, base={Base.PASSED},
    ),
    Rule(
        domain=D.DEPLOYMENT, why="the same ask passes at base, before the same provider, and head gives no answer",
        own=_OUTSIDE, base={Base.PASSED},
    ),
    Rule(
        domain=D.DEPLOYMENT, why="head took the canary's key, and its own, which base has better, was refused",
        own={D.CLIENT}, sign={Sign.BEHIND}, base={Base.PASSED},
    ),
    Rule(
        domain=None, why="the same ask passes at base, before the same provider, and it fails at head",
        base={Base.PASSED},
    ),
    # the gateway was not reached
    Rule(
        domain=D.NETWORK, why="neither the gateway nor the provider itself could be reached from here",
        sign=_UNREACHED, direct={Direct.SAME},
    ),
    Rule(
        domain=D.DEPLOYMENT, why="the provider answered directly, and the gateway could not be reached",
        sign=_UNREACHED, direct={Direct.PASSED},
    ),
    Rule(
        domain=D.DEPLOYMENT, why="other hosts could be reached, and the gateway could not",
        sign=_UNREACHED, net={Net.OK},
    ),
    Rule(domain=None, why="the gateway could not be reached", sign=_UNREACHED),
    # a web page came
    Rule(
        domain=D.DEPLOYMENT, why="the provider answered directly, and a web page answers in the gateway's place",
        sign={Sign.PAGE}, direct={Direct.PASSED},
    ),
    Rule(
        domain=D.NETWORK, why="a web page answers everywhere, directly and where our own mirror should",
        sign={Sign.PAGE}, direct={Direct.SAME}, loop={Loop.FAILED},
    ),
    Rule(
        domain=D.PROVIDER, why="the provider answers with a web page directly as well",
        sign={Sign.PAGE}, direct={Direct.SAME},
    ),
    Rule(
        domain=D.DEPLOYMENT, why="a web page answers even where our own mirror is the provider",
        sign={Sign.PAGE}, loop={Loop.FAILED},
    ),
    Rule(
        domain=D.PROVIDER, why="the gateway passes our own mirror's answers on, and only the provider's are a web page",
        sign={Sign.PAGE}, loop={Loop.PASSED},
    ),
    # the gateway refused by itself
    Rule(
        domain=D.POLICY, why="the gateway refused by itself, and the provider answered directly",
        sign={Sign.LOCAL}, direct={Direct.PASSED},
    ),
    Rule(
        domain=D.PROVIDER, why="the gateway refused by itself, and the provider fails directly as well",
        sign={Sign.LOCAL}, direct={Direct.SAME, Direct.OTHER},
    ),
    Rule(domain=D.POLICY, why="the gateway refused by itself", sign={Sign.LOCAL}, own=_LOSABLE),
    Rule(domain=None, why="the gateway refused by itself", sign={Sign.LOCAL}),
    # the gateway let the canary in
    Rule(
        domain=D.DEPLOYMENT, why="the gateway took the canary's key, and the key that was refused is its own",
        own={D.CLIENT}, sign={Sign.BEHIND}, direct=_NOT_SAME,
    ),
    # a connection broke off
    Rule(
        domain=D.DEPLOYMENT, why="other hosts could be reached, and the gateway broke off",
        own={D.NETWORK}, sign=_NO_ANSWER, direct=_NOT_SAME, net={Net.OK},
    ),
    Rule(
        domain=D.DEPLOYMENT, why="the answer that broke off names the gateway, which had been reached",
        own={D.NETWORK}, sign={Sign.NAMED}, direct=_NOT_SAME,
    ),
    # it fails directly in the same way
    Rule(
        domain=None, why="it fails in the same way directly as through the gateway",
        own={D.POLICY, D.CLIENT, D.NETWORK, D.CANARY}, direct={Direct.SAME},
    ),
    Rule(
        domain=D.NETWORK, why="nothing answers in time anywhere, not even where our own mirror does",
        sign={Sign.SILENT}, direct={Direct.SAME}, loop={Loop.FAILED},
    ),
    Rule(
        domain=D.CANARY, why="it fails in the same way everywhere, even at our own mirror without any gateway",
        direct={Direct.SAME}, loop={Loop.VOID},
    ),
    Rule(
        domain=D.PROVIDER, why="two faults: it fails directly, and at the gateway where our own mirror answers as well",
        direct={Direct.SAME}, loop={Loop.FAILED},
    ),
    Rule(
        domain=D.PROVIDER, why="the same ask fails in the same way directly, without the gateway",
        direct={Direct.SAME},
    ),
    # it fails at the gateway where our own mirror answers
    Rule(
        domain=D.TRANSLATION, why="our own mirror answered rightly, and the gateway lost it",
        own=_LOSABLE, sign={Sign.ANSWERED}, loop={Loop.FAILED},
    ),
    Rule(
        domain=D.DEPLOYMENT, why="it fails at the gateway even where our own mirror is the provider",
        own=_OUTSIDE, loop={Loop.FAILED},
    ),
    Rule(domain=None, why="it fails at the gateway even where our own mirror is the provider", loop={Loop.FAILED}),
    # it passes directly
    Rule(
        domain=None, why="the same ask passed directly, and then through the gateway as well: a fault that passes",
        direct={Direct.PASSED}, again={Again.PASSED},
    ),
    Rule(
        domain=None, why="the same ask through the embedded core passed; whether it fails again is yet to be seen",
        direct={Direct.PASSED}, again={Again.NOT_RUN},
    ),
    Rule(
        domain=D.TRANSLATION, why="the same ask through the embedded core passed; the gateway lost it, twice",
        own=_LOSABLE, sign={Sign.ANSWERED}, direct={Direct.PASSED},
    ),
    Rule(
        domain=D.DEPLOYMENT, why="the same ask through the embedded core passed; the gateway gave no answer, twice",
        own=_OUTSIDE, direct={Direct.PASSED},
    ),
    Rule(
        domain=None, why="the same ask through the embedded core passed, and it fails at the gateway, twice",
        direct={Direct.PASSED},
    ),
    # it fails directly in another way
    Rule(
        domain=D.PROVIDER, why="the gateway is right where our own mirror answers; the provider fails directly, too",
        own={D.PROVIDER, D.TRANSLATION, D.DEPLOYMENT}, direct={Direct.OTHER}, loop={Loop.PASSED},
    ),
    Rule(domain=None, why="it fails directly as well, in another way", direct={Direct.OTHER}),
    # little or nothing more is known
    Rule(domain=None, why="the gateway is right where our own mirror answers", loop={Loop.PASSED}),
    Rule(
        domain=None, why="our own mirror fails it without any gateway as well, and so tells nothing of this one",
        loop={Loop.VOID},
    ),
    Rule(domain=None, why="it fails at base as well: no change from there to head", base={Base.FAILED}),
    Rule(domain=None, why="nothing but the answer itself is known"),
)  # fmt: skip
"""The first line that fits decides; the last one fits everything."""


def blame(evidence: Evidence) -> Blame:
    """The verdict of the table."""
    rule = next(rule for rule in TABLE if rule.fits(evidence))
    return Blame(evidence.own if rule.domain is None else rule.domain, rule)
