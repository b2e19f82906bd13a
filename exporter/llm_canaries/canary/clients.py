"""Clients and the variables by which they find their gateway: what an environment means to each, no secret in it."""

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

Problem = Literal["no_base_url", "bad_base_url", "no_key"]


class Key(Struct, frozen=True):
    """A variable that holds a key, and the header in which the client sends it."""

    name: str
    header: str = "authorization"


class Route(Struct, frozen=True, kw_only=True):
    """How a client reads one base URL: what it adds to it, in which dialect it speaks, which keys it takes."""

    url: str
    keys: tuple[Key, ...]
    dialect: str
    path: str


_OPENAI = (Key("OPENAI_API_KEY"),)
_CHAT, _CHAT_PATH = "openai_chat", "/chat/completions"

_AMP_PATH = "/api/provider/openai/v1/chat/completions"

# the first route whose variable is there is the one that the client takes
CLIENTS: Mapping[str, tuple[Route, ...]] = {
    # Amp itself adds the provider to AMP_URL (CLIProxyAPI's docs/amp-cli-integration.md, gone with v7.2.0); runbooks
    # have it speak as an OpenAI client
    "amp": (
        Route(url="AMP_URL", keys=(Key("AMP_API_KEY"),), dialect=_CHAT, path=_AMP_PATH),
        Route(url="OPENAI_API_BASE", keys=_OPENAI, dialect=_CHAT, path=_CHAT_PATH),
    ),
    "openai": (
        Route(url="OPENAI_BASE_URL", keys=_OPENAI, dialect=_CHAT, path=_CHAT_PATH),
        Route(url="OPENAI_API_BASE", keys=_OPENAI, dialect=_CHAT, path=_CHAT_PATH),
    ),
    "codex": (Route(url="OPENAI_BASE_URL", keys=_OPENAI, dialect="openai_responses", path="/responses"),),
    "claude": (
        Route(
            url="ANTHROPIC_BASE_URL",
            keys=(Key("ANTHROPIC_API_KEY"), Key("ANTHROPIC_AUTH_TOKEN")),  # both as bearers (Anthropic's SDK 2.15)
            dialect="anthropic_messages",
            path="/v1/messages",
        ),
    ),
    "gemini": (
        Route(
            url="GOOGLE_GEMINI_BASE_URL",
            keys=(Key("GEMINI_API_KEY", "x-goog-api-key"), Key("GOOGLE_API_KEY", "x-goog-api-key")),
            dialect="gemini",
            path="/v1beta/models/{model}:generateContent",
        ),
    ),
}


class Aim(Struct, frozen=True, kw_only=True):
    """Where a client's environment leads; nothing in it is secret.

    `origin` is scheme, host and port, `path` what the client asks for there. `problem` is why it leads nowhere, and
    `detail` says so. `gateway` are the origins at which the gateway is.
    """

    client: str
    dialect: str
    variable: str = ""
    origin: str = ""
    path: str = ""
    problem: Problem | None = None
    detail: str = ""
    gateway: tuple[str, ...] = ()

    @property
    def hits(self) -> bool:
        """Whether it leads to the gateway."""
        return any(same_origin(self.origin, each) for each in self.gateway)


def routes(client: str, url_names: tuple[str, ...] = (), key_names: tuple[str, ...] = ()) -> tuple[Route, ...]:
    """The routes of `client`, read from other variables where names are given."""
    own = CLIENTS[client]
    keys = tuple(Key(name, own[0].keys[0].header) for name in key_names)
    if not url_names:
        return tuple(Route(url=each.url, keys=keys or each.keys, dialect=each.dialect, path=each.path) for each in own)
    last = own[-1]
    return tuple(Route(url=name, keys=keys or last.keys, dialect=last.dialect, path=last.path) for name in url_names)


def taken(environ: Mapping[str, str], choices: tuple[Route, ...]) -> Route:
    """The route that a client with `environ` takes; the first where none of its variables is there."""
    return next((route for route in choices if route.url in environ), choices[0])


def key_of(environ: Mapping[str, str], route: Route) -> tuple[str, str] | None:
    """The header of the first key that is there, with its value; None where none is."""
    for key in route.keys:
        if value := environ.get(key.name, "").strip():
            return key.header, f"Bearer {value}" if key.header == "authorization" else value
    return None


def aim_of(
    client: str, environ: Mapping[str, str], choices: tuple[Route, ...], gateway: tuple[str, ...], model: str
) -> Aim:
    """Where `environ` leads a client that has these `choices`; `gateway` are the gateway's URLs."""
    route = taken(environ, choices)
    names = list(dict.fromkeys(each.url for each in choices))
    origins = tuple(origin for url in gateway if (origin := origin_of(url)))
    own = Aim(client=client, dialect=route.dialect, variable=route.url, gateway=origins)

    def wrong(problem: Problem, detail: str) -> Aim:
        return Aim(
            client=client, dialect=route.dialect, variable=route.url, gateway=origins, problem=problem, detail=detail
        )

    if route.url not in environ:
        unset = f"{names[0]} is not" if len(names) == 1 else f"neither {' nor '.join(names)} is"
        return wrong("no_base_url", f"{unset} set, so the client asks its maker")
    url = environ[route.url].strip()
    if not url:
        return wrong("no_base_url", f"{route.url} is empty, so the client asks its maker")
    origin = origin_of(url)
    if not origin:
        return wrong("bad_base_url", f"{route.url} is not a base URL such as http://127.0.0.1:8317/v1")
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return wrong("bad_base_url", f"{route.url} holds credentials; the key belongs into {_or(route)}")
    if parts.query or parts.fragment:
        return wrong("bad_base_url", f"{route.url} has a query or a fragment, to which no path can be added")
    if key_of(environ, route) is None:
        return wrong("no_key", f"{_or(route)} is not set, or empty")
    path = parts.path.rstrip("/") + route.path.replace("{model}", model)
    return Aim(client=own.client, dialect=own.dialect, variable=own.variable, origin=origin, path=path, gateway=origins)


def origin_of(url: str) -> str:
    """Scheme, host and port of an http URL, never its credentials; empty for anything else."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname or not _HOST.fullmatch(parts.hostname):
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}"


def same_origin(one: str, other: str) -> bool:
    """Whether two origins are one; every name of this machine is the same."""
    return bool(one) and _plain(one) == _plain(other)


def read_environment(text: str) -> dict[str, str]:
    """The variables of a file of `NAME=value` lines, with `export` and quotes as shells and systemd have them."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            name, value = match.groups()
            quoted = len(value) >= 2 and value[0] in "'\"" and value[-1] == value[0]
            found[name] = value[1:-1] if quoted else value
    return found


_HOST = re.compile(r"[\w.:-]+")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(.*?)\s*")
_PORTS = {"http": 80, "https": 443}
_LOCAL = re.compile(r"^(https?://)(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)$")


def _plain(origin: str) -> str:
    return _LOCAL.sub(r"\1localhost\3", origin.lower())


def _or(route: Route) -> str:
    return " or ".join(key.name for key in route.keys)
