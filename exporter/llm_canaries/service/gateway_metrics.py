"""What gateways themselves show: liveness, breakers of the core, quota from the headers of answers."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.canary import Run
from llm_canaries.proxy.breaker import Breaker, State
from llm_canaries.service.board import Board
from llm_canaries.wire.exchange import Exchange
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.quota import Quota

QUOTA_SILENCE = 3 * 3600.0  # a quota that no answer has spoken of for so long is no longer known


class _Seen(Struct):
    """The last word on one quota."""

    quota: Quota
    at: float


class GatewayMetrics:
    """Writes the llm_gateway_ families; times are Unix time unless named otherwise."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._quotas: dict[tuple[str, str, str], _Seen] = {}
        self._states: dict[tuple[str, str], State] = {}

    def up(self, gateway: str, kind: str, *, alive: bool) -> None:
        """Whether a gateway's liveness page answered."""
        self._board.set_named("llm_gateway_up", float(alive), gateway=gateway, kind=kind)

    def answered(self, run: Run, now: float) -> None:
        """Quota as the answers of `run` tell it."""
        for exchange in run.exchanges:
            provider = exchange.attempts[-1].provider if exchange.attempts else run.case.gateway
            for quota in exchange.quota:
                key = (run.case.gateway, provider, quota.scope)
                before = self._quotas.get(key)
                if quota.reset_at is None and before is not None and (before.quota.reset_at or 0) > now:
                    quota = replace(quota, reset_at=before.quota.reset_at)  # the other dialect's answers tell it
                self._quotas[key] = _Seen(quota, now)
            self._exhausted(run.case.gateway, provider, exchange)

    def breakers(self, gateway: str, breakers: Mapping[str, Breaker], monotonic: float, now: float) -> None:
        """Every breaker of an embedded core, computed now."""
        for provider, breaker in breakers.items():
            labels = {"gateway": gateway, "provider_key": provider, "model_id": ""}
            state = breaker.state(monotonic)
            for each in ("closed", "open", "half_open", "cooling"):
                self._board.set_named("llm_gateway_breaker_state", float(each == state), **labels, state=each)
            self._board.set_named("llm_gateway_breaker_consecutive_failures", breaker.failures, **labels)
            until = self._board.slot("llm_gateway_breaker_open_until_timestamp_seconds", **labels)
            if breaker.open_until is not None:
                self._board.set(until, now + breaker.open_until - monotonic)
            elif self._board.get(until) is not None:
                self._board.clear(until)
            self._transition(gateway, provider, state)

    def refresh(self, now: float) -> None:
        """The quota families at `now`: what resets counts down, what is past or silent is gone."""
        for (gateway, provider, scope), seen in list(self._quotas.items()):
            quota, fresh = seen.quota, now - seen.at < QUOTA_SILENCE
            reset = quota.reset_at if quota.reset_at is not None and quota.reset_at > now else None
            said = quota.reset_at is None or reset is not None
            own = {"gateway": gateway, "provider_key": provider, "credential": "default", "scope": scope}
            counted = own | {"model_id": "", "unit": quota.unit}
            for family, value, labels in (
                ("remaining", quota.remaining if said else None, counted),
                ("limit", quota.limit, counted),
                ("used_ratio", quota.used_ratio if said else None, counted),
                ("reset_seconds", None if reset is None else reset - now, own),
                ("reset_timestamp_seconds", reset, own),
                ("observed_timestamp_seconds", seen.at, own),
            ):
                self._maybe(f"llm_gateway_quota_{family}", value if fresh else None, labels)
            if not fresh:
                del self._quotas[gateway, provider, scope]

    def _exhausted(self, gateway: str, provider: str, exchange: Exchange) -> None:
        labels = {"gateway": gateway, "provider_key": provider, "credential": "default"}
        used_up = exchange.fault is not None and exchange.fault.reason is FaultReason.QUOTA_EXHAUSTED
        if used_up or exchange.fault is None:
            self._board.set_named("llm_gateway_quota_exhausted", float(used_up), **labels, scope="account")
        for quota in exchange.quota:
            if quota.remaining is not None:
                empty = float(quota.remaining == 0)
                self._board.set_named("llm_gateway_quota_exhausted", empty, **labels, scope=quota.scope)

    def _transition(self, gateway: str, provider: str, state: State) -> None:
        before = self._states.get((gateway, provider))
        self._states[gateway, provider] = state
        slots = {
            each: self._board.slot(
                "llm_gateway_breaker_transitions_total", gateway=gateway, provider_key=provider, to=each.value
            )
            for each in State
        }
        for each, slot in slots.items():
            self._board.add(slot, float(before is not None and before is not state and each is state))

    def _maybe(self, family: str, value: float | None, labels: dict[str, str]) -> None:
        slot = self._board.slot(family, **labels)
        if value is not None:
            self._board.set(slot, value)
        elif self._board.get(slot) is not None:
            self._board.clear(slot)
