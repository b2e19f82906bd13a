"""Which call a result answers: Gemini's own calls often have no id; they get one, and lose it on the way back."""

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType

NO_ID: Mapping[str, None] = MappingProxyType({"id": None})
"""In `extra`: the id is ours, not the client's. Null counts as absence, so no other dialect calls it a loss."""

_ODD = re.compile(r"[^A-Za-z0-9_-]")  # Messages takes no other characters in an id
_LETTERS = 16  # of the name: chat takes ids of up to 40


class Calls:
    """The calls of one conversation or answer in order; ids are a function of position, name and `seed` alone."""

    def __init__(self, seed: str = "") -> None:
        self._seed = hashlib.sha256(seed.encode()).hexdigest()[:8] + "_" if seed else ""
        self._count = 0
        self._open: list[tuple[str, str]] = []
        self.names: dict[str, str] = {}

    def called(self, id: str, name: str) -> str:
        """The id of a call of `name`: its own, or one made for it."""
        given = id or self._made(name)
        self._count += 1
        self._open.append((given, name))
        self.names[given] = name
        return given

    def answered(self, id: str, name: str) -> str:
        """The id of the call that a result answers: without one of its own, the first open call of that name."""
        wanted, place = (id, 0) if id else (name, 1)
        at = next((at for at, call in enumerate(self._open) if call[place] == wanted), None)
        if at is not None:
            return self._open.pop(at)[0]
        self._count += 1
        return id or self._made(name)

    def turn(self) -> None:
        """The model speaks again: what was not answered by now never will be."""
        self._open.clear()

    def _made(self, name: str) -> str:
        return f"call_{self._seed}{self._count}_{_ODD.sub('_', name)[:_LETTERS]}"
