"""The rule files that a configuration means: shipped packs by name, the user's own files and folders."""

from collections.abc import Iterable
from pathlib import Path

from llm_canaries.config.problems import ConfigError, Problem, allowed, quoted
from llm_canaries.config.schema import RulesConfig
from llm_canaries.content import content
from llm_canaries.rules.group import RuleGroup
from llm_canaries.rules.load import load
from llm_canaries.rules.packs import Pack, read_pack

ENDINGS = (".yml", ".yaml")


def shipped_packs() -> dict[str, Pack]:
    """Every shipped pack by its name."""
    found = [read_pack(name, text) for name, text in content("rules").items() if name.endswith(ENDINGS)]
    return {pack.name: pack for pack in found}


def read_groups(config: RulesConfig) -> tuple[RuleGroup, ...]:
    """The groups of what `config` names, without what it disables. Raises ConfigError with every problem."""
    texts, problems = _texts(config)
    groups: tuple[RuleGroup, ...] = ()
    try:
        groups = load(texts)
    except ConfigError as error:
        problems += error.problems
    names = {rule.name for group in groups for rule in group.rules}
    problems += [
        Problem(group.file, rule.line, _too_far(group.name, rule.name, rule.reach, config.history))
        for group in groups
        for rule in group.without(config.disable).rules
        if rule.reach > config.history
    ]
    if not problems:
        problems += [
            Problem("rules.disable", 1, f"{quoted(name)} is not an alert; {allowed(name, names)}")
            for name in config.disable
            if name not in names
        ]
    if problems:
        raise ConfigError(problems)
    return tuple(group.without(config.disable) for group in groups)


def _texts(config: RulesConfig) -> tuple[dict[str, str], list[Problem]]:
    packs = shipped_packs()
    problems = [
        Problem("rules.packs", 1, f"{quoted(name)} is not a pack; {allowed(name, packs)}")
        for name in config.packs or ()
        if name not in packs
    ]
    chosen = [name for name in config.packs if name in packs] if config.packs is not None else _by_default(packs)
    texts = {f"rules/{name}.yml": packs[name].text for name in chosen}
    for path in config.files or ():
        found, wrong = read_path(path)
        texts |= found
        problems += wrong
    return texts, problems


def _too_far(group: str, rule: str, reach: float, most: float) -> str:
    back = f"looks back {reach / 3600:.3g} h, and `rules.history` is {most / 3600:.3g} h"
    return f"group {quoted(group)}, rule {quoted(rule)}: {back}; raise it, or disable the rule"


def _by_default(packs: dict[str, Pack]) -> Iterable[str]:
    return (name for name, pack in packs.items() if not pack.needs)


def read_path(path: str) -> tuple[dict[str, str], list[Problem]]:
    """The texts of a file, or of every rule file right in a folder; what cannot be read is a problem."""
    where = Path(path)
    files = sorted(each for each in where.iterdir() if each.suffix in ENDINGS) if where.is_dir() else [where]
    if not files:
        return {}, [Problem(path, 1, f"the folder has no file that ends in {' or '.join(ENDINGS)}")]
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for file in files:
        try:
            texts[str(file)] = file.read_text(encoding="utf-8")
        except OSError as error:
            problems.append(Problem(str(file), 1, f"cannot be read: {error.strerror or error}"))
        except UnicodeDecodeError as error:
            problems.append(Problem(str(file), 1, f"is not UTF-8 text: byte {error.start}"))
    return texts, problems
