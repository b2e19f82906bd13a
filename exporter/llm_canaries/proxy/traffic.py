"""What passed through the core since it started, per provider and in bounded memory.

Latency is a ring of the last 1024 good answers: its quantiles are exact and speak of now. A histogram since the start
would cost the same and still speak of last week when a provider turns slow.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from llm_canaries.wire.exchange import Attempt
from llm_canaries.wire.message import Usage

RING = 1024  # latencies kept per provider, 8 KiB
MOST_MODELS = 256  # models counted per provider; further ones share the row of OTHER
OTHER = "other"

Price = Callable[[str, Usage], float | None]  # dollars of one answer of a model, None where nobody knows


class Tokens(Struct, frozen=True):
    """Tokens of answers that said their usage, and how many answers that were."""

    answers: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        """Input and output; caches are part of the input."""
        return self.input + self.output


class Passed(Struct, frozen=True, kw_only=True):
    """One provider's traffic; `mean` and the quantiles are seconds of the last good answers, None before the first.

    `statuses` counts attempts by HTTP status, 0 where no answer began; `refused` asks that reached nobody, because no
    way to the provider was open; `dollars` is None until a price was known.
    """

    requests: int = 0
    successes: int = 0
    statuses: Mapping[int, int] = {}
    refused: int = 0
    last_reason: str = ""
    tokens: Tokens = Tokens()
    models: Mapping[str, Tokens] = {}
    dollars: float | None = None
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @property
    def failures(self) -> int:
        """Attempts that did not succeed."""
        return self.requests - self.successes

    @property
    def rate_limited(self) -> int:
        """Answers with status 429."""
        return self.statuses.get(429, 0)

    @property
    def success_ratio(self) -> float:
        """The share of attempts that succeeded, 1 before the first."""
        return self.successes / self.requests if self.requests else 1.0


class Traffic:
    """The counts of every provider; `price` turns a model's usage into dollars."""

    def __init__(self, providers: Iterable[str] = (), price: Price | None = None) -> None:
        self._price = price
        self._rows = {provider: _Row() for provider in providers}

    def attempted(self, provider: str, attempt: Attempt) -> None:
        """Counts one try at `provider`, whatever became of it."""
        self._row(provider).attempted(attempt)

    def refused(self, provider: str, reason: str) -> None:
        """Counts an ask that the core refused itself: without this an outage would look like silence."""
        row = self._row(provider)
        row.refused += 1
        row.last_reason = reason

    def used(self, provider: str, usage: Usage, model: str = "") -> None:
        """Counts the tokens of one answer; `model` is the id that the provider was asked for."""
        row = self._row(provider)
        row.used(usage, model)
        if self._price is not None and model and (dollars := self._price(model, usage)) is not None:
            row.dollars = (row.dollars or 0.0) + dollars

    def snapshot(self) -> dict[str, Passed]:
        """What has passed so far, by provider."""
        return {provider: row.passed() for provider, row in self._rows.items()}

    def _row(self, provider: str) -> "_Row":
        row = self._rows.get(provider)
        if row is None:
            row = self._rows[provider] = _Row()
        return row


class _Count:
    __slots__ = ("answers", "cache_read", "cache_write", "input", "output")

    def __init__(self) -> None:
        self.answers = self.input = self.output = self.cache_read = self.cache_write = 0

    def add(self, usage: Usage) -> None:
        """What an answer did not say adds nothing."""
        self.answers += 1
        self.input += usage.input or 0
        self.output += usage.output or 0
        self.cache_read += usage.cache_read or 0
        self.cache_write += usage.cache_write or 0

    def tokens(self) -> Tokens:
        return Tokens(self.answers, self.input, self.output, self.cache_read, self.cache_write)


class _Row:
    def __init__(self) -> None:
        self.requests = self.successes = self.refused = 0
        self.statuses: dict[int, int] = {}
        self.last_reason = ""
        self.dollars: float | None = None
        self._all = _Count()
        self._models: dict[str, _Count] = {}
        self._latencies = array("d")

    def attempted(self, attempt: Attempt) -> None:
        status = attempt.status or 0
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if 0 < status < 400 and not attempt.reason:
            if self.successes < RING:
                self._latencies.append(attempt.duration)
            else:
                self._latencies[self.successes % RING] = attempt.duration
            self.successes += 1
        else:
            self.last_reason = attempt.reason or f"status_{status}"
        self.requests += 1

    def used(self, usage: Usage, model: str) -> None:
        self._all.add(usage)
        if not model:
            return
        count = self._models.get(model)
        if count is None:
            count = self._models.setdefault(model if len(self._models) < MOST_MODELS else OTHER, _Count())
        count.add(usage)

    def passed(self) -> Passed:
        ordered = sorted(self._latencies)
        p50, p95, p99 = (quantile(ordered, share) for share in (0.5, 0.95, 0.99))
        return Passed(
            requests=self.requests,
            successes=self.successes,
            statuses=dict(sorted(self.statuses.items())),
            refused=self.refused,
            last_reason=self.last_reason,
            tokens=self._all.tokens(),
            models={model: count.tokens() for model, count in self._models.items()},
            dollars=self.dollars,
            mean=sum(ordered) / len(ordered) if ordered else None,
            p50=p50,
            p95=p95,
            p99=p99,
        )


def quantile(ordered: list[float], share: float) -> float | None:
    """The nearest-rank quantile of sorted values, None of none."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else None
