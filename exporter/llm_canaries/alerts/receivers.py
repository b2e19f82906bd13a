"""Where flips go: a receiver is one Apprise URL; whether it can be understood is told without showing it."""

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from msgspec import Struct

from llm_canaries.alerts.services import load
from llm_canaries.config.schema import Config
from llm_canaries.config.secrets import Redactor

if TYPE_CHECKING:
    from apprise import Apprise, NotifyBase

_SCHEME: Final = re.compile(r"([a-zA-Z0-9]{1,32})://")
_SEVERAL: Final = re.compile(r"[\s,]+[a-zA-Z0-9]{1,32}://")
PATIENCE: Final = 3  # timeouts until a connection is given up: an answer that comes late spares a second message
_WORDS: Final = 300  # characters of an error


class Outcome(StrEnum):
    """What became of one attempt; DEAD is said in addition where no other follows and none succeeded."""

    SUCCESS = "success"
    FAILURE = "failure"
    PARTIAL = "partial"
    TIMEOUT = "timeout"
    NOMATCH = "nomatch"
    DEAD = "dead"


class Sent(Struct, frozen=True):
    """One attempt: what became of it, and in which words it failed, free of secrets."""

    outcome: Outcome
    error: str = ""


class Receiver(Struct, frozen=True, kw_only=True):
    """One receiver; `url` holds credentials and is never shown, `timeout` is in seconds."""

    name: str
    url: str
    severities: frozenset[str] = frozenset({"warning", "critical"})
    timeout: float = 10.0

    def __repr__(self) -> str:
        return f"Receiver(name={self.name!r}, severities={sorted(self.severities)}, timeout={self.timeout:g})"


def receivers_of(config: Config) -> dict[str, Receiver]:
    """The receivers of a configuration, by name."""
    return {
        name: Receiver(
            name=name, url=each.url.get_secret_value(), severities=frozenset(each.severity), timeout=each.timeout
        )
        for name, each in config.receivers.items()
    }


def check(url: str) -> str | None:
    """What is wrong with a receiver's URL, in words that do not show it; None where Apprise understands it.

    The first call loads Apprise: a third of a second in which even a loop in another thread waits up to 40 ms, so a
    sidecar asks before it is ready.
    """
    found = _SCHEME.match(url)
    if found is None:
        return "is not an Apprise URL; write one such as `json://host/path` or `mailto://user:password@host`"
    if _SEVERAL.search(url):
        return "holds more than one URL; write a receiver for each"
    service = _service(url)
    if service is None:
        return _why_not(found[1].lower())
    if service.port is not None and not 0 < service.port < 65536:  # Apprise leaves that to the first message
        return "has a port that cannot be; ports go from 1 to 65535"
    return None


def service_name(url: str) -> str:
    """What Apprise calls the service behind a URL that it understands: `Telegram`, `JSON`."""
    service = _service(url)
    return str(service.service_name) if service is not None else ""


def understood(receiver: Receiver) -> "Apprise | None":
    """Apprise with this one receiver, sending in the thread that asks it to; None where the URL is not understood."""
    from apprise import Apprise, AppriseAsset

    if check(receiver.url) is not None or (service := _service(receiver.url)) is None:
        return None
    if "rto=" not in receiver.url:  # the URL's own word wins
        service.socket_read_timeout = PATIENCE * receiver.timeout
    service.socket_connect_timeout = min(service.socket_connect_timeout, receiver.timeout)
    notifier = Apprise(asset=AppriseAsset(service_timeout=0))
    notifier.add(service)
    return notifier


def without_secrets(receiver: Receiver, text: str) -> str:
    """`text` as one short line in which no part of the receiver's URL is left."""
    _, _, rest = receiver.url.partition("://")
    place, _, query = rest.partition("?")
    parts = re.split(r"[/:@,#\s]+", place) + [pair.partition("=")[2] for pair in query.split("&")]
    secrets = {receiver.url, *parts, *map(unquote, parts)}
    return " ".join(Redactor(secrets)(text).split())[:_WORDS]


def _service(url: str) -> "NotifyBase | None":
    """The Apprise service that a URL means, without a connection; None where there is none."""
    import logging

    import apprise

    # A root handler of ours would print what Apprise says of a URL that it cannot read: the URL.
    logging.getLogger("apprise").propagate = False
    if (found := _SCHEME.match(url)) is not None:
        load(found[1].lower())
    # Without a service_timeout and a mode of its own Apprise sends in the caller's thread; with them, in six threads
    # that all receivers share and that the interpreter waits for at its end. A redirected POST arrives as a GET
    # without the message and counts as success, so redirects are failures unless the URL says `redirect=yes`.
    asset = apprise.AppriseAsset(
        service_timeout=0, storage_mode="memory", async_mode=False, http_redirects=False, app_id="llm-canaries"
    )
    return apprise.Apprise.instantiate(url, asset=asset)


def _why_not(scheme: str) -> str:
    from apprise.plugins import N_MGR as known  # noqa: N811 a table
    if scheme in ("http", "https"):
        secure = "s" if scheme == "https" else ""
        return f"is a web address that no service claims; write `json{secure}://…` to have JSON posted to it"
    if scheme not in known:
        return f"names the service `{scheme}`, which Apprise does not know"
    plugin = known[scheme]
    if not plugin.enabled:
        return f"names the service `{scheme}`, which needs a library that is not installed"
    forms = [form.replace("{schema}", scheme) for form in plugin.templates]
    written = f"; write it as `{min(forms, key=len)}`" if forms else ""
    return f"lacks a part that {plugin.service_name} needs, or has one of the wrong form{written}"
