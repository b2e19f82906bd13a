"""Who may come in: the keys that clients show, wherever their SDK puts them."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping


class ClientKeys:
    """The keys that open the door; without any it stands open. Only their digests are kept."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = tuple(_digest(key) for key in keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def admit(self, shown: Iterable[str]) -> bool:
        """Whether one of the keys shown opens the door; it takes as long whichever key it is, or none."""
        if not self._digests:
            return True
        found = False
        for key in shown:
            digest = _digest(key)
            for own in self._digests:
                found |= hmac.compare_digest(digest, own)
        return found


def shown_keys(headers: Mapping[str, str], query: Mapping[str, str]) -> Iterator[str]:
    """Every key that a request shows: as OpenAI's, Anthropic's or Google's clients do, or in `?key=`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        yield token.strip()
    for name in ("x-api-key", "x-goog-api-key"):
        if key := headers.get(name):
            yield key
    if key := query.get("key"):
        yield key


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
