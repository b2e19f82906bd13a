"""Canaries that can never be asked: what the user named and nothing can come of.

A pattern that meets a model which cannot do it skips there; a model, a dialect or a way that a canary names itself is
meant, and silence about it would be no answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm_canaries.canary.canary import Case
from llm_canaries.canary.load import Binding, cells
from llm_canaries.canary.run import unfit
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.params import ParamsError
from llm_canaries.config.problems import Path, plain
from llm_canaries.config.schema import CanaryConfig, Config

_WILD = frozenset("*?[")
_ADVICE = "take it out, or change what stands against it"
_WORDS = {True: "true", False: "false"}


def impossible(config: Config, binding: Binding) -> Iterator[tuple[Path, str]]:
    """Where `config` names something that nothing can come of, and why."""
    for index, canary in enumerate(config.canaries or ()):
        if canary.use is None and canary.scenario is None:
            continue  # told of already
        chosen = [name for name in config.gateways if canary.gateway in (None, name)]
        try:
            found = [case for name in chosen for case in cells(canary, name, config.gateways[name], binding)]
        except ParamsError:
            continue  # told of already
        yield from _of_canary(canary, ("canaries", index), found, chosen)


def objection(case: Case) -> str:
    """Why `case` can never be asked, empty where it can."""
    scenario = SCENARIOS[case.scenario]
    if said := scenario.objection(case):
        return said
    finding = unfit(case, scenario)
    return "" if finding is None else finding.detail


def _of_canary(
    canary: CanaryConfig, path: Path, found: Sequence[Case], chosen: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    told: set[str] = set()
    for key, values in _named(canary).items():
        for at, value in values.items():
            own = [case for case in found if getattr(case, key.removesuffix("s")) == value]
            if not own and key == "dialects":
                where = f"gateway `{plain(chosen[0])}`" if len(chosen) == 1 else "any gateway"
                yield (*path, key, at), f"`{value}` is not asked of {where}; name it under the gateway's `dialects`"
                told.add(value)
            elif own and all(map(objection, own)) and (said := objection(own[0])) not in told:
                yield (*path, key, at), f"{_shown(value)} cannot be asked: {said}; {_ADVICE}"
                told.add(said)
    if found and not told and all(map(objection, found)):
        key = "params" if canary.params else "use" if canary.use else "scenario"
        yield (*path, key), f"nothing is left to ask: {objection(found[0])}; {_ADVICE}"


def _named(canary: CanaryConfig) -> Mapping[str, Mapping[int, Any]]:
    """What a canary names itself, by key and place in its list; patterns name nothing."""
    ids = {at: each for at, each in enumerate(canary.models or ()) if not _WILD & set(each) and each[:1] != "!"}
    ways = canary.stream if isinstance(canary.stream, tuple) else ()
    return {"models": ids, "dialects": dict(enumerate(canary.dialects or ())), "stream": dict(enumerate(ways))}


def _shown(value: str | bool) -> str:
    return f"`{_WORDS[value] if isinstance(value, bool) else plain(value)}`"
