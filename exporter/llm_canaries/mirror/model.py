"""The simulated model: what it is asked, it really does, and nothing else.

It repeats what it is told to repeat, reads digits off the PNG it is shown, multiplies, calls the tools it
is told to call, and spends reasoning by the control it received.
"""

import binascii
import re
from collections.abc import Iterator, Mapping

from llm_canaries.mirror.tokens import count_input, count_part, count_text
from llm_canaries.wire import png
from llm_canaries.wire.json import encode_text
from llm_canaries.wire.message import (
    Ask,
    Finish,
    Image,
    Message,
    Part,
    Reply,
    Text,
    Thinking,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from llm_canaries.wire.thinking import level_of

REASONING: Mapping[str, int] = {  # tokens spent at each level
    "none": 0,
    "minimal": 64,
    "low": 200,
    "medium": 800,
    "high": 2400,
    "xhigh": 4000,
    "max": 6000,
}
_BUDGET_SHARE = 0.6
_SEAL = "bWlycm9y"
_EXACTLY = re.compile(r"reply with exactly this and nothing else: (.+)", re.IGNORECASE)
_NUMBER_SHOWN = re.compile(r"only the number(s?) shown", re.IGNORECASE)
_PRODUCT = re.compile(r"what is (\d+) times (\d+)", re.IGNORECASE)
_OMITTED = re.compile(r"image omitted", re.IGNORECASE)
_GIVEN = re.compile(r"give (\w+) the code (\d+)", re.IGNORECASE)
_RETURNED = re.compile(r"only the numbers that they\s+returned(?:, that of (\w+) first)?", re.IGNORECASE)
_RETURN = re.compile(r"the number is (\d+)", re.IGNORECASE)
_COUNT = re.compile(r"write the numbers from (\d{1,6}) to (\d{1,6}) in order", re.IGNORECASE)
_MOST_NUMBERS = 1000
_MOST_ECHOED = 64 * 1024  # characters
_CALL = re.compile(r"\bcall (?:the tool )?(\w+)(?: and (\w+))?", re.IGNORECASE)


def answer(ask: Ask, *, id: str, created: int) -> Reply:
    """The model's reply to `ask`; the same ask gives the same reply."""
    reasoning = reasoning_for(ask.thinking)
    said: tuple[Part, ...] = tuple(_calls(ask, id)) or (Text(_words(ask)),)
    finish = Finish.TOOL if isinstance(said[0], ToolCall) else Finish.STOP
    cap = ask.max_tokens
    if cap is not None and reasoning >= cap:
        reasoning, said, finish = cap, (), Finish.LENGTH
    spoken = sum(count_part(part) for part in said)
    if cap is not None and reasoning + spoken > cap:
        said, finish = _cut(said, cap - reasoning), Finish.LENGTH
        spoken = sum(count_part(part) for part in said)
    thought = (Thought(f"I thought about it for {reasoning} tokens.", _SEAL),) if reasoning else ()
    read, output = count_input(ask), reasoning + max(1, spoken)
    return Reply(
        dialect="mirror",
        id=id,
        model=ask.model,
        created=created,
        content=(*thought, *said),
        finish=finish,
        usage=Usage(
            input=read, output=output, reasoning=reasoning, cache_read=0, cache_write=0, total_reported=read + output
        ),
        effort=level_of(ask.thinking) if ask.thinking else None,
    )


def reasoning_for(thinking: Thinking | None) -> int:
    """Reasoning tokens spent for a control: a share of a budget, a fixed amount for a level, none for no control."""
    if thinking is None:
        return 0
    if thinking.mode != "disabled" and thinking.budget is not None:
        return min(int(thinking.budget * _BUDGET_SHARE), REASONING["max"])
    return REASONING.get(level_of(thinking) or "none", 0)


def _words(ask: Ask) -> str:
    prompts = "\n".join(text for message in ask.messages if message.role == "user" for text in _texts(message))
    if matches := _EXACTLY.findall(prompts):
        return str(matches[-1]).strip()[:_MOST_ECHOED]
    if match := _NUMBER_SHOWN.search(prompts):
        if numbers := list(_numbers(ask)):
            return ", ".join(numbers) if match[1] else numbers[-1]
        return "NONE, the image was omitted." if _OMITTED.search(_shown_text(ask)) else "NONE"
    if (match := _RETURNED.search(prompts)) and (returned := _returns(ask, match[1])):
        return ", ".join(returned)
    if match := _COUNT.search(prompts):
        first, last = int(match[1]), int(match[2])
        return " ".join(str(number) for number in range(first, min(last, first + _MOST_NUMBERS) + 1))
    if matches := _PRODUCT.findall(prompts):
        left, right = matches[-1]
        return str(int(left[:20]) * int(right[:20]))
    return "ok"


def _shown_text(ask: Ask) -> str:
    """All words but the model's own, those of tool results too."""
    parts = [part for message in ask.messages if message.role != "assistant" for part in message.content]
    inner = [each for part in parts for each in (part.content if isinstance(part, ToolResult) else (part,))]
    return "\n".join(each.text for each in inner if isinstance(each, Text))


def _returns(ask: Ask, first: str | None) -> list[str]:
    """The number that each tool returned: that of the tool `first`, then in the order in which they were called."""
    parts = [part for message in ask.messages for part in message.content]
    results = {part.id: part for part in parts if isinstance(part, ToolResult)}
    calls = [part for part in parts if isinstance(part, ToolCall) and part.id in results]
    said = [
        "\n".join(each.text for each in results[call.id].content if isinstance(each, Text))
        for call in sorted(calls, key=lambda call: call.name != first)
    ]
    return [match[1] for text in said if (match := _RETURN.search(text))]


def _texts(message: Message) -> Iterator[str]:
    return (part.text for part in message.content if isinstance(part, Text))


def _numbers(ask: Ask) -> Iterator[str]:
    """The number on every picture that the model can see: those of tools in the order of their calls, then others."""
    parts = [part for message in ask.messages for part in message.content]
    results = {part.id: part for part in parts if isinstance(part, ToolResult)}
    called = [results.pop(part.id) for part in parts if isinstance(part, ToolCall) and part.id in results]
    shown = [each for result in (*called, *results.values()) for each in result.content]
    for image in (*shown, *parts):
        if isinstance(image, Image) and (number := _read(image)) is not None:
            yield number


def _read(image: Image) -> str | None:
    try:
        return png.read_number(binascii.a2b_base64(image.data or ""))
    except (binascii.Error, png.PngError):
        return None


def _calls(ask: Ask, id: str) -> Iterator[ToolCall]:
    """The calls that the last message or the tool choice asks for."""
    names = [tool.name for tool in ask.tools if isinstance(tool, Tool)]
    last = ask.messages[-1] if ask.messages else Message("user", ())  # Responses may only name a stored answer
    choice = ask.tool_choice
    if last.role != "user" or not names or (choice and choice.mode == "none"):
        return
    wanted: list[str] = []
    if (match := _CALL.search("\n".join(_texts(last)))) is not None:
        wanted = [name for name in match.groups() if name in names]
    if choice and choice.mode == "tool" and choice.name in names:
        wanted = [choice.name or ""]
    if not wanted and choice and choice.mode == "required":
        wanted = names[:1]
    if ask.parallel_tool_calls is False:
        wanted = wanted[:1]
    given = dict(_GIVEN.findall("\n".join(_texts(last))))
    for number, name in enumerate(wanted, 1):
        arguments = encode_text({"code": given[name]}) if name in given else "{}"
        yield ToolCall(f"call_{id}_{number}", name, arguments)


def _cut(said: tuple[Part, ...], room: int) -> tuple[Part, ...]:
    """What fits into `room` tokens: text is cut, calls do not fit in part."""
    text = "".join(part.text for part in said if isinstance(part, Text)).encode()[: max(0, room) * 4]
    words = text.decode("utf-8", "ignore")
    return (Text(words),) if words and count_text(words) <= room else ()
