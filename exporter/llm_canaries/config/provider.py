"""What a configuration may say of the embedded core: providers, their credentials, breakers and retries."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from llm_canaries.config.shape import Dialects, Filled, Patterns, ProfileName, Shape, one_of
from llm_canaries.config.values import Bool, Duration, Line, Name, Refused, Secret, Url


def _alias(value: object) -> object:
    if isinstance(value, str):
        return {"model": value}
    if not isinstance(value, dict | AliasConfig):
        raise Refused("is not a model; write its id in quotes, or a mapping with `model`")
    return value


_STRATEGIES = ("round-robin", "weighted", "fill-first")
_SCOPES = ("provider", "credential", "model")
_POLICIES = ("threshold", "tiered")

Count = Annotated[int, Field(gt=0)]
StrategyName = Annotated[Literal["round-robin", "weighted", "fill-first"], one_of("strategy", *_STRATEGIES)]
ScopeName = Annotated[Literal["provider", "credential", "model"], one_of("scope", *_SCOPES)]
PolicyName = Annotated[Literal["threshold", "tiered"], one_of("policy", *_POLICIES)]


class AliasConfig(Shape):
    """What an alias stands for; without `fork` it replaces the model's own name."""

    model: Line = Field(description="the id of the provider's model")
    fork: Bool = Field(default=False, description="whether the model keeps its own name, too")


class CredentialConfig(Shape):
    """One of several keys of a provider."""

    alias: Name = Field(description="a name for it, which stands in metrics and attempts in place of the key")
    api_key: Secret | None = Field(default=None, description="the key, as `${VARIABLE}` or `${file:/path}`")
    token_file: Line | None = Field(
        default=None, description="the JSON of a token that another program refreshes; only ever read"
    )
    weight: Count = Field(default=1, description="its share of the turns with `strategy: weighted`, 1 if absent")


class ProviderConfig(Shape):
    """An upstream of the embedded core; its key stands in `api_key` or `token_file`, several in `credentials`."""

    url: Url = Field(description="the provider's base URL")
    api_key: Secret | None = Field(default=None, description="its key, as `${VARIABLE}` or `${file:/path}`")
    token_file: Line | None = Field(
        default=None, description="the JSON of a token that another program refreshes; only ever read"
    )
    credentials: Annotated[tuple[CredentialConfig, ...], Filled] | None = Field(
        default=None, description="its keys, a list of mappings with `alias` and `api_key`"
    )
    strategy: StrategyName = Field(
        default="round-robin", description="whose turn it is among credentials, `round-robin` if absent"
    )
    profile: ProfileName = Field(default="generic", description="what is known of the provider")
    dialects: Dialects | None = Field(default=None, description="the dialects it speaks")
    prefix: Name = Field(default="", description="its models are asked for as `prefix/model`")
    models: Patterns = Field(default=("*",), description="patterns of the model ids it serves")
    excluded_models: tuple[Line, ...] = Field(default=(), description="patterns of model ids it never serves")
    aliases: Mapping[Line, Annotated[AliasConfig, BeforeValidator(_alias)]] = Field(
        default={}, description="other names of its models: `alias: model`, or `alias: {model: …, fork: true}`"
    )
    priority: int = Field(default=0, description="higher is asked first, the others are its fallback; 0 if absent")


class BreakerConfig(Shape):
    """When a provider is left alone; `failures`, `timeout` and `probes` are for `threshold`, `cap` is for `tiered`."""

    policy: PolicyName = Field(
        default="threshold", description="`threshold`, or `tiered`: 30 s after 3 failures, 60 s after 5, 300 s after 10"
    )
    scope: ScopeName = Field(default="provider", description="what one breaker is for, `provider` if absent")
    failures: Count = Field(default=5, description="failures in a row that open it, 5 if absent")
    timeout: Duration = Field(default=30.0, description="time it stays open, `30s` if absent")
    probes: Count = Field(default=1, description="asks that may try it at a time once that is over, 1 if absent")
    cap: Duration = Field(default=300.0, description="the longest of the tiers, `5m` if absent")
    count_rate_limits: Bool = Field(default=True, description="whether a 429 counts as a failure")


class RetriesConfig(Shape):
    """How often a client's ask is made; canaries are never asked twice."""

    attempts: Count = Field(default=3, description="attempts in all, 3 if absent")
    base: Duration = Field(default=0.5, description="bound of the first wait, doubled each round; `500ms` if absent")
    cap: Duration = Field(default=8.0, description="the longest bound, `8s` if absent")
