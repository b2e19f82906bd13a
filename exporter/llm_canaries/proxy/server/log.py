"""What our servers log: our own faults, and nothing of what strangers say that is no HTTP."""

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError


def server_log() -> logging.Logger:
    """Aiohttp's own log of servers; a client that is answered with 400 is no error here, and no traceback."""
    log = logging.getLogger("aiohttp.server")
    log.addFilter(_own)  # the same one again changes nothing
    return log


def _own(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)
