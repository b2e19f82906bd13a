"""How late a task of this loop is that wants to run every millisecond, the time other processes took not counted."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager
from pathlib import Path


def waited_for_a_core():
    """Seconds that this thread was ready and had no core so far (Linux schedstat), 0 where the system tells nothing."""
    try:
        told = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(told.split()[1]) / 1e9


@asynccontextmanager
async def lateness(every=0.001):
    """A list that fills with how late each turn came, in seconds."""
    late = []

    async def tick():
        then, queued = time.monotonic(), waited_for_a_core()
        while True:
            await asyncio.sleep(every)
            now, stood = time.monotonic(), waited_for_a_core()
            late.append(now - then - every - (stood - queued))
            then, queued = now, stood

    ticking = asyncio.create_task(tick())
    try:
        yield late
    finally:
        ticking.cancel()
