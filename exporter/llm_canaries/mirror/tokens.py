"""A tokenizer of its own: the same count for the same hub values, whatever dialect they came in."""

import binascii
from math import ceil

from llm_canaries.wire import png
from llm_canaries.wire.json import encode
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Opaque,
    Part,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
)

_PER_MESSAGE = 4
_UNSEEN_IMAGE = 1000  # an image whose size is not known: given by URL, or no PNG
_PIXELS_PER_TOKEN = 750  # Claude's published rule of thumb (protocols.md D3)


def count_input(ask: Ask) -> int:
    """Tokens of everything that `ask` makes the model read."""
    parts = sum(_PER_MESSAGE + sum(count_part(part) for part in message.content) for message in ask.messages)
    return parts + sum(_count_tool(tool) for tool in ask.tools)


def count_text(text: str) -> int:
    """Tokens of `text`: one for four bytes, rounded up."""
    return ceil(len(text.encode()) / 4)


def count_part(part: Part) -> int:
    """Tokens of one part."""
    match part:
        case Text(text) | Refusal(text):
            return count_text(text)
        case Thought(text, signature, redacted):
            return count_text(text + (signature or "") + (redacted or ""))
        case Image(data=data):
            return _count_image(data)
        case Document(data=data):
            return ceil(len(data or "") / 16) or _UNSEEN_IMAGE
        case ToolCall(_, name, arguments):
            return count_text(name) + count_text(arguments)
        case ToolResult(_, content):
            return sum(count_part(each) for each in content)
        case Opaque(_, block):
            return count_text(encode(block).decode())


def _count_image(data: str | None) -> int:
    try:
        width, height = png.size(binascii.a2b_base64(data or ""))
    except (binascii.Error, png.PngError):
        return _UNSEEN_IMAGE
    return ceil(width * height / _PIXELS_PER_TOKEN)


def _count_tool(tool: Tool | Opaque) -> int:
    if isinstance(tool, Opaque):
        return count_part(tool)
    return count_text(tool.name + (tool.description or "")) + count_text(encode(tool.schema or {}).decode())
