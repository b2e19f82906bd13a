"""Collects what a target dialect cannot say while an ask or reply is written in it."""

from collections.abc import Iterable, Mapping
from typing import Any

from llm_canaries.wire.clip import clipped
from llm_canaries.wire.exchange import Loss
from llm_canaries.wire.json import Object
from llm_canaries.wire.message import Extra, Opaque, Part

AROUND = "around"
"""The key of `extra` under which fields stand that chat keeps beside a nested object, not inside it."""


_LONGEST = 80  # characters of a name that strangers chose


class Losses:
    """The declared losses of one writing: from `source`'s words into `target`'s."""

    __slots__ = ("_found", "same", "source")

    def __init__(self, source: str, target: str) -> None:
        self.source = source
        self.same = source == target
        self._found: list[Loss] = []

    def add(self, where: str, what: str) -> None:
        """Declares that `what` at `where` was not said, or was said otherwise."""
        self._found.append(Loss(where, what))

    def part(self, where: str, part: Part) -> None:
        """Declares that `part` was not said."""
        self.add(where, f"opaque {_kind(part.block)}" if isinstance(part, Opaque) else type(part).__name__.lower())

    def tool(self, tool: Opaque) -> None:
        """Declares that `tool`, which only its own dialect knows, was not said."""
        self.add("tools", f"tool of type {_kind(tool.block)}")

    def plain(self, where: str) -> None:
        """Declares that a refusal is said as any other words are."""
        self.add(where, "refusal, said as text")

    def unsaid(self, where: str, extra: Extra) -> None:
        """Declares that no key of `extra` was said, whoever spoke."""
        beside = extra.get(AROUND)
        for key, value in (*extra.items(), *(beside.items() if isinstance(beside, Mapping) else ())):
            if key != AROUND and value is not None:
                self.add(where, f"field {key}")

    def take(self, lost: Iterable[Loss]) -> None:
        """Declares what was `lost` elsewhere."""
        self._found += lost

    def extra(self, where: str, extra: Extra) -> Object:
        """`extra` when both sides speak one dialect; otherwise nothing, and a loss for every key."""
        if not extra:
            return {}
        if self.same:
            return dict(extra)
        self.unsaid(where, extra)
        return {}

    @property
    def found(self) -> tuple[Loss, ...]:
        """The losses declared so far, in order."""
        return tuple(self._found)


def _kind(block: Extra) -> str:
    """What a block calls itself, or what it holds."""
    type = block.get("type")
    return clipped(type if isinstance(type, str) and type else ", ".join(block) or "nothing", _LONGEST)


def under(name: str, said: Mapping[str, Any]) -> Object:
    """`said` as fields of an `extra`, each with `name` before it, so that each is a loss of its own elsewhere."""
    return {f"{name}.{key}": value for key, value in said.items()}


def back_under(name: str, extra: Object) -> Object:
    """What `under` made of fields, taken out of `extra`."""
    start = f"{name}."
    return {key[len(start) :]: extra.pop(key) for key in list(extra) if key.startswith(start)}
