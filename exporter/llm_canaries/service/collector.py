"""Python's garbage collector, kept from pausing the probes' clocks."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 20_000  # new objects between two young collections; the default of 700 makes full ones frequent


def quieten_collector() -> None:
    """Takes all that was built at the start out of later collections, and makes those rare.

    A full collection over a large configuration stops the event loop for tens of milliseconds, and every latency
    measured meanwhile is wrong by as much.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 100)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Nothing is collected meanwhile: what thousands of rules are made of, once it is full, would pause the loop."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
