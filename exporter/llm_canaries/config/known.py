"""What the house above the configuration offers, handed down: names and parameter types."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from llm_canaries.config.problems import Path


class Known(Struct, frozen=True, kw_only=True):
    """The names that a configuration may use.

    `scenarios` maps a scenario to the Struct of its params. `plays` maps a definition to its scenario: with it
    the params of a canary that uses a definition are checked when the file loads, not only when they are merged.
    `least_every` is the shortest interval in seconds of the scenarios that have one. `looped` are the scenarios that
    need our mirror behind the gateway. `serves` tells whether an embedded gateway's configuration leads a model
    anywhere. `ways` is how a scenario asks for streams: `either`, `both`, `streamed` or `whole`. `impossible` tells of
    canaries that are bound to what they can never be asked of.
    """

    kinds: frozenset[str]
    dialects: frozenset[str]
    profiles: frozenset[str]
    scenarios: Mapping[str, type[msgspec.Struct]]
    definitions: frozenset[str]
    plays: Mapping[str, str] = {}
    least_every: Mapping[str, float] = {}
    looped: frozenset[str] = frozenset()
    serves: Callable[[Any, str], bool] = lambda gateway, model: True
    ways: Mapping[str, str] = {}
    impossible: Callable[[Any], Iterable[tuple[Path, str]]] | None = None
