"""How a model id reaches a provider: an alias, a prefix, or a pattern; in that order."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from llm_canaries.proxy.gateway import Limits
from llm_canaries.wire.profile import Profile


class Provider(Struct, frozen=True, kw_only=True):
    """An upstream of the embedded core; the key is kept out of every repr."""

    name: str
    url: str
    profile: Profile = Profile()
    dialects: tuple[str, ...] = ("openai_chat", "anthropic_messages")
    prefix: str = ""
    models: tuple[str, ...] = ("*",)
    aliases: Mapping[str, str] = {}
    limits: Limits = Limits()


class Route(Struct, frozen=True):
    """One way to a provider: `model` is the id to ask it for."""

    provider: Provider
    model: str


def find_route(providers: Sequence[Provider], model: str) -> Route | None:
    """The first route for `model`: any alias before any prefix before any pattern; None when nobody serves it."""
    for provider in providers:
        if (target := provider.aliases.get(model)) is not None:
            return Route(provider, target)
    for provider in providers:
        head = f"{provider.prefix}/"
        if provider.prefix and model.startswith(head) and _serves(provider, model.removeprefix(head)):
            return Route(provider, model.removeprefix(head))
    for provider in providers:
        if not provider.prefix and _serves(provider, model):
            return Route(provider, model)
    return None


def exposed(provider: Provider, listed: Sequence[str]) -> list[str]:
    """The ids under which the core offers what `provider` lists: aliases too, prefixed where it has a prefix."""
    head = f"{provider.prefix}/" if provider.prefix else ""
    own = [head + model for model in listed if _serves(provider, model)]
    return own + [alias for alias, target in provider.aliases.items() if target in listed]


def _serves(provider: Provider, model: str) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in provider.models)
