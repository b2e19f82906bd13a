"""What a run means for the board: every number about canaries, each set in one place."""

from collections.abc import Iterable, Mapping

from llm_canaries.canary.canary import TOKEN_KINDS, Case, Outcome, Run
from llm_canaries.canary.holds import HoldReason
from llm_canaries.canary.ledger import WINDOWS, Availability, Ledger
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.proxy.price import Prices
from llm_canaries.service.board import Board
from llm_canaries.wire.fault import Domain, FaultReason


def case_labels(case: Case) -> dict[str, str]:
    """The labels that every family about a case has (metrics.md)."""
    return {
        "canary": case.canary,
        "scenario": case.scenario,
        "gateway": case.gateway,
        "model_id": case.model,
        "client_protocol": case.dialect,
        "stream": case.stream_word,
    }


class Recorder:
    """Writes runs, ledgers and holds to the board; `started` is when the program did (Unix time).

    `prices` are those of the configuration in force.
    """

    def __init__(self, board: Board, started: float) -> None:
        self._board = board
        self._started = started
        self.prices = Prices()
        self._levels: frozenset[tuple[str, str, str]] = frozenset()

    def introduce(self, cases: Iterable[Case]) -> None:
        """Zeros for the counters of every case there is, before its first run; intervals and thresholds."""
        levels: dict[tuple[str, str, str], float] = {}
        for case in cases:
            labels = case_labels(case)
            for outcome in Outcome:
                self._count("llm_canary_runs_total", 0, **labels, outcome=outcome.value)
                self._count("llm_canary_confirmations_total", 0, **labels, outcome=outcome.value)
            for reason in SCENARIOS[case.scenario].reasons:
                self._count("llm_canary_failures_total", 0, **labels, reason=reason.value)
            for domain in Domain:
                self._count("llm_canary_faults_total", 0, gateway=case.gateway, fault_domain=domain.value)
            self._count("llm_canary_requests_total", 0, **labels)
            for kind in TOKEN_KINDS:
                self._count("llm_canary_tokens_total", 0, **labels, kind=kind)
            for control in ("none", "low", "high") if case.scenario == "thinking" else ():
                self._count("llm_canary_thinking_checks_total", 0, **labels, control=control)
                self._count("llm_canary_thinking_mismatches_total", 0, **labels, control=control)
            self._set("llm_canary_interval_seconds", case.every, **labels)
            for family in ("last_run", "last_decided", "last_success"):
                slot = self._board.slot(f"llm_canary_{family}_timestamp_seconds", **labels)
                if self._board.get(slot) is None:
                    self._board.set(slot, self._started)
            for kind, own in case.thresholds.items():
                levels |= {(case.canary, kind, severity): value for severity, value in own.items()}
        for canary, kind, severity in self._levels | levels.keys():
            value = levels.get((canary, kind, severity))
            self._maybe("llm_canary_threshold", value, canary=canary, kind=kind, severity=severity)
        self._levels = frozenset(levels)

    def forget(self, case: Case) -> None:
        """Takes every series of a removed case off the board."""
        self._board.drop(**case_labels(case))

    def ran(self, run: Run, *, confirmation: bool) -> None:
        """One run that was carried out."""
        labels, finding = case_labels(run.case), run.finding
        self.spent(run)
        if confirmation:
            self._count("llm_canary_confirmations_total", 1, **labels, outcome=finding.outcome.value)
            return
        self._count("llm_canary_runs_total", 1, **labels, outcome=finding.outcome.value)
        self._set("llm_canary_last_run_timestamp_seconds", run.started, **labels)
        self._maybe("llm_canary_held_until_timestamp_seconds", None, **labels)
        if finding.outcome is Outcome.FAIL:
            self._count("llm_canary_failures_total", 1, **labels, reason=str(finding.reason))
            if finding.fault_domain is not None:
                domain = finding.fault_domain.value
                self._count("llm_canary_faults_total", 1, gateway=run.case.gateway, fault_domain=domain)
        self._timings(run, labels)
        self._measures(run, labels)

    def compared(self, case: Case, outcome: Outcome) -> None:
        """One run made to compare a failure of `case` with."""
        self._count("llm_canary_confirmations_total", 1, **case_labels(case), outcome=outcome.value)

    def spent(self, run: Run) -> None:
        """What the run cost, confirmations included: whoever subtracts it from a gateway's own count needs all."""
        labels = case_labels(run.case)
        self._count("llm_canary_requests_total", len(run.answers), **labels)
        spent = run.tokens
        for kind, count in spent.items():
            self._count("llm_canary_tokens_total", count, **labels, kind=kind)
        usages = [exchange.reply.usage for exchange in run.exchanges if exchange.reply is not None]
        for usage in usages:  # one by one: prices rise with the length of a single ask
            if usage is not None and (price := self.prices.dollars(run.case.model, usage)) is not None:
                self._count("llm_canary_cost_dollars_total", price, **labels)

    def withheld(self, case: Case, holds: Mapping[HoldReason, float]) -> None:
        """One scheduled run that was not carried out."""
        self._count("llm_canary_runs_total", 1, **case_labels(case), outcome=Outcome.SKIP.value)
        self.held(case, holds)

    def held(self, case: Case, holds: Mapping[HoldReason, float]) -> None:
        """Which holds keep a case from running, and until when; the last end stays until the case has run again.

        A case whose hold has passed waits for its next turn, and is not silent meanwhile.
        """
        labels = case_labels(case)
        for reason in HoldReason:
            slot = self._board.slot("llm_canary_held", **labels, reason=reason.value)
            if reason in holds:
                self._board.set(slot, 1)
            elif self._board.get(slot) is not None:
                self._board.clear(slot)
        if holds:
            self._set("llm_canary_held_until_timestamp_seconds", max(holds.values()), **labels)

    def stands(self, case: Case, ledger: Ledger, now: float) -> None:
        """State and ratios of one case at `now`."""
        labels = case_labels(case)
        if ledger.success is not None:
            self._set("llm_canary_success", float(ledger.success), **labels)
        self._set("llm_canary_consecutive_failures", ledger.failures_in_a_row, **labels)
        if ledger.last_decided is not None:
            self._set("llm_canary_last_decided_timestamp_seconds", ledger.last_decided, **labels)
        if ledger.last_success is not None:
            self._set("llm_canary_last_success_timestamp_seconds", ledger.last_success, **labels)
        for window in WINDOWS:
            tally = ledger.tally(window, now)
            self._set("llm_canary_error_ratio_runs", tally.runs, **labels, window=window)
            self._maybe("llm_canary_error_ratio", tally.ratio, **labels, window=window)
            self._maybe("llm_canary_error_ratio_lower", tally.lower, **labels, window=window)

    def rate_limited(self, gateway: str, ledger: Ledger, now: float) -> None:
        """The share of 429s among a gateway's runs: what one case alone is too few to tell."""
        for window in WINDOWS:
            labels = {"gateway": gateway, "reason": FaultReason.RATE_LIMITED.value, "window": window}
            tally = ledger.tally(window, now)
            self._set("llm_canary_failure_ratio_runs", tally.runs, **labels)
            self._maybe("llm_canary_failure_ratio", tally.ratio, **labels)
            self._maybe("llm_canary_failure_ratio_lower", tally.lower, **labels)

    def available(self, gateway: str, availability: Availability, now: float) -> None:
        """The pass shares of one gateway."""
        for window in availability.WINDOWS:
            ratio = availability.ratio(window, now)
            self._maybe("llm_canary_availability_ratio", ratio, gateway=gateway, window=window)

    def _timings(self, run: Run, labels: dict[str, str]) -> None:
        whole = [exchange for exchange in run.exchanges if exchange.fault is None]
        for exchange in whole:
            self._board.histogram("llm_canary_duration_seconds", **labels).observe(exchange.duration)
            if exchange.first_content is not None:
                histogram = self._board.histogram("llm_canary_time_to_first_token_seconds", **labels)
                histogram.observe(exchange.first_content)
        if run.exchanges:
            self._set("llm_canary_last_duration_seconds", run.exchanges[0].duration, **labels)
            first = run.exchanges[0].first_content
            self._maybe("llm_canary_last_time_to_first_token_seconds", first, **labels)

    def _measures(self, run: Run, labels: dict[str, str]) -> None:
        listing = {"gateway": run.case.gateway, "model_id": run.case.model, "client": "default"}
        for name, value in run.finding.measures.items():
            family, _, control = name.partition(":")
            if family in ("thinking_checks", "thinking_mismatches"):
                self._count(f"llm_canary_{family}_total", value, **labels, control=control)
            elif family in ("model_listed", "model_callable"):
                self._set(f"llm_canary_{family}", value, **listing)
            elif family == "cooldown_lost":
                gateway = run.case.gateway
                self._count("llm_canary_cooldown_lost_seconds_total", value, gateway=gateway, provider_key=control)
            elif family == "high_reasoning_tokens":  # a new baseline clears what was said of the old one
                for grown in ("reasoning_growth_ratio", "reasoning_growth_ratio_lower"):
                    self._maybe(f"llm_canary_{grown}", run.finding.measures.get(grown), **labels)
            elif family == "input_delta_tokens":
                self._set("llm_canary_usage_parity_delta_tokens", value, **labels, kind="input")

    def _set(self, family: str, value: float, **labels: str) -> None:
        self._board.set(self._board.slot(family, **labels), value)

    def _count(self, family: str, amount: float, **labels: str) -> None:
        self._board.add(self._board.slot(family, **labels), amount)

    def _maybe(self, family: str, value: float | None, **labels: str) -> None:
        slot = self._board.slot(family, **labels)
        if value is not None:
            self._board.set(slot, value)
        elif self._board.get(slot) is not None:
            self._board.clear(slot)
