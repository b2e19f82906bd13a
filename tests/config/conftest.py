"""A small house above the configuration, and the problems of a text as people see them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from llm_canaries.config.known import Known
from llm_canaries.config.load import ConfigError, load
from llm_canaries.config.schema import Config


class KnownGood(Struct, frozen=True, forbid_unknown_fields=True):
    digits: Annotated[int, Meta(ge=1, le=9)] = 6
    within_seconds: float = 0.0
    steps_seconds: tuple[float, ...] = ()


class Eligibility(Struct, frozen=True, forbid_unknown_fields=True):
    expect: Literal["eligible", "absent"]
    allow_alias: bool = False
    words: tuple[str, ...] = ()
    cap: int | None = None

    def __post_init__(self) -> None:
        if self.expect == "absent" and self.allow_alias:
            raise ValueError("an absent model has no alias")


class Mirrored(Struct, frozen=True, forbid_unknown_fields=True):
    pass


FILES = {"/run/key": "sk-planted-file\n", "/run/empty": "\n"}


def read_file(path: str) -> str:
    if path == "/run/folder":
        raise IsADirectoryError(21, "Is a directory")
    if path == "/run/latin":
        raise UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid continuation byte")
    if path not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[path]


ENVIRON = {"KEY": "sk-planted-1", "EMPTY": "", "WORD": "pl4nted-word", "LINES": "pl4nted\nlines", "PORT": "8317"}


@pytest.fixture
def known() -> Known:
    return Known(
        kinds=frozenset({"embedded", "openai-compatible"}),
        dialects=frozenset({"openai_chat", "anthropic_messages"}),
        profiles=frozenset({"generic", "openai", "iflow"}),
        scenarios={"known-good": KnownGood, "eligibility": Eligibility, "mirrored": Mirrored},
        definitions=frozenset({"known-good", "spark-eligibility"}),
        plays={"known-good": "known-good", "spark-eligibility": "eligibility"},
        looped=frozenset({"mirrored"}),
        serves=lambda gateway, model: any(model in each.models for each in (gateway.providers or {}).values()),
    )


Read = Callable[..., Config]
Told = Callable[..., list[str]]


@pytest.fixture
def read(known: Known) -> Read:
    """The configuration in a text."""

    def read(text: str, environ: Mapping[str, str] = ENVIRON) -> Config:
        return load(text, known, file="canaries.yml", environ=environ, read_file=read_file)

    return read


@pytest.fixture
def told(read: Read) -> Told:
    """Every problem of a text, a line each; none for a good one."""

    def told(text: str, environ: Mapping[str, str] = ENVIRON) -> list[str]:
        try:
            read(text, environ)
        except ConfigError as error:
            return str(error).splitlines()
        return []

    return told
