"""What a sound gateway may do to an ask on its way: everything is still said, only arranged otherwise."""

import json

from msgspec.structs import replace

from llm_canaries.service.mutants.habits import pick
from llm_canaries.wire import message as m
from llm_canaries.wire.nonce import Draw

_LABELS = ("Returned by tool call {}:", "Image from {}", "")
_NOTES = ("", "\n[image attached below]", " (see the image)")


def lawful(ask: m.Ask, draw: Draw) -> m.Ask:
    """`ask` as one of many sound gateways would write it."""
    messages: list[m.Message] = []
    hoists = draw(2) == 0
    for message in ask.messages:
        if message.role == "tool" and hoists:
            messages += _hoisted(message, draw)
        elif message.role == "assistant":
            messages.append(replace(message, content=tuple(_respelled(part, draw) for part in message.content)))
        else:
            messages += _split(message, draw)
    tools = ask.tools[::-1] if draw(2) == 0 else ask.tools
    cap = ask.max_tokens if ask.max_tokens is not None or draw(2) == 0 else 4096
    return replace(
        ask, messages=tuple(messages), tools=tuple(map(_forbidding, tools)) if draw(2) == 0 else tools, max_tokens=cap
    )


def _hoisted(message: m.Message, draw: Draw) -> list[m.Message]:
    """Results without their pictures, and those in a user's turn after them."""
    bare, shown = list[m.Part](), list[m.Part]()
    label, note = pick(_LABELS, draw), pick(_NOTES, draw)
    for part in message.content:
        assert isinstance(part, m.ToolResult)
        media = [each for each in part.content if isinstance(each, m.Image | m.Document)]
        text = "\n".join(each.text for each in part.content if isinstance(each, m.Text))
        bare.append(replace(part, content=(m.Text(text + (note if media else "")),)))
        if media:
            shown += [m.Text(label.format(part.id))] if label else []
            shown += media
    return [replace(message, content=tuple(bare)), *([m.Message("user", tuple(shown))] if shown else [])]


def _respelled(part: m.Part, draw: Draw) -> m.Part:
    if not isinstance(part, m.ToolCall):
        return part
    loose = json.dumps(json.loads(part.arguments), ensure_ascii=draw(2) == 0)
    return replace(part, arguments=pick((part.arguments, loose, f" {loose}\n"), draw))


def _split(message: m.Message, draw: Draw) -> list[m.Message]:
    """A turn in one message, in one a part, or with its words in pieces."""
    way = draw(3)
    if way == 0 and message.role == "user":
        return [replace(message, content=(part,)) for part in message.content]
    if way == 1:
        pieces: list[m.Part] = []
        for part in message.content:
            pieces += [m.Text(word) for word in part.text.split(" ")] if isinstance(part, m.Text) else [part]
        return [replace(message, content=tuple(pieces))]
    return [message]


def _forbidding(tool: m.Tool | m.Opaque) -> m.Tool | m.Opaque:
    """The tool with a schema that forbids more arguments than it names."""
    if isinstance(tool, m.Opaque) or tool.schema is None:
        return tool
    return replace(tool, schema={**tool.schema, "additionalProperties": False})
