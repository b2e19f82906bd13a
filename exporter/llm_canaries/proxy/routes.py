"""How a model id reaches providers: by alias, prefix, `provider/model` or pattern, in one order that never changes."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from llm_canaries.proxy.gateway import Limits
from llm_canaries.wire.message import Thinking
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.thinking import split_suffix

EVERYTHING = "*"
WORKLOAD = "x-canary-workload"  # the header that says which workload an ask belongs to; it is not passed on


class Alias(Struct, frozen=True):
    """Another name's target; `fork`: the model keeps its own name beside it, otherwise the alias replaces that."""

    model: str
    fork: bool = False


class Provider(Struct, frozen=True, kw_only=True):
    """An upstream of the embedded core; the key is kept out of every repr.

    `models` and `excluded` are patterns of its own ids. `priority`: higher goes first, the others are its fallback.
    `force_prefix`: nothing is reached, or listed, without the prefix where there is one.
    """

    name: str
    url: str
    profile: Profile = Profile()
    dialects: tuple[str, ...] = ("openai_chat", "anthropic_messages")
    prefix: str = ""
    models: tuple[str, ...] = (EVERYTHING,)
    excluded: tuple[str, ...] = ()
    aliases: Mapping[str, Alias | str] = {}
    force_prefix: bool = True
    priority: int = 0
    limits: Limits = Limits()

    def alias(self, name: str) -> Alias | None:
        """What `name` stands for here; a bare model id is one that the alias replaces."""
        found = self.aliases.get(name)
        return Alias(found) if isinstance(found, str) else found

    def serves(self, model: str) -> bool:
        """Whether `model` (its own id) may be asked for at all."""
        return _fits(model, self.models) and not _fits(model, self.excluded)

    def shows(self, model: str) -> bool:
        """Whether `model` goes by its own id here: it is served, and no alias has replaced the name."""
        if not self.serves(model):
            return False
        names = [alias for each in self.aliases if (alias := self.alias(each)) is not None and alias.model == model]
        return not names or any(alias.fork for alias in names)


class Route(Struct, frozen=True):
    """One way to a provider: `model` is the id to ask it for."""

    provider: Provider
    model: str


def routes(providers: Sequence[Provider], model: str, pinned: str | None = None) -> tuple[Route, ...]:
    """Every way to `model`, the first to be tried first; none when nobody serves it.

    By priority, then aliases before addresses before patterns, then in the order of `providers`. Who is addressed, by
    prefix or as `provider/model`, is not replaced by somebody whose pattern fits the whole id. `pinned` names the one
    provider that may be asked.
    """
    aliased = [Route(each, alias.model) for each in providers if (alias := _aliased(each, model)) is not None]
    addressed = list(_addressed(providers, model))
    matched = [] if addressed else [Route(each, model) for each in providers if _matches(each, model)]
    found = aliased + addressed + matched
    if not found:
        found = [route for each in providers if (route := _named(each, model)) is not None]
    if pinned is not None:
        found = [route for route in found if route.provider.name == pinned]
    unique = {route.provider.name: route for route in reversed(found)}
    ordered = [route for route in found if unique[route.provider.name] is route]
    return tuple(sorted(ordered, key=lambda route: -route.provider.priority))


class Found(Struct, frozen=True):
    """The routes of one ask, and the reasoning that the suffix of its model asks for (None: as its body does)."""

    routes: tuple[Route, ...]
    thinking: Thinking | None = None


def find(providers: Sequence[Provider], model: str, pinned: str | None = None) -> Found:
    """The routes for `model`, which may say its reasoning as `model(high)`; an id that is exposed so is taken as it is.

    A pattern that fits everything exposes nothing in particular (protocols.md C2).
    """
    bare, thinking = split_suffix(model)
    if bare == model or any(model in each.aliases or model in each.models for each in providers):
        return Found(routes(providers, model, pinned))
    return Found(routes(providers, bare, pinned), thinking)


def exposed(provider: Provider, listed: Sequence[str]) -> list[str]:
    """The ids under which the core offers what `provider` lists: aliases too, prefixed where it has a prefix."""
    own = [model for model in listed if provider.shows(model)]
    head = f"{provider.prefix}/" if provider.prefix else ""
    bare = own if head and not provider.force_prefix else []
    aliases = [
        name
        for name in provider.aliases
        if (alias := provider.alias(name)) is not None and alias.model in listed and _aliased(provider, name)
    ]
    return [*(head + model for model in own), *bare, *aliases]


def _aliased(provider: Provider, model: str) -> Alias | None:
    alias = provider.alias(model)
    return None if alias is None or _fits(alias.model, provider.excluded) else alias


def _addressed(providers: Sequence[Provider], model: str) -> Iterator[Route]:
    """The routes of those whose prefix or name stands in front; a sole provider needs no name."""
    head, slash, rest = model.partition("/")
    if not slash or not rest:
        return
    for each in providers:
        by_prefix = each.prefix == head and each.shows(rest)
        # `mirror/healthy` is an id of the provider `mirror` that lists it so, and no address
        by_name = each.name == head and len(providers) > 1 and each.serves(rest) and not _claims(each, model)
        if by_prefix or by_name:
            yield Route(each, rest)


def _named(provider: Provider, model: str) -> Route | None:
    """`provider/model` where nothing else fits, whatever the number of providers."""
    head, _, rest = model.partition("/")
    return Route(provider, rest) if rest and head == provider.name and provider.serves(rest) else None


def _matches(provider: Provider, model: str) -> bool:
    bare = not provider.prefix or not provider.force_prefix
    return bare and bool(model) and model not in provider.aliases and provider.shows(model)


def _claims(provider: Provider, model: str) -> bool:
    """Whether a pattern that says something fits the whole id."""
    return _fits(model, [pattern for pattern in provider.models if pattern != EVERYTHING])


def _fits(model: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in patterns)
