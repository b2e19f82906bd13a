"""Text in, a configuration or all of its problems out; files and the environment are handed in."""

from collections.abc import Callable, Mapping

from llm_canaries.config.checks import check_config, check_definition, check_values
from llm_canaries.config.interpolate import Interpolation
from llm_canaries.config.known import Known
from llm_canaries.config.lookalikes import mask_keys
from llm_canaries.config.params import ParamsError, merge_params
from llm_canaries.config.problems import ConfigError, Path, Problem, Problems, in_order, plain, shape
from llm_canaries.config.schema import Config, Definition
from llm_canaries.config.secrets import Redactor
from llm_canaries.config.source import Source, read_source
from llm_canaries.config.validate import secret_texts, validate
from llm_canaries.config.values import Refused, check_name

__all__ = ["ConfigError", "Known", "ParamsError", "Problem", "load", "load_definitions", "merge_params"]


def load(
    text: str, known: Known, *, file: str, environ: Mapping[str, str], read_file: Callable[[str], str]
) -> Config:
    """The configuration in `text`, named `file` in messages. Raises ConfigError with everything that is wrong."""
    source = read_source(text)
    problems = _problems(file, source, root=2)
    filling = Interpolation(environ, read_file, problems)
    data = filling.fill(source.data) if isinstance(source.data, dict) else None
    redactor = Redactor((*secret_texts(data), *filling.files))
    problems.hide = lambda message: mask_keys(redactor.known(message))
    config: Config | None = None
    if isinstance(data, dict):
        check_values(data, (), problems)
        check_config(data, known, problems)
        config = validate(Config, data, (), known, problems)
        if config is not None and known.impossible is not None:
            for path, message in known.impossible(config):
                problems.add(path, problems.told(path, message))
    if found := problems.all():
        raise ConfigError(found)
    assert config is not None
    return config


def load_definitions(
    texts: Mapping[str, str], known: Known
) -> tuple[dict[str, Definition], tuple[Problem, ...]]:
    """The good definitions of all files (name of file to its text) and the problems of the others.

    Of two definitions with one name the first stays, and the second is a problem.
    """
    good: dict[str, Definition] = {}
    homes: dict[str, str] = {}
    found: list[Problem] = []
    for file, text in texts.items():
        source = read_source(text)
        problems = _problems(file, source, root=1)
        for name, data in source.data.items() if isinstance(source.data, dict) else ():
            line = source.places.line((name,), key=True)
            if name in homes:
                message = f"`{plain(name)}` is already defined at {homes[name]}; write another name"
                problems.add_line(line, message)
                continue
            homes[name] = f"{file}:{line}"
            own = _blank(file, source, root=1)
            definition = _definition(name, data, known, own)
            found += own.all()
            if definition is not None and not any(fault.path[:1] == (name,) for fault in source.faults):
                good[name] = definition
        found += problems.all()
    return good, in_order(found)


def _problems(file: str, source: Source, root: int) -> Problems:
    """What is wrong with the document as YAML."""
    problems = _blank(file, source, root)
    for fault in source.faults:
        problems.add_line(fault.line, fault.message)
    if not isinstance(source.data, dict) and not source.faults:
        wanted = "`gateways`" if root == 2 else "names and their definitions"
        problems.add((), f"the document is {shape(source.data)}; write a mapping with {wanted}")
    return problems


def _blank(file: str, source: Source, root: int) -> Problems:
    """No problems yet; nothing will be said of values that are unusable as YAML."""
    problems = Problems(file, source.places, root)
    problems.hide = mask_keys
    for fault in source.faults:
        if fault.spoils:
            problems.spoil(fault.path)
    return problems


def _definition(name: str, data: object, known: Known, problems: Problems) -> Definition | None:
    path: Path = (name,)
    try:
        check_name(name)
    except Refused as refused:
        problems.add(path, f"`{plain(name)}` {refused}", key=True)
    check_values(data, path, problems)
    if isinstance(data, dict):
        check_definition(data, path, known, problems)
    definition = validate(Definition, data, path, known, problems)
    return None if problems.all() else definition
