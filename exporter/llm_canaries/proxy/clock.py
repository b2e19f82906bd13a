"""The two clocks that everything with I/O is handed."""

from collections.abc import Callable

from msgspec import Struct


class Clock(Struct, frozen=True):
    """`monotonic` measures durations, `wall` tells Unix time; both in seconds."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]
