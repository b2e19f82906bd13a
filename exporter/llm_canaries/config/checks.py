"""What a document must be as a whole: checked on its plain data, so that one wrong field hides nothing else."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from llm_canaries.config.known import Known
from llm_canaries.config.params import check_params
from llm_canaries.config.problems import Path, Problems, allowed, listed, plain, quoted
from llm_canaries.config.values import Refused, parse_level

EMBEDDED = "embedded"


def mapping(value: object) -> dict[str, object]:
    """The value if it is a mapping, an empty one if not."""
    return value if isinstance(value, dict) else {}


def check_values(data: object, path: Path, problems: Problems) -> None:
    """Every key has a value, and no list names a thing twice; `params` are the scenario's own matter."""
    if data is None:
        problems.add(path, problems.told(path, "there is no value; write one, or leave the key out"))
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
                place = (*path, index)
                problems.add(place, problems.told(place, f"{quoted(name)} is there twice; write each once"))
            seen.add((type(name), name))


def check_config(data: Mapping[str, object], known: Known, problems: Problems) -> None:
    """Gateways have what their kind needs; canaries name what there is, and themselves differently."""
    gateways = mapping(data.get("gateways"))
    for name, gateway in gateways.items():
        if isinstance(gateway, dict):
            _check_gateway(gateway, ("gateways", name), known, problems)
    canaries = data.get("canaries")
    names: dict[tuple[str, str], int] = {}
    for index, canary in enumerate(canaries if isinstance(canaries, list) else ()):
        if isinstance(canary, dict):
            path: Path = ("canaries", index)
            _check_choice(canary, path, known, problems)
            if "gateways" in data:
                _check_gateway_name(canary, path, gateways, problems)
            _check_models(canary, path, gateways, problems)
            _check_name(canary, path, gateways, names, problems)
            check_thresholds(canary, path, problems)
            _check_canary_params(canary, path, known, problems)


def check_definition(data: dict[str, object], path: Path, known: Known, problems: Problems) -> None:
    """A definition's thresholds are ordered and its params are what its scenario takes."""
    check_thresholds(data, path, problems)
    scenario = data.get("scenario")
    if isinstance(scenario, str) and scenario in known.scenarios:
        _fill_params(data, path, scenario, known, problems, whole=True)


def check_thresholds(data: Mapping[str, object], path: Path, problems: Problems) -> None:
    """A measure that is a ratio has levels up to 100%, and warning comes before critical."""
    for measure, levels in mapping(data.get("thresholds")).items():
        at = (*path, "thresholds", measure)
        parsed = {level: number for level, number in _levels(mapping(levels), at, problems)}
        for level, number in parsed.items():
            if measure.endswith("_ratio") and number > 1:
                place = (*at, level)
                message = f"{quoted(mapping(levels)[level])} is more than 100%; write `2%` or `0.02`"
                problems.add(place, problems.told(place, message))
        if parsed.get("warning", 0) > parsed.get("critical", float("inf")):
            warning, critical = (quoted(mapping(levels)[level]) for level in ("warning", "critical"))
            place = (*at, "warning")
            message = f"{warning} is above critical, {critical}; write a warning that comes first"
            problems.add(place, problems.told(place, message))


def _levels(levels: Mapping[str, object], path: Path, problems: Problems) -> Iterator[tuple[str, float]]:
    for level, value in levels.items():
        if not problems.spoiled((*path, level)):
            try:
                yield level, parse_level(value)
            except Refused:
                continue  # the schema tells of it


def _check_gateway(gateway: Mapping[str, object], path: Path, known: Known, problems: Problems) -> None:
    kind = gateway.get("kind")
    if kind not in known.kinds:
        return
    deployed = kind != EMBEDDED
    if deployed and "url" not in gateway:
        message = f"missing key `url`; a gateway of kind {quoted(kind)} needs it, such as `http://localhost:8317`"
        problems.add(path, message, key=True)
    for key in ("providers",) if deployed else ("url", "api_key"):
        if key in gateway:
            instead = "only `embedded` gateways have providers" if deployed else f"give its providers their {_OWN[key]}"
            message = f"`{key}` is not for gateways of kind {quoted(kind)}; remove it, {instead}"
            problems.add((*path, key), message, key=True)


_OWN = {"url": "urls instead", "api_key": "keys instead"}


def _check_choice(canary: Mapping[str, object], path: Path, known: Known, problems: Problems) -> None:
    if "use" in canary and "scenario" in canary:
        message = "`use` and `scenario` exclude each other; keep `use` for a definition, `scenario` for a canary of your own"
        problems.add((*path, "scenario"), message, key=True)
    elif "use" not in canary and "scenario" not in canary:
        message = f"missing key `use` or `scenario`; definitions: {listed(sorted(known.definitions)) or 'none'}"
        problems.add(path, message)
    elif "scenario" in canary and "name" not in canary:
        problems.add(path, "missing key `name`; a canary with `scenario` needs a name of its own")


def _check_gateway_name(
    canary: Mapping[str, object], path: Path, gateways: Mapping[str, object], problems: Problems
) -> None:
    name, place = canary.get("gateway"), (*path, "gateway")
    if isinstance(name, str) and name not in gateways:
        problems.add(place, problems.told(place, f"{quoted(name)} is not a gateway; {allowed(name, gateways)}"))


def _check_models(canary: Mapping[str, object], path: Path, gateways: Mapping[str, object], problems: Problems) -> None:
    """A pattern that no model of its gateways fits would be silence, not a canary."""
    chosen = _chosen(canary, gateways)
    ids: list[str] = []
    for name in chosen:
        models = mapping(gateways[name]).get("models")
        if not isinstance(models, list):
            return
        for index, model in enumerate(models):
            id = model.get("id") if isinstance(model, dict) else model
            if not isinstance(id, str) or problems.spoiled(("gateways", name, "models", index)):
                return
            ids.append(id)
    patterns = canary.get("models")
    for index, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
        if not isinstance(pattern, str) or not pattern or pattern.startswith("!") or not ids:
            continue
        if not any(fnmatchcase(id, pattern) for id in ids):
            place = (*path, "models", index)
            where = f"gateway `{plain(chosen[0])}`" if len(chosen) == 1 else "any gateway"
            message = f"{quoted(pattern)} fits no model of {where}; {allowed(pattern, set(ids))}"
            problems.add(place, problems.told(place, message))


def _chosen(canary: Mapping[str, object], gateways: Mapping[str, object]) -> list[str]:
    """The gateways that a canary asks: its own, or all."""
    name = canary.get("gateway")
    return [each for each in gateways if "gateway" not in canary or each == name]


def _check_name(
    canary: Mapping[str, object],
    path: Path,
    gateways: Mapping[str, object],
    names: dict[tuple[str, str], int],
    problems: Problems,
) -> None:
    key = "name" if "name" in canary else "use"
    name, place = canary.get(key), (*path, key)
    if not isinstance(name, str) or problems.spoiled(place) or problems.spoiled((*path, "gateway")):
        return
    taken: dict[int, str] = {}
    for gateway in _chosen(canary, gateways):
        if (gateway, name) in names:
            taken.setdefault(names[gateway, name], gateway)
        else:
            names[gateway, name] = problems.line(place)
    for line, gateway in list(taken.items())[:1]:
        message = f"{quoted(name)} is already a canary at gateway `{plain(gateway)}`, on line {line}; write another `name`"
        problems.add(place, problems.told(place, message))


def _check_canary_params(canary: dict[str, object], path: Path, known: Known, problems: Problems) -> None:
    use, own = canary.get("use"), canary.get("scenario")
    scenario = own if own is not None else known.plays.get(use) if isinstance(use, str) else None
    if isinstance(scenario, str) and scenario in known.scenarios:
        _fill_params(canary, path, scenario, known, problems, whole="use" not in canary)


def _fill_params(
    data: dict[str, object], path: Path, scenario: str, known: Known, problems: Problems, *, whole: bool
) -> None:
    """Replaces durations in the params by seconds; tells of each field that is wrong."""
    given, at = data.get("params", {}), (*path, "params")
    if not isinstance(given, dict):
        return
    usable = {name: value for name, value in given.items() if not problems.spoiled((*at, name))}
    checked = check_params(known.scenarios[scenario], usable, whole=whole and len(usable) == len(given))
    for name, message in checked.objections:
        place = (*at, name) if name else at
        problems.add(place, problems.told(place, message), key=name not in given or "not a parameter" in message)
    data["params"] = checked.values

