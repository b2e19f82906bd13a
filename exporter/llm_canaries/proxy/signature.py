"""The signature by which a deployed gateway knows our asks from those of somebody who only claims to be us.

`X-Canary-Signature: t=1765000000,m=cnry-abcdefghij,v1=…`: seconds since 1970, the mark of the ask (empty where it has
none), and the HMAC-SHA256, in hex, of five lines: t, m, the method, the target as in the request line, and the SHA-256
of the body in hex. A verifier refuses one that is more than five minutes old.
"""

import hmac
from collections.abc import Callable
from hashlib import sha256

from llm_canaries.wire.headers import Headers

HEADER = "x-canary-signature"
OURS = "x-canary-"
"""How all headers begin that are between us and a gateway, and no provider's matter."""

Sign = Callable[[str, str, bytes, str], Headers]
"""The headers for a method, a target, a body, and a mark."""


def unsigned(method: str, target: str, body: bytes, mark: str) -> Headers:
    """No headers: there is no key."""
    return ()


def signer(key: str, now: Callable[[], float]) -> Sign:
    """Signs with `key` at the time of asking (Unix time); nothing where it is empty."""
    secret = key.encode()

    def sign(method: str, target: str, body: bytes, mark: str) -> Headers:
        at = int(now())
        said = "\n".join((str(at), mark, method, target, sha256(body).hexdigest()))
        return ((HEADER, f"t={at},m={mark},v1={hmac.new(secret, said.encode(), sha256).hexdigest()}"),)

    return sign if secret else unsigned
