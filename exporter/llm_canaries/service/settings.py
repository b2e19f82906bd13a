"""Reads the configuration with all that the house offers handed down to it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from llm_canaries.canary.impossible import impossible
from llm_canaries.canary.load import Binding
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.config.load import Known, load, load_definitions
from llm_canaries.config.problems import ConfigError, Problem
from llm_canaries.config.schema import Config, Definition
from llm_canaries.config.secrets import Redactor, secrets_of
from llm_canaries.content import content
from llm_canaries.gateways.table import KINDS
from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.service.providers import serves
from llm_canaries.wire.dialects import DIALECTS

USUAL_FILE = "canaries.yml"

EMBEDDED_DEFAULT = """\
gateways:
  embedded:
    kind: embedded
    models: [mirror/healthy]
    limits: {connect: 2s, first_byte: 5s, idle: 5s, total: 15s}
"""


class Settings(Struct, frozen=True, kw_only=True):
    """A configuration that holds, and where it came from (`source` is empty for the embedded default)."""

    config: Config
    binding: Binding
    redactor: Redactor
    source: str


def known(definitions: Mapping[str, Definition]) -> Known:
    """The names that a configuration may use."""
    return Known(
        kinds=frozenset(KINDS),
        dialects=frozenset(DIALECTS),
        profiles=frozenset(read_profiles()),
        scenarios={name: scenario.params for name, scenario in SCENARIOS.items()},
        definitions=frozenset(definitions),
        plays={name: definition.scenario for name, definition in definitions.items()},
        least_every={name: scenario.least_every for name, scenario in SCENARIOS.items() if scenario.least_every},
        looped=frozenset(name for name, scenario in SCENARIOS.items() if "loopback" in scenario.needs),
        serves=serves,
        ways={name: scenario.ways for name, scenario in SCENARIOS.items()},
    )


def shipped() -> tuple[dict[str, Definition], tuple[Problem, ...]]:
    """The shipped definitions that hold, and the problems of those that do not."""
    texts = {f"canaries/{name}": text for name, text in content("canaries").items() if name.endswith(".yml")}
    return load_definitions(texts, known({}))


def read_settings(path: str | None, environ: Mapping[str, str]) -> Settings:
    """The settings of the file at `path`, of ./canaries.yml, or of the embedded default.

    Raises ConfigError with every problem of the configuration and of the shipped definitions.
    """
    return _settings(path or (USUAL_FILE if Path(USUAL_FILE).is_file() else ""), environ)


def default_settings() -> Settings:
    """The settings of the embedded default, whatever file there is. Raises ConfigError as `read_settings` does."""
    return _settings("", {})


def _settings(source: str, environ: Mapping[str, str]) -> Settings:
    definitions, problems = shipped()
    dialects = {name: kind.dialects for name, kind in KINDS.items()}
    deployed = frozenset(name for name, kind in KINDS.items() if kind.deployed)
    binding = Binding(
        definitions=definitions, profiles=read_profiles(), kind_dialects=dialects, deployed=deployed
    )
    names = replace(known(definitions), impossible=partial(impossible, binding=binding))
    try:
        text = _text(source) if source else EMBEDDED_DEFAULT
        config = load(text, names, file=source or "embedded default", environ=environ, read_file=_read_secret)
    except ConfigError as error:
        raise ConfigError((*error.problems, *problems)) from None
    if problems:
        raise ConfigError(problems)
    return Settings(config=config, binding=binding, redactor=Redactor(secrets_of(config)), source=source)


def url_of(config: Config, gateway: str) -> str:
    """Where `gateway` is, empty for an embedded core."""
    return str(config.gateways[gateway].url or "")


def state_folder(config: Config, environ: Mapping[str, str]) -> Path:
    """Where the state lives: as configured, or in the user's own place for it (XDG)."""
    if config.state:
        return Path(config.state)
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", ".")) / ".local" / "state")
    return Path(home) / "llm-canaries"


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError((Problem(path, 1, f"cannot be read: {error.strerror}"),)) from None
    except UnicodeDecodeError as error:
        raise ConfigError((Problem(path, 1, f"is not UTF-8 text: byte {error.start}"),)) from None


def _read_secret(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")
