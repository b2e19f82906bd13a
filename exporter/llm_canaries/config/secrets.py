"""Secrets kept out of what is written: known values in every usual form, and what looks like a key."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import quote, quote_plus

from llm_canaries.config.lookalikes import MASK, mask_lookalikes
from llm_canaries.config.schema import Config
from llm_canaries.wire.clip import CUT

SHORTEST = 4  # characters; anything shorter would mask ordinary words
MOST_LEARNED = 64  # secrets learned on the way; each token file renews its own every hour or so

_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-canary-signature"})
_WORDS = ("token", "secret", "key", "password")
_WORD = re.compile(r"[a-z]{1,12}")  # `huggingface`; a key is longer


class Redactor:
    """Text without secrets: every known value of four characters or more, and whatever looks like a key."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = _sorted(form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret))
        self._learned: deque[frozenset[str]] = deque(maxlen=MOST_LEARNED)

    def learn(self, secret: str) -> None:
        """Takes out `secret` as well from now on: a token that was read from a file while the program ran.

        Of many the oldest are forgotten; they have long expired.
        """
        if len(secret) >= SHORTEST and (forms := frozenset(_forms(secret))) not in self._learned:
            self._learned.append(forms)

    def __call__(self, text: str) -> str:
        """The text with every secret as `***`, and keys nobody told of as their first characters and `***`."""
        return mask_lookalikes(self.known(text))

    def known(self, text: str) -> str:
        """The text with the known values as `***`, also what a cut has left of one; where two overlap both are gone."""
        learned = tuple(self._learned)  # another thread may learn meanwhile
        known = self._forms if not learned else _sorted((*self._forms, *chain.from_iterable(learned)))
        spans = sorted(span for form in known for span in (*_spans(text, form), *_halves(text, form)))
        parts: list[str] = []
        end = 0
        for start, stop in spans:
            if start >= end:
                parts += text[end:start], MASK
            end = max(end, stop)
        return "".join((*parts, text[end:]))

    def redact_headers(self, pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Headers without secrets, those of innocent names searched too."""
        return tuple((name, self(value)) for name, value in redact_headers(pairs))


def redact_headers(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Headers with the values of those that hold credentials as `***`, told by their names."""
    return tuple((name, MASK if is_secret_header(name) else value) for name, value in pairs)


def is_secret_header(name: str) -> bool:
    """Whether a header of this name holds a credential; `x-ratelimit-remaining-tokens` holds a count."""
    lower = name.strip().lower().replace("portkey", "")  # a gateway, whose name holds a word of ours
    if "ratelimit" in lower.replace("-", ""):
        return False
    return lower in _HEADERS or any(word in lower for word in _WORDS)


def secrets_of(config: Config) -> tuple[str, ...]:
    """Every secret value in a configuration: keys of gateways, providers and clients, the key that
    signs, headers, URLs that hold keys.

    An ordinary word in a header is none: `x-portkey-provider: openai` would mask half an answer.
    """
    found: list[str] = []
    for gateway in config.gateways.values():
        providers = (gateway.providers or {}).values()
        keys = [gateway.api_key, *(provider.api_key for provider in providers)]
        keys += [each.api_key for provider in providers for each in provider.credentials or ()]
        found += [key.get_secret_value() for key in keys if key is not None]
        headers = ((name, value.get_secret_value()) for name, value in gateway.headers.items())
        found += [value for name, value in headers if not is_ordinary(name, value)]
    found += [receiver.url.get_secret_value() for receiver in config.receivers.values()]
    found += [key.get_secret_value() for key in config.proxy.client_keys or ()]
    if config.mirror is not None:
        found.append(config.mirror.key.get_secret_value())
    if config.mark is not None:
        found.append(config.mark.key.get_secret_value())
    if config.heartbeat is not None:
        found.append(config.heartbeat.url.get_secret_value())
    return tuple(dict.fromkeys(found))


def is_ordinary(name: str, value: str) -> bool:
    """Whether a header holds an ordinary word under an innocent name."""
    return not is_secret_header(name) and "auth" not in name.lower() and _WORD.fullmatch(value) is not None


def _sorted(forms: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(forms), key=lambda form: (-len(form), form)))


def _forms(secret: str) -> Iterator[str]:
    """The secret as it stands, in a URL, in JSON, and in base64 at each of the three alignments."""
    yield secret
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    for ascii_only in (True, False):
        escaped = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")
        yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]
    data = secret.encode("utf-8", "surrogatepass")
    for code in (b64encode(data).decode(), urlsafe_b64encode(data).decode()):
        yield code
        yield code.rstrip("=")
    for lead in range(3):
        code = b64encode(b"\0" * lead + data).decode()
        # The characters at both ends also hold bits of the neighbours.
        first, last = -(-lead * 8 // 6), (lead + len(data)) * 8 // 6
        core = code[first:last]
        if len(core) >= SHORTEST + 1:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def _halves(text: str, form: str) -> Iterator[tuple[int, int]]:
    """What cuts have left of `form`: its beginning before a mark, its end after one, a piece between two."""
    cut = text.find(CUT)
    while cut >= 0:
        start = text.find(form[:SHORTEST], max(0, cut - len(form) + 1), cut)
        while start >= 0 and not form.startswith(text[start:cut]):
            start = text.find(form[:SHORTEST], start + 1, cut)
        if start >= 0:
            yield start, cut
        stop = text.rfind(form[-SHORTEST:], cut + 1, cut + len(form))
        while stop >= 0 and not form.endswith(text[cut + 1 : stop + SHORTEST]):
            stop = text.rfind(form[-SHORTEST:], cut + 1, stop + SHORTEST - 1)
        if stop >= 0:
            yield cut + 1, stop + SHORTEST
        following = text.find(CUT, cut + 1)
        if SHORTEST < following - cut < len(form) and text[cut + 1 : following] in form:
            yield cut + 1, following
        cut = following


def _spans(text: str, form: str) -> Iterator[tuple[int, int]]:
    start = text.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = text.find(form, start + 1)
