"""The table of every metric family that the sidecar exports, with its labels and help (metrics.md holds the same)."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct


class Family(Struct, frozen=True):
    """One metric family; a counter's name ends in `_total`, `buckets` are a histogram's finite upper bounds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


CASE = ("canary", "scenario", "gateway", "model_id", "client_protocol", "stream")
_ROUTE = ("gateway", "provider_key", "model_id")
_CREDENTIAL = ("gateway", "provider_key", "credential", "scope")
_KEY = ("gateway", "provider_key", "credential")
_QUOTA = ("gateway", "provider_key", "credential", "model_id", "scope", "unit")

_DURATIONS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0)
_LAGS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_CANARY = (
    Family("runs_total", "counter", (*CASE, "outcome"), "Scheduled first attempts by outcome."),
    Family("failures_total", "counter", (*CASE, "reason"), "Decided failures by reason."),
    Family("faults_total", "counter", ("gateway", "fault_domain"), "Failures by the domain they are attributed to."),
    Family("confirmations_total", "counter", (*CASE, "outcome"), "Confirmation and twin runs by outcome."),
    Family("success", "gauge", CASE, "Last decided verdict: 1 pass, 0 fail."),
    Family("consecutive_failures", "gauge", CASE, "Decided failures in a row."),
    Family("error_ratio", "gauge", (*CASE, "window"), "Failures over decided scheduled runs in the window."),
    Family(
        "error_ratio_lower", "gauge", (*CASE, "window"), "One-sided 95 % Clopper-Pearson lower bound of error_ratio."
    ),
    Family("error_ratio_runs", "gauge", (*CASE, "window"), "Decided scheduled runs behind the error ratio."),
    Family("failure_ratio", "gauge", ("gateway", "reason", "window"), "Share of a gateway's runs with this reason."),
    Family(
        "failure_ratio_lower", "gauge", ("gateway", "reason", "window"), "One-sided 95 % bound of failure_ratio."
    ),
    Family("failure_ratio_runs", "gauge", ("gateway", "reason", "window"), "Decided runs behind the failure ratio."),
    Family("availability_ratio", "gauge", ("gateway", "window"), "Pass share over the cases of the gateway."),
    Family("interval_seconds", "gauge", CASE, "Configured interval between scheduled runs."),
    Family("threshold", "gauge", ("canary", "kind", "severity"), "Configured threshold of the canary."),
    Family("last_run_timestamp_seconds", "gauge", CASE, "Start of the last scheduled run; program start before it."),
    Family("last_decided_timestamp_seconds", "gauge", CASE, "Start of the last decided run; program start before it."),
    Family("last_success_timestamp_seconds", "gauge", CASE, "Start of the last passed run; program start before it."),
    Family("held", "gauge", (*CASE, "reason"), "1 while runs of the case are withheld."),
    Family("held_until_timestamp_seconds", "gauge", CASE, "When the case is tested again."),
    Family("duration_seconds", "histogram", CASE, "Duration of the whole exchange.", _DURATIONS),
    Family(
        "time_to_first_token_seconds", "histogram", CASE, "Time to the first content event.", (0.05, *_DURATIONS)
    ),
    Family("last_duration_seconds", "gauge", CASE, "Duration of the last scheduled run."),
    Family("last_time_to_first_token_seconds", "gauge", CASE, "Time to first token of the last scheduled run."),
    Family("requests_total", "counter", CASE, "Requests that the canary sent, confirmations included."),
    Family("tokens_total", "counter", (*CASE, "kind"), "Tokens that the canary used, confirmations included."),
    Family("cost_dollars_total", "counter", CASE, "What the canary cost; absent where the price is unknown."),
    Family("usage_parity_delta_tokens", "gauge", (*CASE, "kind"), "Stream minus non-stream usage of the last pair."),
    Family("thinking_checks_total", "counter", (*CASE, "control"), "Thinking controls requested and checked."),
    Family("thinking_mismatches_total", "counter", (*CASE, "control"), "Thinking controls that were not applied."),
    Family("reasoning_growth_ratio", "gauge", CASE, "Reasoning tokens of late over those of the baseline, by medians."),
    Family("reasoning_growth_ratio_lower", "gauge", CASE, "The least that the growth is, by a one-sided 99.9 % bound."),
    Family("model_listed", "gauge", ("gateway", "model_id", "client"), "1 if the client key is shown the model."),
    Family("model_callable", "gauge", ("gateway", "model_id", "client"), "1 if the client key can call the model."),
    Family("cooldown_lost_seconds_total", "counter", ("gateway", "provider_key"), "Time that stale cooldowns cost."),
    Family("budget_requests_remaining", "gauge", ("gateway", "period"), "Requests left of the configured budget."),
    Family("budget_tokens_remaining", "gauge", ("gateway", "period"), "Tokens left of the configured budget."),
    Family("budget_dollars_remaining", "gauge", ("gateway", "period"), "Dollars left of the configured budget."),
)

_GATEWAY = (
    Family("up", "gauge", ("gateway", "kind"), "1 if a liveness page of the gateway answered."),
    Family("breaker_state", "gauge", (*_ROUTE, "state"), "1 on the one state that the breaker is in."),
    Family("breaker_consecutive_failures", "gauge", _ROUTE, "Failures in a row that the breaker counts."),
    Family("breaker_open_until_timestamp_seconds", "gauge", _ROUTE, "When the open breaker lets a request through."),
    Family("breaker_transitions_total", "counter", ("gateway", "provider_key", "to"), "Changes of breaker state."),
    Family("quota_remaining", "gauge", _QUOTA, "Quota left, in its unit; absent when unknown."),
    Family("quota_limit", "gauge", _QUOTA, "Quota granted, in its unit."),
    Family("quota_used_ratio", "gauge", _QUOTA, "Used share of the quota."),
    Family("quota_exhausted", "gauge", _CREDENTIAL, "1 if nothing of the quota is left."),
    Family("quota_reset_seconds", "gauge", _CREDENTIAL, "Time until the quota is renewed; absent afterwards."),
    Family("quota_reset_timestamp_seconds", "gauge", _CREDENTIAL, "When the quota is renewed."),
    Family("quota_observed_timestamp_seconds", "gauge", _CREDENTIAL, "When the quota was last told."),
    Family("credential_refresh_state", "gauge", (*_KEY, "state"), "1 on the one state that the token is in."),
    Family("credential_expiry_timestamp_seconds", "gauge", _KEY, "When the token expires, as its file says."),
    Family("credential_unavailable", "gauge", _KEY, "1 while the credential is set aside or cannot be used."),
)

_SIDECAR = (
    Family("build_info", "gauge", ("version",), "1, with the version of this program."),
    Family("config_last_reload_successful", "gauge", (), "1 if the last reload of the configuration succeeded."),
    Family("config_last_reload_success_timestamp_seconds", "gauge", (), "When the configuration was last loaded."),
    Family("network_up", "gauge", (), "0 while no other host can be reached from here; absent before the first look."),
    Family("active", "gauge", (), "1 if this instance holds the lock of the state, 0 on a standby."),
    Family("schedule_lag_seconds", "histogram", (), "Time from a run's due time to its start.", _LAGS),
    Family("runs_in_flight", "gauge", (), "Runs under way."),
    Family("rule_group_last_duration_seconds", "gauge", ("group",), "Duration of the group's last evaluation."),
    Family("rule_group_last_evaluation_timestamp_seconds", "gauge", ("group",), "When the group was last evaluated."),
    Family("rule_evaluation_failures_total", "counter", ("group",), "Rules of the group that could not be evaluated."),
    Family("rule_group_iterations_missed_total", "counter", ("group",), "Evaluations skipped: one took too long."),
    Family("alerts", "gauge", ("alertname", "severity", "state"), "Alerts by state."),
    Family("incidents", "gauge", ("level",), "Open incidents by level."),
    Family("notifications_total", "counter", ("receiver", "outcome"), "Deliveries to the receiver by outcome."),
    Family("notification_pending", "gauge", ("receiver",), "Messages that wait for the receiver."),
    Family("notification_oldest_seconds", "gauge", ("receiver",), "Age of the oldest message that waits."),
    Family("window_series", "gauge", ("source",), "Series that the rules see."),
    Family("window_samples", "gauge", ("source",), "Samples that the rules see."),
    Family("window_dropped_series", "gauge", ("source",), "Series that found no room in the window."),
    Family("series_folded_total", "counter", ("family",), "Series not exported because there are too many."),
    Family("state_write_failures_total", "counter", (), "Writes to the state that failed."),
    Family("state_bytes", "gauge", (), "Size of the state on disk."),
)

_NAMED = (("llm_canary_", _CANARY), ("llm_gateway_", _GATEWAY), ("llm_sidecar_", _SIDECAR))

FAMILIES: Mapping[str, Family] = {
    prefix + each.name: Family(prefix + each.name, each.kind, each.labels, each.help, each.buckets)
    for prefix, table in _NAMED
    for each in table
}

_PAGES = "read from the pages of a watched gateway, which nothing fetches yet"
_LOGS = "read from the logs of a watched gateway, which nothing reads yet"
_ACTIONS = "mitigations are not carried out yet"

UNFILLED: Mapping[str, str] = {
    "llm_sidecar_runs_shed_total": "no run is ever shed: each waits for its turn",
    "llm_gateway_page_up": _PAGES,
    "llm_gateway_capability": _PAGES,
    "llm_gateway_info": _PAGES,
    "llm_gateway_requests_total": _PAGES,
    "llm_gateway_request_failures_total": _PAGES,
    "llm_gateway_request_duration_seconds": _PAGES,
    "llm_gateway_tokens_total": _PAGES,
    "llm_gateway_cost_dollars_total": _PAGES,
    "llm_gateway_timeouts_total": _PAGES,
    "llm_gateway_retries_total": _PAGES,
    "llm_gateway_fallbacks_total": _PAGES,
    "llm_gateway_cache_hits_total": _PAGES,
    "llm_gateway_cache_misses_total": _PAGES,
    "llm_gateway_models_listed": _PAGES,
    "llm_gateway_provider_tier_info": "providers have no tier in the configuration yet",
    "llm_gateway_auth_files": _PAGES,
    "llm_gateway_auth_file_duplicates": _PAGES,
    "llm_gateway_log_events_total": _LOGS,
    "llm_gateway_thinking_checks_total": _LOGS,
    "llm_gateway_thinking_mismatches_total": _LOGS,
    "llm_gateway_config_warning": _PAGES,
    "llm_sidecar_notify_path_up": "no synthetic round trip to a receiver is made yet",
    "llm_sidecar_mitigations_active": _ACTIONS,
    "llm_sidecar_mitigations_total": _ACTIONS,
}
"""Families of the vocabulary that no source fills yet, with the reason: rules on them can never fire."""
