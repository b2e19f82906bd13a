"""What a gateway's twin must be: an embedded gateway of the same file that serves the same models."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import ValidationError

from llm_canaries.config.known import Known
from llm_canaries.config.problems import Path, Problems, allowed, listed, plain, quoted
from llm_canaries.config.schema import GatewayConfig

Data = Mapping[str, object]

_EMBEDDED = "embedded"


def check_twins(gateways: Data, known: Known, problems: Problems) -> None:
    """Each `twin` is there, is embedded, is another gateway, and serves the models of the one it is the twin of."""
    for name, gateway in gateways.items():
        if not isinstance(gateway, dict) or not isinstance(twin := gateway.get("twin"), str):
            continue
        place: Path = ("gateways", name, "twin")
        if (wrong := _unfit(name, twin, gateways, problems.shown(place, twin))) is not None:
            problems.add(place, problems.told(place, wrong), key=gateway.get("kind") == _EMBEDDED)
        elif not problems.spoiled(place):
            _check_models(gateway, ("gateways", name, "models"), gateways[twin], twin, known, problems)


def check_connectivity(data: Data, problems: Problems) -> None:
    """What tells whether our own network is up lies beyond this machine."""
    urls = data.get("connectivity")
    for index, url in enumerate(urls if isinstance(urls, list) else ()):
        place: Path = ("connectivity", index)
        if isinstance(url, str) and not problems.spoiled(place) and is_loopback(host_of(url)):
            message = f"{problems.shown(place, url)} is this machine; write URLs that lie beyond it"
            problems.add(place, problems.told(place, message))


def host_of(url: str) -> str:
    """The host that `url` names, empty where it names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by its name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")


def _unfit(name: str, twin: str, gateways: Data, shown: str) -> str | None:
    """Why `twin` cannot be the twin of the gateway `name`, None where it can."""
    own, other = gateways[name], gateways.get(twin)
    embedded = [each for each, its in gateways.items() if isinstance(its, dict) and its.get("kind") == _EMBEDDED]
    if isinstance(own, dict) and own.get("kind") == _EMBEDDED:
        return "`twin` is not for gateways of kind `embedded`; remove it, they ask their providers directly"
    if twin == name:
        others = listed(embedded) or "there is none"
        return f"{shown} is this gateway itself; write the name of an embedded one: {others}"
    if not isinstance(other, dict):
        return f"{shown} is not a gateway; {allowed(twin, embedded)}"
    if isinstance(other.get("kind"), str) and other["kind"] != _EMBEDDED:
        return f"{shown} is of kind {quoted(other['kind'])}; write the name of a gateway of kind `embedded`"
    return None


def _check_models(own: Data, path: Path, other: object, twin: str, known: Known, problems: Problems) -> None:
    try:
        config = GatewayConfig.model_validate(other, context=known)
    except ValidationError:
        return  # told of at the twin
    models = own.get("models")
    for index, model in enumerate(models if isinstance(models, list) else ()):
        place: Path = (*path, index, "id") if isinstance(model, dict) else (*path, index)
        id = model.get("id") if isinstance(model, dict) else model
        if not isinstance(id, str) or not id or problems.spoiled(place) or known.serves(config, id):
            continue
        message = f"{problems.shown(place, id)} leads nowhere at twin `{plain(twin)}`; add it there to the `models` or"
        problems.add(place, problems.told(place, f"{message} `aliases` of a provider"))
