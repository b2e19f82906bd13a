"""What the door itself says no with: an error in the client's own dialect."""

import math

from aiohttp import web

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault import Fault, FaultReason

R = FaultReason

WRONG_KEY = Fault(reason=R.AUTH, status=401, message="no key that this proxy knows; ask its operator for one")
GARBLED = Fault(reason=R.BAD_REQUEST, status=400, message="the body is not in the encoding that content-encoding names")


def refusal(dialect: str, fault: Fault) -> web.Response:
    """`fault` as an answer in `dialect`; a status that somebody else said stays, and so does the wait."""
    status, body = DIALECTS[dialect].write_fault(fault)
    if fault.status is not None and fault.status >= 400:
        status = fault.status
    headers = {"content-type": "application/json"}
    if fault.retry_after is not None:
        headers["retry-after"] = str(math.ceil(fault.retry_after))
    return web.Response(status=status, body=body, headers=headers)


def too_large(limit: int) -> Fault:
    """A request of more than `limit` bytes."""
    return Fault(reason=R.TOO_LARGE, status=413, message=f"the request is larger than {limit} bytes")


def too_slow(seconds: float) -> Fault:
    """A request that did not come to its end within `seconds`."""
    return Fault(reason=R.BAD_REQUEST, status=408, message=f"the request did not come whole within {seconds:g} s")


def no_page(method: str, path: str) -> Fault:
    """Nothing is served there."""
    message = f"nothing is served at {method} {path[:200]}"
    return Fault(reason=R.BAD_REQUEST, status=404, code="not_found", message=message)
