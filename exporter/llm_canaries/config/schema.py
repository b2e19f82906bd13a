"""What a configuration and a definition may say: frozen models, one field a key, unknown keys refused.

A field's description is what editors show and what a message says when the key is missing.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from llm_canaries.config.loopback import LoopbackConfig, MirrorConfig
from llm_canaries.config.provider import BreakerConfig, ProviderConfig, RetriesConfig
from llm_canaries.config.shape import (
    DefinitionName,
    Dialects,
    Filled,
    KindName,
    Patterns,
    ProfileName,
    ScenarioName,
    Shape,
    one_of,
)
from llm_canaries.config.values import (
    Bool,
    Duration,
    HeaderName,
    Interval,
    Level,
    Line,
    Listen,
    Name,
    Refused,
    Secret,
    SigningKey,
    Size,
    Url,
)


def _model(value: object) -> object:
    if isinstance(value, str):
        return {"id": value}
    if not isinstance(value, dict | ModelConfig):
        raise Refused("is not a model; write its id in quotes, or a mapping with `id`")
    return value


def _ways(value: object) -> object:
    if value == "both":
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(each, bool) for each in value):
        raise Refused("is not a list of booleans; write `[false]`, `[true]`, `[false, true]` or `both`")
    if not value:
        raise Refused("is empty; write `[false]`, `[true]`, `[false, true]` or `both`")
    return tuple(value)


def _dollars(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise Refused("is not a price; write dollars per million tokens, such as `2.5`")
    return float(value)


def _cap_dollars(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise Refused("is not an amount; write dollars above 0, such as `2.5`")
    return float(value)


def _count(value: object) -> object:
    if isinstance(value, bool):
        raise Refused("is not a count; write it in digits")
    return value


Dollars = Annotated[float, BeforeValidator(_dollars), WithJsonSchema({"type": "number", "minimum": 0})]
CapDollars = Annotated[float, BeforeValidator(_cap_dollars), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Count = Annotated[int, BeforeValidator(_count), Field(gt=0)]
Severity = Annotated[Literal["warning", "critical"], one_of("severity", "warning", "critical")]
Priority = Annotated[Literal["low", "normal", "high"], one_of("priority", "low", "normal", "high")]
LevelName = Annotated[Literal["warning", "critical"], one_of("level", "warning", "critical")]
Thresholds = Mapping[Name, Annotated[Mapping[LevelName, Level], Filled]]
Params = Mapping[str, Any]
Stream = Annotated[
    tuple[bool, ...] | Literal["both"],
    BeforeValidator(_ways),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "uniqueItems": True},
                {"const": "both"},
            ]
        }
    ),
]


class ModelConfig(Shape):
    """A model id, and what the user knows of it; None is "not known"."""

    id: Line = Field(description="the model id to ask for")
    vision: Bool | None = Field(default=None, description="whether it sees images")
    thinking: Bool | None = Field(default=None, description="whether it can reason")
    thinking_off: Bool | None = Field(default=None, description="whether reasoning can be switched off")


class Limits(Shape):
    """How long and how much: seconds to connect, to the first byte, between bytes, in all; bytes of body."""

    connect: Duration = Field(default=5.0, description="time to connect, `5s` if absent")
    first_byte: Duration = Field(default=60.0, description="time to the first byte of an answer, `60s` if absent")
    idle: Duration = Field(default=30.0, description="time between two pieces of an answer, `30s` if absent")
    total: Duration = Field(default=120.0, description="time for a whole answer, `120s` if absent")
    body: Size = Field(default=8 * 1024 * 1024, description="size of an answer, `8MiB` if absent")


class Budget(Shape):
    """The most that scheduled canaries may spend at one gateway in one UTC day; beyond it they are held."""

    requests: Count = Field(default=10_000, description="requests a day, 10000 if absent")
    tokens: Count = Field(default=2_000_000, description="tokens a day, 2000000 if absent")
    dollars: CapDollars | None = Field(default=None, description="dollars a day, no limit if absent")


class WholeBudget(Shape):
    """The most that scheduled canaries may spend at all gateways together in one UTC day; None is without a limit."""

    requests: Count | None = Field(default=None, description="requests a day, no limit if absent")
    tokens: Count | None = Field(default=None, description="tokens a day, no limit if absent")
    dollars: CapDollars | None = Field(default=None, description="dollars a day, no limit if absent")


class MarkConfig(Shape):
    """How a gateway tells our asks from others': the key that signs them, which the gateway knows as well."""

    key: SigningKey = Field(description="the key, 16 characters or more, as `${VARIABLE}` or `${file:/path}`")


class GatewayConfig(Shape):
    """A system that asks are sent to; `dialects` None means the kind's own, `providers` None the built-in mirror."""

    kind: KindName = Field(description="the kind of gateway")
    models: Annotated[tuple[Annotated[ModelConfig, BeforeValidator(_model)], ...], Filled] = Field(
        description="the model ids to ask for, a list"
    )
    url: Url | None = Field(default=None, description="the gateway's base URL")
    api_key: Secret | None = Field(default=None, description="the client's key, as `${VARIABLE}` or `${file:/path}`")
    dialects: Dialects | None = Field(default=None, description="the dialects it speaks")
    profile: ProfileName = Field(default="generic", description="what is known of the gateway")
    headers: Mapping[HeaderName, Secret] = Field(default={}, description="headers to send along")
    limits: Limits = Field(default=Limits(), description="how long and how much")
    budget: Budget = Field(default=Budget(), description="how much a day at most")
    twin: Name | None = Field(
        default=None, description="the embedded gateway with the same providers, for asking them directly"
    )
    providers: Annotated[dict[Name, ProviderConfig], Filled] | None = Field(
        default=None, description="upstreams of an embedded gateway"
    )
    pins: Mapping[Line, Name] = Field(
        default={}, description="the one provider of a workload (header `x-canary-workload`): `workload: provider`"
    )
    force_model_prefix: Bool = Field(
        default=True, description="`false`: models of a provider with a prefix go without it, too"
    )
    breaker: BreakerConfig = Field(default=BreakerConfig(), description="when providers are left alone")
    retries: RetriesConfig = Field(default=RetriesConfig(), description="how often clients' asks are made again")
    loopback: LoopbackConfig | None = Field(default=None, description="the model by which it reaches our mirror")


class CanaryConfig(Shape):
    """A definition or scenario bound to a gateway; None takes what the definition says, or every gateway.

    `params` holds the overrides only, durations in seconds: `merge_params` lays them over the definition's.
    """

    use: DefinitionName | None = Field(default=None, description="the name of a definition")
    scenario: ScenarioName | None = Field(default=None, description="the name of a scenario")
    name: Name | None = Field(default=None, description="the name of this canary")
    gateway: str | None = Field(default=None, description="the gateway to ask, all of them if absent")
    every: Interval | None = Field(default=None, description="the time between two runs")
    models: Patterns | None = Field(default=None, description="patterns of the gateway's model ids; `!` excludes")
    dialects: Dialects | None = Field(default=None, description="the dialects to ask in")
    stream: Stream | None = Field(default=None, description="whether to ask for a stream")
    profile: ProfileName | None = Field(default=None, description="what is known of the gateway")
    severity: Severity | None = Field(default=None, description="how much a failure matters")
    priority: Priority | None = Field(
        default=None, description="`high` never gives way to a short budget, `low` first; by severity if absent"
    )
    thresholds: Thresholds = Field(default={}, description="levels by measure")
    params: Params = Field(default={}, description="parameters of the scenario")


class Definition(Shape):
    """A canary bound to nothing; `params` holds what the file says, checked, durations in seconds."""

    scenario: ScenarioName = Field(description="the name of a scenario")
    help: Line = Field(description="one line for people")
    severity: Severity = Field(description="`warning` or `critical`")
    priority: Priority | None = Field(default=None, description="`low`, `normal` or `high`; by severity if absent")
    every: Interval = Field(description="the time between two runs, such as `10m`")
    dialects: Dialects = Field(description="the dialects to ask in, a list")
    stream: Stream = Field(description="`[false]`, `[true]`, `[false, true]` or `both`")
    profile: ProfileName | None = Field(default=None, description="what is known of the gateway")
    models: Patterns = Field(default=("*",), description="patterns of the gateway's model ids; `!` excludes")
    thresholds: Thresholds = Field(default={}, description="levels by measure")
    params: Params = Field(default={}, description="parameters of the scenario")


class ReceiverConfig(Shape):
    """Where flips go; the URL is Apprise's and holds credentials."""

    url: Secret = Field(description="an Apprise URL, as `${VARIABLE}` or `${file:/path}`")
    severity: Annotated[tuple[Severity, ...], Filled] = Field(
        default=("warning", "critical"), description="the severities it is told of, both if absent"
    )
    timeout: Duration = Field(default=10.0, description="time for one delivery, `10s` if absent")


class HeartbeatConfig(Shape):
    """A URL that is fetched while all is well, so that somebody else notices our silence."""

    url: Secret = Field(description="the URL to fetch, as `${VARIABLE}` or `${file:/path}`")
    every: Interval = Field(default=60.0, description="the time between two fetches, `1m` if absent")


class RulesConfig(Shape):
    """What becomes of rules; the shipped packs that need nothing more are loaded unless `packs` names others."""

    evaluate: Bool = Field(default=True, description="`false` where a Prometheus evaluates them")
    packs: tuple[Line, ...] | None = Field(default=None, description="shipped packs; all that need nothing, if absent")
    files: Annotated[tuple[Line, ...], Filled] | None = Field(
        default=None, description="your own rule files or folders"
    )
    disable: tuple[Line, ...] = Field(default=(), description="names of alerts to leave out")
    history: Duration = Field(default=10_800.0, description="how far rules may look back, `3h` if absent")


class ServerConfig(Shape):
    """Where `canaries serve` listens; on an address that is not loopback only metrics and health are open."""

    listen: Listen = Field(default="127.0.0.1:9877", description="`HOST:PORT`, `127.0.0.1:9877` if absent")


class PriceConfig(Shape):
    """Dollars per million tokens; None for a cache means that it costs what input costs."""

    input: Dollars = Field(description="dollars per million input tokens")
    output: Dollars = Field(description="dollars per million output tokens, reasoning included")
    cache_read: Dollars | None = Field(default=None, description="dollars per million tokens read from a cache")
    cache_write: Dollars | None = Field(default=None, description="dollars per million tokens written to a cache")


class ProxyConfig(Shape):
    """Where `canaries proxy` listens, and the keys that its clients show; without keys it stays on loopback."""

    listen: Listen = Field(default="127.0.0.1:8317", description="`HOST:PORT`, `127.0.0.1:8317` if absent")
    client_keys: Annotated[tuple[Secret, ...], Filled] | None = Field(
        default=None, description="keys of clients, a list of `${VARIABLE}` or `${file:/path}`; anyone if absent"
    )


class Config(Shape):
    """A whole configuration; `canaries` None means every shipped definition that fits."""

    gateways: Annotated[dict[Name, GatewayConfig], Filled] = Field(description="the gateways to ask, by name")
    canaries: tuple[CanaryConfig, ...] | None = Field(
        default=None, description="what to ask; if absent, every shipped definition that fits"
    )
    receivers: dict[Name, ReceiverConfig] = Field(default={}, description="where to send news of alerts, by name")
    heartbeat: HeartbeatConfig | None = Field(default=None, description="what to fetch while all is well")
    rules: RulesConfig = Field(default=RulesConfig(), description="what becomes of alert rules")
    server: ServerConfig = Field(default=ServerConfig(), description="where `canaries serve` listens")
    budget: WholeBudget = Field(default=WholeBudget(), description="how much a day at most at all gateways together")
    mark: MarkConfig | None = Field(default=None, description="how a gateway tells our asks from others'")
    prices: dict[Line, PriceConfig] = Field(default={}, description="prices by pattern of model ids, first match wins")
    proxy: ProxyConfig = Field(default=ProxyConfig(), description="where `canaries proxy` listens, and for whom")
    mirror: MirrorConfig | None = Field(default=None, description="the mirror behind `loopback` models")
    connectivity: Annotated[tuple[Url, ...], Filled] | None = Field(
        default=None, description="URLs elsewhere: where none of them can be reached, our own network is down"
    )
    state: Line | None = Field(default=None, description="the folder of the state; the user's state folder if absent")
