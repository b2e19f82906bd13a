"""What a document must be as a whole: checked on its plain data, so that one wrong field hides nothing else."""

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

from llm_canaries.config.known import Known
from llm_canaries.config.loopback import check_loopback, check_looped, check_mirror
from llm_canaries.config.params import check_params
from llm_canaries.config.problems import Path, Problems, allowed, listed, plain, quoted
from llm_canaries.config.routing import EMBEDDED_ONLY, check_routing
from llm_canaries.config.twins import check_connectivity, check_twins
from llm_canaries.config.values import Refused, parse_duration, parse_level, parse_ratio

Data = Mapping[str, object]

EMBEDDED = "embedded"


def mapping(value: object) -> dict[str, object]:
    """The value if it is a mapping, an empty one if not."""
    return value if isinstance(value, dict) else {}


def check_values(data: object, path: Path, problems: Problems) -> None:
    """Every key has a value, and no list names a thing twice; `params` are the scenario's own matter."""
    if data is None:
        what = "line" if path and isinstance(path[-1], int) else "key"
        problems.add(path, problems.told(path, f"there is no value; write one, or leave the {what} out"))
        problems.spoil(path)
    if path and path[-1] == "params":
        return
    if isinstance(data, dict):
        for key, value in data.items():
            check_values(value, (*path, key), problems)
    if isinstance(data, list):
        seen: set[tuple[type, object]] = set()
        for index, value in enumerate(data):
            check_values(value, (*path, index), problems)
            name = value.get("id") if isinstance(value, dict) else value
            if not isinstance(name, str | bool | int | float) or problems.spoiled((*path, index)):
                continue
            if (type(name), name) in seen:
                place = (*path, index, "id") if isinstance(value, dict) else (*path, index)
                message = f"{problems.shown(place, name)} is there twice; write each once"
                problems.add(place, problems.told((*path, index), message))
            seen.add((type(name), name))


def check_config(data: Data, known: Known, problems: Problems) -> None:
    """Gateways have what their kind needs; canaries name what there is, and themselves differently."""
    gateways = mapping(data.get("gateways"))
    for name, gateway in gateways.items():
        if isinstance(gateway, dict):
            _check_gateway(gateway, ("gateways", name), known, problems, mirrored="mirror" in data)
    check_mirror(data, problems)
    check_twins(gateways, known, problems)
    check_connectivity(data, problems)
    canaries = data.get("canaries")
    names: dict[tuple[str, str], int] = {}
    levels: dict[str, tuple[object, int]] = {}
    for index, canary in enumerate(canaries if isinstance(canaries, list) else ()):
        if isinstance(canary, dict):
            path: Path = ("canaries", index)
            _check_choice(canary, path, known, problems)
            if "gateways" in data:
                _check_gateway_name(canary, path, gateways, problems)
            _check_models(canary, path, gateways, problems)
            _check_name(canary, path, gateways, names, problems)
            check_thresholds(canary, path, problems)
            _check_levels(canary, path, levels, problems)
            _check_canary_params(canary, path, known, problems)
            _check_looped(canary, path, gateways, known, problems)


def check_definition(data: dict[str, object], path: Path, known: Known, problems: Problems) -> None:
    """A definition's thresholds are ordered and its params are what its scenario takes."""
    check_thresholds(data, path, problems)
    scenario = data.get("scenario")
    if isinstance(scenario, str) and scenario in known.scenarios:
        _fill_params(data, path, scenario, known, problems, whole=True)
        _check_every(data, path, scenario, known, problems)
        _check_stream(data, path, scenario, known, problems)


def check_thresholds(data: Data, path: Path, problems: Problems) -> None:
    """The levels of a measure are of its kind, and warning comes before critical."""
    for measure, levels in mapping(data.get("thresholds")).items():
        at = (*path, "thresholds", measure)
        parsed = dict(_levels(measure, mapping(levels), at, problems))
        if parsed.get("warning", 0) > parsed.get("critical", float("inf")):
            warning, critical = (
                problems.shown((*at, level), mapping(levels)[level]) for level in ("warning", "critical")
            )
            place = (*at, "warning")
            message = f"{warning} is above critical, {critical}; write a warning that comes first"
            problems.add(place, problems.told(place, message))


def _levels(measure: str, levels: Data, path: Path, problems: Problems) -> Iterator[tuple[str, float]]:
    """The levels that are right; `…_ratio` wants ratios, `…_seconds` durations or numbers of seconds."""
    for level, value in levels.items():
        place = (*path, level)
        if problems.spoiled(place):
            continue
        try:
            number = parse_level(value)
        except Refused:
            continue  # the schema tells of it
        try:
            if measure.endswith("_ratio"):
                number = parse_ratio(value)
            elif measure.endswith("_seconds") and isinstance(value, str):
                number = parse_duration(value)
        except Refused as refused:
            problems.add(place, problems.told(place, f"{problems.shown(place, value)} {refused}"))
            continue
        yield level, number


def _check_gateway(gateway: Data, path: Path, known: Known, problems: Problems, *, mirrored: bool) -> None:
    kind = gateway.get("kind")
    if not isinstance(kind, str) or kind not in known.kinds:
        return
    deployed = kind != EMBEDDED
    if deployed and "url" not in gateway:
        message = f"missing key `url`; a gateway of kind {quoted(kind)} needs it, such as `http://localhost:8317`"
        problems.add(path, message, key=True)
    for key in EMBEDDED_ONLY if deployed else ("url", "api_key", "headers"):
        if key in gateway:
            instead = "only `embedded` has them" if deployed else "its `providers` say where asks go"
            message = f"`{key}` is not for gateways of kind {quoted(kind)}; remove it, {instead}"
            problems.add((*path, key), message, key=True)
    if not deployed:
        check_routing(gateway, path, problems)
    check_loopback(gateway, kind, path, problems, mirrored=mirrored)


def _check_choice(canary: Data, path: Path, known: Known, problems: Problems) -> None:
    if "use" in canary and "scenario" in canary:
        message = "`use` and `scenario` exclude each other; keep `use` for a definition, or `scenario` for your own"
        problems.add((*path, "scenario"), message, key=True)
    elif "use" not in canary and "scenario" not in canary:
        message = f"missing key `use` or `scenario`; definitions: {listed(sorted(known.definitions)) or 'none'}"
        problems.add(path, message)
    elif "scenario" in canary and "name" not in canary:
        problems.add(path, "missing key `name`; a canary with `scenario` needs a name of its own")


def _check_gateway_name(canary: Data, path: Path, gateways: Data, problems: Problems) -> None:
    name, place = canary.get("gateway"), (*path, "gateway")
    if isinstance(name, str) and name not in gateways:
        message = f"{problems.shown(place, name)} is not a gateway; {allowed(name, gateways)}"
        problems.add(place, problems.told(place, message))


def _check_models(canary: Data, path: Path, gateways: Data, problems: Problems) -> None:
    """A pattern that no model of its gateways fits would be silence, not a canary."""
    chosen = _chosen(canary, gateways)
    ids = dict(pair for name in chosen for pair in _model_ids(mapping(gateways[name]), name, problems))
    patterns = canary.get("models")
    if not ids or "" in ids or not isinstance(patterns, list):
        return
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str) or not pattern or pattern.startswith("!"):
            continue
        if not any(fnmatchcase(model, pattern) for model in ids):
            place = (*path, "models", index)
            where = f"gateway `{plain(chosen[0])}`" if len(chosen) == 1 else "any gateway"
            message = f"{problems.shown(place, pattern)} fits no model of {where}; allowed: {', '.join(ids.values())}"
            problems.add(place, problems.told(place, message))


def _model_ids(gateway: Data, name: str, problems: Problems) -> Iterator[tuple[str, str]]:
    """The ids of a gateway's models and how to show them; an empty one where they cannot be told."""
    models = gateway.get("models")
    for index, model in enumerate(models if isinstance(models, list) else [None]):
        place: Path = ("gateways", name, "models", index)
        if isinstance(model, dict):
            model, place = model.get("id"), (*place, "id")
        yield (model, problems.shown(place, model)) if isinstance(model, str) else ("", "")


def _chosen(canary: Data, gateways: Data) -> list[str]:
    """The gateways that a canary asks: its own, or all."""
    name = canary.get("gateway")
    return [each for each in gateways if "gateway" not in canary or each == name]


def _check_name(
    canary: Data, path: Path, gateways: Data, names: dict[tuple[str, str], int], problems: Problems
) -> None:
    key = "name" if "name" in canary else "use"
    name, place = canary.get(key), (*path, key)
    if not isinstance(name, str) or problems.spoiled(place) or problems.spoiled((*path, "gateway")):
        return
    chosen = _chosen(canary, gateways)
    if taken := next((gateway for gateway in chosen if (gateway, name) in names), None):
        message = f"{problems.shown(place, name)} is already a canary at gateway `{plain(taken)}`"
        message += f", on line {names[taken, name]}; write another `name`"
        problems.add(place, problems.told(place, message))
    for gateway in chosen:
        names.setdefault((gateway, name), problems.line(place))


def _check_levels(canary: Data, path: Path, levels: dict[str, tuple[object, int]], problems: Problems) -> None:
    """Rules know thresholds by the name of their canary, so two canaries of one name have the same."""
    name, own, place = canary.get("name", canary.get("use")), canary.get("thresholds", {}), (*path, "thresholds")
    if not isinstance(name, str) or problems.spoiled(place):
        return
    others, line = levels.setdefault(name, (own, problems.line(place)))
    if own != others:
        message = f"{quoted(name)} has other thresholds on line {line}, and rules know them by the canary's name"
        problems.add(place, problems.told(place, f"{message}; write another `name`, or the same thresholds"))


def _check_looped(canary: Data, path: Path, gateways: Data, known: Known, problems: Problems) -> None:
    name, scenario = canary.get("gateway"), _scenario(canary, known)
    if isinstance(name, str) and scenario in known.looped:
        check_looped(scenario, mapping(gateways.get(name)), name, path, problems)


def _scenario(canary: Data, known: Known) -> str:
    """The scenario that a canary plays, empty where it cannot be told."""
    use, own = canary.get("use"), canary.get("scenario")
    scenario = own if own is not None else known.plays.get(use) if isinstance(use, str) else None
    return scenario if isinstance(scenario, str) else ""


def _check_canary_params(canary: dict[str, object], path: Path, known: Known, problems: Problems) -> None:
    if (scenario := _scenario(canary, known)) in known.scenarios:
        _fill_params(canary, path, scenario, known, problems, whole="use" not in canary)
        _check_every(canary, path, scenario, known, problems)
        _check_stream(canary, path, scenario, known, problems)


def _check_every(data: Data, path: Path, scenario: str, known: Known, problems: Problems) -> None:
    """A scenario that does harm when it is asked often is not asked often."""
    least, every, place = known.least_every.get(scenario, 0.0), data.get("every"), (*path, "every")
    if not least or "every" not in data or problems.spoiled(place):
        return
    try:
        seconds = parse_duration(every)
    except Refused:
        return  # the schema tells of it
    if seconds < least:
        message = f"{problems.shown(place, every)} is too often for `{scenario}`; write at least `{least / 60:g}m`"
        problems.add(place, problems.told(place, message))


def _check_stream(data: Data, path: Path, scenario: str, known: Known, problems: Problems) -> None:
    """A stream is asked for where the scenario leaves the choice, and not where it has none."""
    stream, place, ways = data.get("stream"), (*path, "stream"), known.ways.get(scenario, "")
    listed_ways = tuple(stream) if isinstance(stream, list) else stream
    if "stream" not in data or ways not in WAYS or problems.spoiled(place):
        return
    allows, advice = WAYS[ways]
    if allows(listed_ways):
        return
    if isinstance(stream, str) and stream != "both":
        return  # the schema tells of it
    message = f"{problems.shown(place, stream)} is not for `{scenario}`, which {advice}"
    problems.add(place, problems.told(place, message))


WAYS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "either": (lambda stream: stream != "both", "asks one way at a time; write `[false]`, `[true]` or `[false, true]`"),
    "both": (lambda stream: stream == "both", "asks both ways itself; write `both`"),
    "streamed": (lambda stream: stream == (True,), "always asks for a stream; write `[true]`"),
    "whole": (lambda stream: stream == (False,), "has nothing to stream; write `[false]`"),
}


def _fill_params(
    data: dict[str, object], path: Path, scenario: str, known: Known, problems: Problems, *, whole: bool
) -> None:
    """Replaces durations in the params by seconds; tells of each field that is wrong."""
    given, at = data.get("params", {}), (*path, "params")
    if not isinstance(given, dict):
        return
    usable = {name: value for name, value in given.items() if not problems.spoiled((*at, name))}
    checked = check_params(
        known.scenarios[scenario],
        usable,
        whole=whole and len(usable) == len(given),
        shown=lambda name, value: problems.shown((*at, name), value),
    )
    for name, message in checked.objections:
        place = (*at, name) if name else at
        problems.add(place, problems.told(place, message))
    data["params"] = checked.values

