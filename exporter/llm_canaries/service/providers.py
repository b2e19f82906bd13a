"""What a configuration says of the providers of an embedded gateway, as the core takes it."""

from collections.abc import Mapping

from llm_canaries.config.provider import ProviderConfig
from llm_canaries.config.schema import GatewayConfig
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.routes import Alias, Provider, find
from llm_canaries.wire.profile import Profile


def providers_of(config: GatewayConfig, profiles: Mapping[str, Profile]) -> list[Provider]:
    """The providers of a gateway, in their order; none where the built-in mirror is its provider."""
    limits, own = limits_of(config), config.providers or {}
    return [_provider(name, each, profiles, limits, forced=config.force_model_prefix) for name, each in own.items()]


def serves(config: GatewayConfig, model: str) -> bool:
    """Whether an embedded gateway of this configuration leads `model` anywhere; the mirror takes any name."""
    if config.providers is None:
        return True
    unknown = {each.profile: Profile() for each in config.providers.values()}  # what is known of it routes nothing
    return bool(find(providers_of(config, unknown), model).routes)


def spoken_by(config: GatewayConfig, model: str, profiles: Mapping[str, Profile]) -> tuple[str, ...]:
    """The dialects in which an embedded gateway can ask the first provider of `model`; none where it has none."""
    routes = find(providers_of(config, profiles), model).routes
    return routes[0].provider.dialects if routes else ()


def limits_of(config: GatewayConfig) -> Limits:
    """The limits of a gateway as transports take them."""
    own = config.limits
    return Limits(connect=own.connect, first_byte=own.first_byte, idle=own.idle, total=own.total, body=own.body)


def _provider(
    name: str, config: ProviderConfig, profiles: Mapping[str, Profile], limits: Limits, *, forced: bool
) -> Provider:
    profile = profiles[config.profile]
    return Provider(
        name=name,
        url=str(config.url),
        profile=profile,
        dialects=config.dialects or profile.dialects,
        prefix=config.prefix or "",
        models=config.models,
        excluded=config.excluded_models,
        aliases={alias: Alias(each.model, each.fork) for alias, each in config.aliases.items()},
        force_prefix=forced,
        priority=config.priority,
        limits=limits,
    )
