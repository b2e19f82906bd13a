"""Binds definitions to gateways: the cases that a configuration means."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.canary import Case, Priority, Severity
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.load import merge_params
from llm_canaries.config.loopback import LoopbackConfig
from llm_canaries.config.provider import ProviderConfig
from llm_canaries.config.schema import CanaryConfig, Config, Definition, GatewayConfig, ModelConfig
from llm_canaries.wire.profile import ModelFacts, Profile

MIRROR_MODEL = "mirror/healthy"  # by which our mirror's sound model is asked for


class Binding(Struct, frozen=True, kw_only=True):
    """What cases are made of beside the configuration: definitions, profiles, and each kind's own dialects.

    `deployed`: the kinds of gateways that are not ours.
    """

    definitions: Mapping[str, Definition]
    profiles: Mapping[str, Profile]
    kind_dialects: Mapping[str, tuple[str, ...]]
    deployed: frozenset[str] = frozenset()


class Wanted(Struct, frozen=True, kw_only=True):
    """A choice among the cases: patterns of canary names, gateways and models; empty means all.

    A model without a wildcard that no chosen gateway has configured is asked for all the same.
    """

    canaries: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


def cases(config: Config, binding: Binding, wanted: Wanted) -> list[Case]:
    """The cases of `config` that are `wanted`, in the order configured; those that can never be asked are left out."""
    canaries = config.canaries
    if canaries is None:
        canaries = tuple(CanaryConfig(use=name) for name in binding.definitions)
    chosen = {name: each for name, each in config.gateways.items() if _matches(name, wanted.gateways)}
    models = {name: _models(each, wanted.models, chosen) for name, each in chosen.items()}
    found: list[Case] = []
    for canary in canaries:
        definition = _definition(canary, binding)
        name = canary.name or canary.use or ""
        if not _matches(name, wanted.canaries) and not _matches(definition.scenario, wanted.canaries):
            continue
        looped = "loopback" in SCENARIOS[definition.scenario].needs
        for gateway, each in chosen.items():
            if canary.gateway in (None, gateway):
                asked = _looped(each, wanted.models) if looped else models[gateway]
                found += _cells(name, canary, definition, gateway, each, asked, binding)
    return [case for case in found if not SCENARIOS[case.scenario].objection(case)]


def cells(canary: CanaryConfig, gateway: str, config: GatewayConfig, binding: Binding) -> list[Case]:
    """All that `canary` asks of one gateway's configured models, also what can never be asked."""
    definition, name = _definition(canary, binding), canary.name or canary.use or ""
    looped = "loopback" in SCENARIOS[definition.scenario].needs
    models = _looped(config, ()) if looped else config.models
    return list(_cells(name, canary, definition, gateway, config, models, binding))


def loops(gateway: GatewayConfig) -> LoopbackConfig | None:
    """How `gateway` reaches our mirror, None where it does not; the embedded default has nothing else behind it."""
    if gateway.kind == "embedded" and gateway.providers is None:
        return LoopbackConfig(model=MIRROR_MODEL, upstream=MIRROR_MODEL)
    return gateway.loopback


def fits(model: str, patterns: Sequence[str]) -> bool:
    """Whether `model` matches a pattern, and none of those that begin with `!`."""
    out = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    within = [pattern for pattern in patterns if not pattern.startswith("!")]
    return any(fnmatchcase(model, each) for each in within or ["*"]) and not any(fnmatchcase(model, o) for o in out)


def _cells(
    name: str,
    canary: CanaryConfig,
    definition: Definition,
    gateway: str,
    config: GatewayConfig,
    models: Sequence[ModelConfig],
    binding: Binding,
) -> Iterator[Case]:
    profile = binding.profiles[canary.profile or definition.profile or config.profile]
    params = merge_params(SCENARIOS[definition.scenario].params, definition.params, canary.params)
    stream = canary.stream if canary.stream is not None else definition.stream
    ways: Sequence[bool | None] = [None] if stream == "both" else stream
    loop = loops(config)
    for model in models:
        if not fits(model.id, canary.models or definition.models):
            continue
        own = binding.kind_dialects[config.kind]
        looped = loop is not None and model.id in loop.models  # free of tokens, and there to test the translation
        spoken = config.dialects or own if looped else _spoken(config, model.id, binding)
        for dialect in canary.dialects or definition.dialects:
            if dialect not in spoken:
                continue
            for way in ways:
                yield Case(
                    canary=name,
                    scenario=definition.scenario,
                    gateway=gateway,
                    model=model.id,
                    dialect=dialect,
                    stream=way,
                    severity=Severity(canary.severity or definition.severity),
                    priority=_priority(canary, definition),
                    params=params,
                    profile=profile,
                    facts=_facts(model, profile),
                    upstream=(loop.upstream or "") if loop is not None and model.id in loop.models else "",
                    dialect_certain=config.dialects is not None or config.kind == "embedded",
                    deployed=config.kind in binding.deployed,
                    twin="" if looped else config.twin or "",
                    mirror=_mirror(config, model.id),
                    every=canary.every or _every(definition, loop),
                    thresholds={**definition.thresholds, **canary.thresholds},
                )


def _every(definition: Definition, loop: LoopbackConfig | None) -> float:
    """Seconds between two runs where the canary says none: the doors to our mirror share what one door would take."""
    looped = "loopback" in SCENARIOS[definition.scenario].needs
    return definition.every * len(loop.models) if loop is not None and looped else definition.every


def _priority(canary: CanaryConfig, definition: Definition) -> Priority:
    """What somebody says, else by what a failure means: what is critical goes on while the rest gives way."""
    critical = (canary.severity or definition.severity) == "critical"
    return Priority(canary.priority or definition.priority or (Priority.HIGH if critical else Priority.NORMAL))


def _spoken(config: GatewayConfig, model: str, binding: Binding) -> tuple[str, ...]:
    """The dialects in which `model` is asked for: those named, else its providers' own, else the kind's.

    Asking a provider in the other dialects too would test our own translation with its tokens.
    """
    kind = binding.kind_dialects[config.kind]
    providers = [each for each in (config.providers or {}).values() if _serves(each, model)]
    native = {name for each in providers for name in each.dialects or binding.profiles[each.profile].dialects}
    return config.dialects or tuple(name for name in kind if name in native) or kind


def _serves(provider: ProviderConfig, model: str) -> bool:
    own = model.removeprefix(f"{provider.prefix}/") if provider.prefix else model
    return own in provider.aliases or any(fnmatchcase(own, pattern) for pattern in provider.models)


def _facts(model: ModelConfig, profile: Profile) -> ModelFacts:
    """What the user says of a model, before what the profile knows of it."""
    known = profile.facts(model.id)
    return replace(
        known,
        vision=known.vision if model.vision is None else model.vision,
        thinking=known.thinking if model.thinking is None else model.thinking,
        thinking_off=known.thinking_off if model.thinking_off is None else model.thinking_off,
    )


def _models(
    config: GatewayConfig, patterns: tuple[str, ...], chosen: Mapping[str, GatewayConfig]
) -> list[ModelConfig]:
    own = [model for model in config.models if _matches(model.id, patterns)]
    everywhere = [model.id for each in chosen.values() for model in each.models]
    extra = [
        pattern
        for pattern in patterns
        if not set(pattern) & set("*?[") and not any(fnmatchcase(model, pattern) for model in everywhere)
    ]
    return own + [ModelConfig(id=model) for model in extra]


def _looped(config: GatewayConfig, patterns: tuple[str, ...]) -> list[ModelConfig]:
    """The models that lead to our mirror, those that are wanted."""
    loop = loops(config)
    if loop is None:
        return []
    wanted = [model for model in loop.models if _matches(model, patterns)]
    return [ModelConfig(id=model, vision=loop.vision, thinking=loop.thinking) for model in wanted]


def _mirror(config: GatewayConfig, model: str) -> Literal["", "built-in", "loopback"]:
    if config.kind == "embedded" and config.providers is None:
        return "built-in"
    return "loopback" if config.loopback is not None and model in config.loopback.models else ""


def _definition(canary: CanaryConfig, binding: Binding) -> Definition:
    if canary.use is not None:
        return binding.definitions[canary.use]
    scenario = canary.scenario or ""
    like = next((each for each in binding.definitions.values() if each.scenario == scenario), None)
    if like is None:
        return _own(scenario)
    return like.model_copy(update={"models": ("*",), "params": {}, "profile": None})


def _own(scenario: str) -> Definition:
    """What holds for people's own checks, of which none are shipped, until the canary says otherwise."""
    return Definition(
        scenario=scenario,
        help=scenario,
        severity="warning",
        every=600.0,
        dialects=SCENARIOS[scenario].dialects,
        stream=(False,),
    )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
