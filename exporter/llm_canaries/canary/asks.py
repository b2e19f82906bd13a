"""The asks that canaries send, in hub form; every prompt opens with the mark that finds it again."""

from base64 import b64encode

from msgspec.structs import replace

from llm_canaries.canary.canary import Case
from llm_canaries.wire import png
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.message import Ask, Image, Message, Part, Text, Thinking, Tool, ToolCall, ToolResult
from llm_canaries.wire.nonce import Draw

TOOL = Tool(
    name="read_image",
    description="Returns one image.",
    schema={"type": "object", "properties": {}},
)
_CALL_ID = "call_cnry01"


def text_ask(case: Case, prompt: str, *, cap: int, thinking: Thinking | None = None) -> Ask:
    """One user turn."""
    return Ask(
        dialect=case.dialect,
        model=case.model,
        messages=(Message("user", (Text(prompt),)),),
        max_tokens=cap,
        thinking=thinking,
        include_usage=True,
    )


def image_round_trip(case: Case, mark: str, image: str | None, *, cap: int) -> Ask:
    """A finished tool call whose result holds the base64 PNG `image`, or no image at all (protocols.md D3, J)."""
    question = (
        f"[{mark}] Call read_image, then reply with only the number shown in the image it returns. "
        "If you see no image, reply NONE."
    )
    shown: tuple[Part, ...] = (Image(data=image, media_type="image/png"),) if image is not None else ()
    return Ask(
        dialect=case.dialect,
        model=case.model,
        messages=(
            Message("user", (Text(question),)),
            Message("assistant", (ToolCall(_CALL_ID, TOOL.name, "{}"),)),
            Message("tool", (ToolResult(_CALL_ID, (Text("image attached"), *shown)),)),
        ),
        tools=(TOOL,),
        max_tokens=cap,
        include_usage=True,
    )


def number_image(number: str, draw: Draw) -> str:
    """`number` as a base64 PNG."""
    return b64encode(png.draw_number(number, draw)).decode()


def echo_prompt(mark: str, words: str) -> str:
    """Asks for `words` back, exactly."""
    return f"[{mark}] Reply with exactly this and nothing else: {words}"


def sending(case: Case, ask: Ask, mark: str, *, stream: bool | None = None) -> Send:
    """The step that sends `ask` as `case` does; `stream` overrides the case's own."""
    streams = bool(case.stream) if stream is None else stream
    asked = replace(ask, stream=streams)
    return Send(ask=asked, dialect=case.dialect, stream=streams, profile=case.profile, mark=mark)
