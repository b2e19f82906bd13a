"""BASE and HEAD of a comparison: gateways of a configuration, URLs, or whole configurations."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.canary import Case
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.config.problems import listed
from llm_canaries.config.schema import CanaryConfig, GatewayConfig, ModelConfig
from llm_canaries.config.values import Refused, check_url
from llm_canaries.service.settings import Settings, read_settings

OWN = "it"  # the name of a gateway of which only the URL is known


class Side(Struct, frozen=True, kw_only=True):
    """One side: what the user called it, its settings, and the gateway's name there (empty: all of a file's)."""

    given: str
    settings: Settings
    gateway: str = ""

    def cases(self, wanted: Wanted) -> list[Case]:
        """The cases of this side that are wanted."""
        own = (self.gateway,) if self.gateway else ()
        return cases(self.settings.config, self.settings.binding, replace(wanted, gateways=own))


class Given(Struct, frozen=True, kw_only=True):
    """What the command line says: BASE, HEAD, `--config`, `--gateway` and models to ask for."""

    base: str
    head: str
    config: str | None
    like: str
    models: tuple[str, ...]


def sides(given: Given, environ: Mapping[str, str]) -> tuple[Side, Side]:
    """Base and head. Raises ConfigError with what is wrong in a file, Refused with what is wrong with an argument."""
    files = [_is_file(each) for each in (given.base, given.head)]
    if all(files):
        if given.config is not None:
            raise Refused("--config is for gateways' names and URLs; two files say all there is to say")
        return _file(given.base, environ), _file(given.head, environ)
    if any(files):
        other = given.head if files[0] else given.base
        raise Refused(f"`{other}` is not a configuration file; compare two files, or names and URLs of gateways")
    settings = read_settings(given.config, environ)
    return _gateway(given.base, given, settings), _gateway(given.head, given, settings)


def pairing(base: Side, head: Side) -> Callable[[Case], object]:
    """What makes two cases the same; of files with several gateways each, the gateway's name as well."""
    several = not (base.gateway and head.gateway)
    return lambda case: (case.canary, case.model, case.dialect, case.stream, case.gateway if several else "")


def _is_file(given: str) -> bool:
    return not _is_url(given) and (given.endswith((".yml", ".yaml")) or "/" in given or Path(given).is_file())


def _is_url(given: str) -> bool:
    return given.startswith(("http://", "https://"))


def _file(given: str, environ: Mapping[str, str]) -> Side:
    settings = read_settings(given, environ)
    names = list(settings.config.gateways)
    return Side(given=given, settings=settings, gateway=names[0] if len(names) == 1 else "")


def _gateway(given: str, all_given: Given, settings: Settings) -> Side:
    """A gateway of the configuration; a URL is one that is like another of it in all else, its key included."""
    gateways = settings.config.gateways
    if not _is_url(given):
        if given not in gateways:
            raise Refused(f"`{given}` is no gateway; configured: {listed(gateways)}; or give a URL, or two files")
        return _only(given, given, gateways[given], all_given, settings)
    try:
        check_url(given)
    except Refused as refused:
        raise Refused(f"`{given}` {refused}") from None
    name = _template(given, all_given, settings)
    if not name and not all_given.models:
        raise Refused(f"`{given}`: no configured gateway says which models it has; add --model ID or --config FILE")
    return _only(given, name or OWN, _at(given, gateways.get(name), all_given.models), all_given, settings)


def _at(url: str, like: GatewayConfig | None, models: tuple[str, ...]) -> GatewayConfig:
    """The gateway at `url`, in all else as `like` is; an embedded one has no URL, and lends its models."""
    if like is not None and like.url is not None:
        return like.model_copy(update={"url": url})
    known = like.models if like is not None else tuple(ModelConfig(id=model) for model in models)
    spoken = like.dialects if like is not None else None
    return GatewayConfig(kind="openai-compatible", url=url, models=known, dialects=spoken)


def _template(given: str, all_given: Given, settings: Settings) -> str:
    """The configured gateway that a URL is like: the other side, the one that is named, or the only one with a URL."""
    gateways = settings.config.gateways
    if all_given.like and all_given.like not in gateways:
        raise Refused(f"--like {all_given.like}: no such gateway; configured: {listed(gateways)}")
    other = all_given.head if given == all_given.base else all_given.base
    named = [name for name in (all_given.like, other) if name in gateways]
    deployed = named or [name for name, gateway in gateways.items() if gateway.url is not None]
    if len(deployed) > 1 and not named:
        raise Refused(f"`{given}`: which gateway is it like? add --like with one of {listed(deployed)}")
    return deployed[0] if deployed else ""


def _only(given: str, name: str, gateway: GatewayConfig, all_given: Given, settings: Settings) -> Side:
    """A side with one gateway, and with the canaries of either side's: both are to be asked the same."""
    bound = {None, name, all_given.base, all_given.head}
    canaries = settings.config.canaries
    if canaries is not None:
        kept = [each.model_copy(update={"gateway": None}) for each in canaries if each.gateway in bound]
        canaries = tuple(_distinct(kept))
    gateways = settings.config.gateways | {name: gateway}
    config = settings.config.model_copy(update={"gateways": gateways, "canaries": canaries})
    return Side(given=given, settings=replace(settings, config=config), gateway=name)


def _distinct(canaries: list[CanaryConfig]) -> list[CanaryConfig]:
    found: list[CanaryConfig] = []
    for each in canaries:
        if each not in found:
            found.append(each)
    return found
