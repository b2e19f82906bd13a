"""What is known of a provider or gateway behind a dialect: documented yes/no facts, as data."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from llm_canaries.wire.fault import FaultReason


class ModelFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model can do; None and empty are "not known".

    `levels`: the levels of reasoning it accepts. `budget`: the least and most tokens of reasoning. `thinking_off`:
    reasoning can be switched off. `dynamic`: it may choose the amount itself. `thinking_form`: as in the profile.
    `result_parts`: Gemini's functionResponse may hold `parts` (A4: 3 and later; older ones take a sibling part).
    """

    vision: bool | None = None
    thinking: bool | None = None
    thinking_off: bool | None = None
    levels: tuple[str, ...] = ()
    budget: tuple[int, int] | None = None
    dynamic: bool | None = None
    thinking_form: Literal["budget", "adaptive"] | None = None
    result_parts: bool | None = None


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts that decide how an ask is written and an answer read.

    `tool_images`: a chat tool message may hold images (A1; else they are hoisted). `max_tokens_field`:
    what a chat endpoint calls the cap. `thinking_form`: how Messages wants a level. `budgets`: tokens by
    level where the provider's table is not CLIProxyAPI's (C3). `business_errors`: a provider's own codes inside a 200.
    `user_field`: what chat and Responses call whoever asks; None where a gateway refuses to be told, in Messages too.
    `models`: facts by pattern of the id or of its last path segment, first match wins.
    """

    name: str = "generic"
    dialects: tuple[str, ...] = ("openai_chat", "anthropic_messages")
    tool_images: bool = False
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    stream_usage: bool = True
    thinking_form: Literal["budget", "adaptive"] = "budget"
    budgets: Mapping[str, int] = {}
    business_errors: Mapping[str, FaultReason] = {}
    user_field: Literal["user", "safety_identifier"] | None = "user"
    models: Mapping[str, ModelFacts] = {}

    def facts(self, model: str) -> ModelFacts:
        """What is known of `model`, whose id may have a gateway's path before it; nothing when no pattern fits."""
        pattern = _first_fit(tuple(self.models), model)
        return ModelFacts() if pattern is None else self.models[pattern]

    def form_for(self, facts: ModelFacts) -> Literal["budget", "adaptive"]:
        """How Messages wants a level for a model with `facts`, whose own form goes first."""
        return facts.thinking_form or self.thinking_form


@lru_cache(maxsize=1024)  # an ask names one of few models, and some sixty patterns take longer than its translation
def _first_fit(patterns: tuple[str, ...], model: str) -> str | None:
    names = {model, model.rpartition("/")[2]}
    return next((pattern for pattern in patterns if any(fnmatchcase(name, pattern) for name in names)), None)
