"""The event loop of the commands: uvloop where there is one."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, or None for the standard loop (Windows has no uvloop)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
