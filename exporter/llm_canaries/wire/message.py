"""The hub form: what is asked of a model and what it answers, in no dialect's words.

Every dialect reads into these values and writes from them. Fields a dialect has and the hub has
not travel in `extra`; blocks the hub has no word for travel as `Opaque`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, TypeAlias

from msgspec import Struct

Extra: TypeAlias = Mapping[str, object]


class Text(Struct, frozen=True, tag=True, gc=False):
    """Words, as the user or the model said them."""

    text: str
    extra: Extra = {}


class Image(Struct, frozen=True, tag=True, gc=False):
    """A picture: base64 `data` with its `media_type`, or a `url`; exactly one of the two."""

    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    extra: Extra = {}


class Document(Struct, frozen=True, tag=True, gc=False):
    """A file to read: base64 `data` with its `media_type`, or a `url`."""

    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    name: str | None = None
    extra: Extra = {}


class ToolCall(Struct, frozen=True, tag=True, gc=False):
    """The model's wish to call `name`; `arguments` is JSON text, never parsed (numbers keep their digits)."""

    id: str
    name: str
    arguments: str
    extra: Extra = {}


class ToolResult(Struct, frozen=True, tag=True, gc=False):
    """What the tool gave back for call `id`; `is_error` is None where nobody said."""

    id: str
    content: "tuple[Part, ...]"
    is_error: bool | None = None
    extra: Extra = {}


class Thought(Struct, frozen=True, tag=True, gc=False):
    """The model's own reasoning; `signature` proves it to its maker, `redacted` is its sealed form."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    extra: Extra = {}


class Refusal(Struct, frozen=True, tag=True, gc=False):
    """The model's words for declining."""

    text: str
    extra: Extra = {}


class Opaque(Struct, frozen=True, tag=True, gc=False):
    """A block of `dialect` that the hub has no word for, kept whole."""

    dialect: str
    block: Extra


Part: TypeAlias = Text | Image | Document | ToolCall | ToolResult | Thought | Refusal | Opaque

Role = Literal["system", "user", "assistant", "tool"]


class Message(Struct, frozen=True, gc=False):
    """One turn; a `tool` message holds a whole run of ToolResults and nothing else."""

    role: Role
    content: tuple[Part, ...]
    extra: Extra = {}


class Tool(Struct, frozen=True, tag=True, gc=False):
    """A function the model may call; `schema` is JSON Schema, None where none was given."""

    name: str
    description: str | None = None
    schema: Extra | None = None
    extra: Extra = {}


class ToolChoice(Struct, frozen=True, gc=False):
    """Whether tools may, must or must not be called; `name` only with mode `tool`."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str | None = None
    extra: Extra = {}


class Thinking(Struct, frozen=True, gc=False):
    """How much reasoning is asked for: a level, a budget in tokens, or a mode (protocols.md C1)."""

    mode: Literal["enabled", "disabled", "adaptive"] | None = None
    effort: str | None = None
    budget: int | None = None
    extra: Extra = {}


class Ask(Struct, frozen=True, kw_only=True, gc=False):
    """One request; `dialect` names the speaker whose words `extra` (here and below) are in."""

    dialect: str
    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Tool | Opaque, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    thinking: Thinking | None = None
    user: str | None = None
    extra: Extra = {}


class Usage(Struct, frozen=True, kw_only=True, gc=False):
    """Token counts in one normal form (protocols.md B2); None is "not said", which is not zero.

    `input` includes cache reads and writes, `output` includes reasoning. `broken` names native
    fields whose value is not a whole number of tokens (invariant I6).
    """

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    total_reported: int | None = None
    broken: tuple[str, ...] = ()


class Finish(StrEnum):
    """Why the model stopped, in one vocabulary (protocols.md A5)."""

    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL = "tool"
    FILTER = "filter"
    PAUSE = "pause"
    ERROR = "error"
    UNKNOWN = "unknown"


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """One whole answer; `finish_native` is the provider's own word, `effort` the level it says it applied."""

    dialect: str
    id: str
    model: str
    created: int = 0
    content: tuple[Part, ...] = ()
    finish: Finish | None = None
    finish_native: str | None = None
    stop_sequence: str | None = None
    usage: Usage | None = None
    effort: str | None = None
    extra: Extra = {}

    @property
    def text(self) -> str:
        """The visible words, joined; reasoning and tool calls are not words."""
        return "".join(part.text for part in self.content if isinstance(part, Text | Refusal))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in order."""
        return tuple(part for part in self.content if isinstance(part, ToolCall))

    @property
    def thoughts(self) -> tuple[Thought, ...]:
        """The reasoning blocks, in order."""
        return tuple(part for part in self.content if isinstance(part, Thought))


class Models(Struct, frozen=True, gc=False):
    """The listed model ids, in the order listed."""

    ids: tuple[str, ...]
