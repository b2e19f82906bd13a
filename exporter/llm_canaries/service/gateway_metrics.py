"""What gateways themselves show: liveness, breakers of the core, quota from the headers of answers."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.canary import Run
from llm_canaries.proxy.breaker import Breaker, State
from llm_canaries.proxy.circuits import Circuits
from llm_canaries.proxy.credentials import DEFAULT
from llm_canaries.proxy.tokens import Refresh
from llm_canaries.proxy.ways import Standing
from llm_canaries.service.board import Board
from llm_canaries.wire.exchange import Exchange
from llm_canaries.wire.fault import FaultReason
from llm_canaries.wire.quota import Quota

QUOTA_SILENCE = 3 * 3600.0  # a quota that no answer has spoken of for so long is no longer known

_ORDER: Mapping[State, int] = {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}
_REFRESH = ("active", "pending", "refreshing", "error", "disabled", "expired")


class _Seen(Struct):
    """The last word on one quota."""

    quota: Quota
    at: float


class GatewayMetrics:
    """Writes the llm_gateway_ families; times are Unix time unless named otherwise."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._quotas: dict[tuple[str, str, str, str], _Seen] = {}
        self._counted: dict[tuple[str, str, State], int] = {}

    def up(self, gateway: str, kind: str, *, alive: bool) -> None:
        """Whether a gateway's liveness page answered."""
        self._board.set_named("llm_gateway_up", float(alive), gateway=gateway, kind=kind)

    def answered(self, run: Run, now: float) -> None:
        """Quota as the answers of `run` tell it."""
        for exchange in run.exchanges:
            if exchange.send.script is not None:
                continue  # the mirror's words, not the provider's
            last = exchange.attempts[-1] if exchange.attempts else None
            provider = last.provider if last is not None else run.case.gateway
            credential = last.credential if last is not None else DEFAULT
            for quota in exchange.quota:
                key = (run.case.gateway, provider, credential, quota.scope)
                before = self._quotas.get(key)
                if quota.reset_at is None and before is not None and (before.quota.reset_at or 0) > now:
                    quota = replace(quota, reset_at=before.quota.reset_at)  # the other dialect's answers tell it
                self._quotas[key] = _Seen(quota, now)
            self._exhausted(run.case.gateway, provider, credential, exchange)

    def breakers(self, gateway: str, circuits: Circuits, monotonic: float, now: float) -> None:
        """Every breaker of an embedded core, computed now.

        There is no label for a credential: where each has a breaker, the provider is as well as the best of them.
        """
        circuits.note(monotonic)
        ways: dict[tuple[str, str], list[Breaker]] = {}
        for circuit, breaker in circuits.each().items():
            ways.setdefault((circuit.provider, circuit.model), []).append(breaker)
        for (provider, model), breakers in ways.items():
            best = min(breakers, key=lambda each: (_ORDER[each.state(monotonic)], each.open_until or 0, each.failures))
            self._breaker({"gateway": gateway, "provider_key": provider, "model_id": model}, best, monotonic, now)
        for provider in {provider for provider, _ in ways}:
            for state in State:
                self._transitions(gateway, provider, state, circuits.transitions[provider, state])

    def credentials(self, gateway: str, standings: Sequence[Standing], monotonic: float) -> None:
        """How the credentials of an embedded core stand; a state and an expiry only where a token's file tells."""
        for each in standings:
            labels = {"gateway": gateway, "provider_key": each.provider, "credential": each.credential}
            aside = each.sidelined_until is not None and each.sidelined_until > monotonic
            unusable = each.refresh not in (None, Refresh.ACTIVE)
            self._board.set_named("llm_gateway_credential_unavailable", float(aside or unusable), **labels)
            if each.refresh is not None:
                for state in _REFRESH:
                    family = "llm_gateway_credential_refresh_state"
                    self._board.set_named(family, float(state == each.refresh), **labels, state=state)
            if each.expires_at is not None or each.refresh is not None:
                self._maybe("llm_gateway_credential_expiry_timestamp_seconds", each.expires_at, labels)

    def refresh(self, now: float) -> None:
        """The quota families at `now`: what resets counts down, what is past or silent is gone."""
        for key, seen in list(self._quotas.items()):
            gateway, provider, credential, scope = key
            quota, fresh = seen.quota, now - seen.at < QUOTA_SILENCE
            reset = quota.reset_at if quota.reset_at is not None and quota.reset_at > now else None
            said = quota.reset_at is None or reset is not None
            own = {"gateway": gateway, "provider_key": provider, "credential": credential, "scope": scope}
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
            if not (fresh and said):
                self._maybe("llm_gateway_quota_exhausted", None, own)
            if not fresh:
                del self._quotas[key]

    def _exhausted(self, gateway: str, provider: str, credential: str, exchange: Exchange) -> None:
        labels = {"gateway": gateway, "provider_key": provider, "credential": credential}
        used_up = exchange.fault is not None and exchange.fault.reason is FaultReason.QUOTA_EXHAUSTED
        if used_up or exchange.fault is None:
            self._board.set_named("llm_gateway_quota_exhausted", float(used_up), **labels, scope="account")
        for quota in exchange.quota:
            if quota.exhausted is not None:
                empty = float(quota.exhausted)
                self._board.set_named("llm_gateway_quota_exhausted", empty, **labels, scope=quota.scope)

    def _breaker(self, labels: dict[str, str], breaker: Breaker, monotonic: float, now: float) -> None:
        state = breaker.state(monotonic)
        for each in ("closed", "open", "half_open", "cooling"):
            self._board.set_named("llm_gateway_breaker_state", float(each == state), **labels, state=each)
        self._board.set_named("llm_gateway_breaker_consecutive_failures", breaker.failures, **labels)
        until = None if breaker.open_until is None else now + breaker.open_until - monotonic
        self._maybe("llm_gateway_breaker_open_until_timestamp_seconds", until, labels)

    def _transitions(self, gateway: str, provider: str, state: State, count: int) -> None:
        """Adds what is new; a reloaded core counts from zero again, the exported counter goes on."""
        before = self._counted.get((gateway, provider, state), 0)
        self._counted[gateway, provider, state] = count
        labels = {"gateway": gateway, "provider_key": provider, "to": state.value}
        slot = self._board.slot("llm_gateway_breaker_transitions_total", **labels)
        self._board.add(slot, float(count - before if count >= before else count))

    def _maybe(self, family: str, value: float | None, labels: dict[str, str]) -> None:
        slot = self._board.slot(family, **labels)
        if value is not None:
            self._board.set(slot, value)
        elif self._board.get(slot) is not None:
            self._board.clear(slot)
