"""The asks of a loop: between them they hold every row of H1 (protocols.md), each with a mark of its own."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from llm_canaries.canary.canary import Case
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Part,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

_PAGE = Tool(
    "read_page",
    "Returns one page – as text, or as an image.",
    {
        "type": "object",
        "properties": {
            "page": {"type": "integer", "description": "Which page, from 1."},
            "form": {"type": "string", "enum": ["text", "image"]},
            "marks": {"type": "array", "items": {"type": "string"}},
            "area": {
                "type": "object",
                "properties": {"left": {"type": "number"}, "top": {"type": "number"}},
                "required": ["left"],
            },
        },
        "required": ["page"],
    },
)
_NOTE = Tool("note", "Keeps a note.", {"type": "object", "properties": {"words": {"type": "string"}}})
TOOLS = (_PAGE, _NOTE)
# a number that a float would round, words in three scripts, an escape, and nesting
_ARGUMENTS = '{"page":12345678901234567890,"marks":["Größe","日本","🌍","a\\"b\\\\n"],"area":{"left":0.1}}'
PNG = (  # eight by eight black pixels, and white ones
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADElEQVR42mNgoA4AAABIAAEQRe/SAAAAAElFTkSuQmCC",
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADklEQVR42mP4DwUMlDEA98A/wa9cD80AAAAASUVORK5CYII=",
)
PDF = "JVBERi0xLjQKJcKlwrHDqwoxIDAgb2JqPDwvVHlwZS9DYXRhbG9nPj5lbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+PgolJUVPRgo="
_SEAL = "Y2FuYXJ5LXNlYWw="

Make = Callable[[Ask, Message], Ask]


def _with(ask: Ask, *messages: Message, **more: object) -> Ask:
    return replace(ask, messages=messages, **more)


def _image(number: int) -> Image:
    return Image(data=PNG[number], media_type="image/png")


def _document() -> Document:
    return Document(data=PDF, media_type="application/pdf", name="page.pdf")


def _called(*results: ToolResult, arguments: tuple[str, ...] = ('{"page":1}', '{"page":2}')) -> tuple[Message, Message]:
    """A turn of calls and the turn of their results."""
    made = tuple(ToolCall(each.id, "read_page", said) for each, said in zip(results, arguments, strict=False))
    return Message("assistant", made), Message("tool", results)


def _plain(ask: Ask, first: Message) -> Ask:
    return _with(ask, first)


def _system(ask: Ask, first: Message) -> Ask:
    rules = Message("system", (Text("Answer briefly – in “plain” words. Größe: 1 µm."),))
    return _with(ask, rules, first, Message("assistant", (Text("Yes."),)), Message("user", (Text("Go on."),)))


def _late_system(ask: Ask, first: Message) -> Ask:
    rules, late = (Message("system", (Text(words),)) for words in ("Answer briefly.", "From here on answer at length."))
    return _with(ask, rules, first, Message("assistant", (Text("Yes."),)), late, Message("user", (Text("Go on."),)))


def _tools(ask: Ask, first: Message) -> Ask:
    return _with(ask, first, tools=TOOLS)


def _choosing(choice: ToolChoice, *, parallel: bool | None = None) -> Make:
    return lambda ask, first: _with(ask, first, tools=TOOLS, tool_choice=choice, parallel_tool_calls=parallel)


def _calls(ask: Ask, first: Message) -> Ask:
    """Two calls side by side, one with arguments of every sort and one with none; the second result is an error."""
    made = (ToolCall("call_cnry01", "read_page", _ARGUMENTS), ToolCall("call_cnry02", "note", "{}"))
    results = (
        ToolResult("call_cnry01", (Text("the first page: Größe 🌍"),)),
        ToolResult("call_cnry02", (Text("there is no room for notes"),), is_error=True),
    )
    turns = (Message("assistant", (Text("I'll look."), *made)), Message("tool", results))
    more = (Message("assistant", (Text("I see."),)), Message("user", (Text("And?"),)))
    return _with(ask, first, *turns, *more, tools=TOOLS)


def _result_images(ask: Ask, first: Message) -> Ask:
    """A picture in each of two results that stand side by side."""
    results = (
        ToolResult("call_cnry01", (Text("page one"), _image(0))),
        ToolResult("call_cnry02", (Text("page two"), _image(1))),
    )
    return _with(ask, first, *_called(*results), tools=TOOLS)


def _result_document(ask: Ask, first: Message) -> Ask:
    return _with(ask, first, *_called(ToolResult("call_cnry01", (Text("page one"), _document()))), tools=TOOLS)


def _user(*parts: Part) -> Make:
    return lambda ask, first: _with(ask, Message("user", (*first.content, *parts)))


def _thoughts(ask: Ask, first: Message) -> Ask:
    """Reasoning with its seal, which its own maker wants back beside the call that it led to (A3)."""
    calls, results = _called(ToolResult("call_cnry01", (Text("page one"),)))
    sealed = Message("assistant", (Thought("I need the first page.", _SEAL), *calls.content))
    thinking = Thinking(mode="enabled", budget=1024)
    return _with(ask, first, sealed, results, tools=TOOLS, thinking=thinking, max_tokens=4096)


def _thinking(**control: object) -> Make:
    return lambda ask, first: _with(ask, first, thinking=Thinking(**control), max_tokens=32_000)  # type: ignore[arg-type]


def _limits(ask: Ask, first: Message) -> Ask:
    return _with(ask, first, max_tokens=77, stop=("END", "\n\nHuman:"))


ASKS: Mapping[str, Make] = {
    "plain": _plain,
    "system": _system,
    "late_system": _late_system,
    "tools": _tools,
    "choice_required": _choosing(ToolChoice("required")),
    "choice_tool": _choosing(ToolChoice("tool", "note"), parallel=False),
    "choice_none": _choosing(ToolChoice("none")),
    "calls": _calls,
    "result_images": _result_images,
    "result_document": _result_document,
    "user_images": _user(_image(0), Text("and"), _image(1)),
    "user_document": _user(_document()),
    "thinking_high": _thinking(mode="adaptive", effort="high"),  # in Messages an effort alone asks for no thoughts
    "thinking_off": _thinking(mode="disabled"),
    "thoughts": _thoughts,
    "limits": _limits,
}

_SIGHTED = frozenset({"result_images", "user_images"})
_REASONING = frozenset({"thinking_high", "thinking_off", "thoughts"})
SEALED = ("anthropic_messages",)  # in whose words a thought stands in a request with its seal


def fitting(case: Case, names: tuple[str, ...]) -> list[str]:
    """The asks of `names` that fit the model and the dialect."""
    out: frozenset[str] = frozenset()
    if case.facts.vision is False:
        out |= _SIGHTED
    if case.facts.thinking is False:
        out |= _REASONING
    if case.dialect not in SEALED:
        out |= {"thoughts"}
    return [name for name in names if name not in out]


def loop_ask(case: Case, name: str, mark: str) -> Ask:
    """The ask `name` of ASKS in the words of `case`, found again by `mark`."""
    first = Message("user", (Text(f"[{mark}] This checks what the gateway passes on. Answer with one word."),))
    ask = Ask(
        dialect=case.dialect, model=case.model, messages=(), max_tokens=64, include_usage=True, stream=bool(case.stream)
    )
    return ASKS[name](ask, first)
