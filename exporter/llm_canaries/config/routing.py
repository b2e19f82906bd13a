"""What the providers of a gateway must be as a whole: keys in one place, names that do not hide each other."""

from collections.abc import Mapping

from llm_canaries.config.problems import Path, Problems, allowed, plain, quoted

Data = Mapping[str, object]

EMBEDDED_ONLY = ("providers", "pins", "force_model_prefix", "breaker", "retries")

_POLICY_KEYS = {"threshold": ("failures", "timeout", "probes"), "tiered": ("cap",)}


def check_routing(gateway: Data, path: Path, problems: Problems) -> None:
    """Each provider has its keys in one place, no name means two things, and pins name providers."""
    providers = _mapping(gateway.get("providers"))
    for name, provider in providers.items():
        if isinstance(provider, dict):
            at = (*path, "providers", name)
            _check_keys(provider, at, problems)
            _check_aliases(provider, at, problems)
            _check_prefix(provider, name, providers, at, problems)
    for workload, pinned in _mapping(gateway.get("pins")).items():
        place = (*path, "pins", workload)
        if isinstance(pinned, str) and pinned not in providers:
            shown = problems.shown(place, pinned)
            message = f"{shown} is not a provider of this gateway; {allowed(pinned, providers)}"
            problems.add(place, problems.told(place, message))
    _check_breaker(_mapping(gateway.get("breaker")), (*path, "breaker"), problems)


def _check_keys(provider: Data, path: Path, problems: Problems) -> None:
    several = provider.get("credentials")
    if several is None:
        return
    for key in ("api_key", "token_file"):
        if key in provider:
            message = f"`{key}` and `credentials` exclude each other; move it into the list"
            problems.add((*path, key), message, key=True)
    aliases: dict[str, int] = {}
    for index, credential in enumerate(several if isinstance(several, list) else ()):
        place = (*path, "credentials", index)
        if not isinstance(credential, dict):
            continue
        if "api_key" not in credential and "token_file" not in credential:
            problems.add(place, problems.told(place, "missing key `api_key` or `token_file`; write one of them"))
        alias = credential.get("alias")
        if not isinstance(alias, str):
            continue
        if alias in aliases:
            at = (*place, "alias")
            taken = f"{problems.shown(at, alias)} is already a credential, on line {aliases[alias]}"
            message = f"{taken}; write another name"
            problems.add(at, problems.told(at, message))
        aliases.setdefault(alias, problems.line((*place, "alias")))


def _check_aliases(provider: Data, path: Path, problems: Problems) -> None:
    """An alias is no model of its own provider, for then one of the two could not be asked for."""
    aliases = _mapping(provider.get("aliases"))
    targets = {alias: _target(value) for alias, value in aliases.items()}
    models = provider.get("models")
    own = {model for model in models if isinstance(model, str)} if isinstance(models, list) else set()
    for alias, target in targets.items():
        place = (*path, "aliases", alias)
        if target == alias:
            message = f"{quoted(alias)} stands for itself; remove it"
        elif alias in own or alias in targets.values():
            message = f"{quoted(alias)} is also a model of this provider, which the alias hides; write another name"
        else:
            continue
        problems.add(place, problems.told(place, message), key=True)


def _check_prefix(provider: Data, name: str, providers: Data, path: Path, problems: Problems) -> None:
    prefix, place = provider.get("prefix"), (*path, "prefix")
    if isinstance(prefix, str) and prefix != name and prefix in providers:
        message = f"{problems.shown(place, prefix)} is also a provider, and `{plain(prefix)}/model` means that one"
        problems.add(place, problems.told(place, f"{message}; write another prefix"))


def _check_breaker(breaker: Data, path: Path, problems: Problems) -> None:
    policy = breaker.get("policy", "threshold")
    for other, keys in _POLICY_KEYS.items():
        if not isinstance(policy, str) or policy not in _POLICY_KEYS or other == policy:
            continue
        for key in keys:
            if key in breaker:
                message = f"`{key}` is not for the policy {quoted(policy)}; remove it, or write `policy: {other}`"
                problems.add((*path, key), message, key=True)


def _target(value: object) -> object:
    return value.get("model") if isinstance(value, dict) else value


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
