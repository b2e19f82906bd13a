"""The asks that canaries send, in hub form; every prompt opens with the mark that finds it again."""

from base64 import b64encode
from collections.abc import Sequence

from msgspec.structs import replace

from llm_canaries.canary.canary import Case
from llm_canaries.wire import png
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.message import Ask, Image, Message, Part, Text, Thinking, Tool, ToolCall, ToolResult
from llm_canaries.wire.nonce import Draw
from llm_canaries.wire.thinking import BUDGETS, budget_of, split_suffix

TOOL = Tool(
    name="read_image",
    description="Returns one image.",
    schema={"type": "object", "properties": {}},
)
PAGED_TOOL = Tool(
    name="read_page",
    description="Returns the image of one page.",
    schema={"type": "object", "properties": {"page": {"type": "integer"}}, "required": ["page"]},
)
USER = "llm-canaries"
_STRINGIFIED = {"stringified": None}  # what wire/openai_responses/parts.py writes as JSON text (protocols.md J2b)


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


def image_round_trip(
    case: Case, mark: str, images: Sequence[str | None], *, cap: int, stringified: bool = False
) -> Ask:
    """A finished round trip of one tool call for each of `images` (protocols.md D3, J).

    An image is a base64 PNG, or None for a result without one; `stringified` results say their parts as JSON text,
    as Codex' view_image does.
    """
    tool, question = (TOOL, _ONE_IMAGE) if len(images) == 1 else (PAGED_TOOL, _MORE_IMAGES)
    made = tuple(
        ToolCall(f"call_cnry0{page}", tool.name, "{}" if tool is TOOL else f'{{"page":{page}}}')
        for page in range(1, len(images) + 1)
    )
    results = tuple(
        ToolResult(call.id, (Text("image attached"), *_shown(image)), extra=_STRINGIFIED if stringified else {})
        for call, image in zip(made, images, strict=True)
    )
    return Ask(
        dialect=case.dialect,
        model=case.model,
        messages=(
            Message("user", (Text(f"[{mark}] {question} If you see no image, reply NONE."),)),
            Message("assistant", made),
            Message("tool", results),
        ),
        tools=(tool,),
        max_tokens=cap,
        include_usage=True,
    )


_ONE_IMAGE = "Call read_image, then reply with only the number shown in the image it returns."
_MORE_IMAGES = (
    "Call read_page for page 1 and for page 2 at once, then reply with only the numbers shown in the images that come "
    "back, that of page 1 first."
)


def user_image(case: Case, mark: str, image: str, *, cap: int) -> Ask:
    """One user turn that shows the base64 PNG `image`."""
    words = f"[{mark}] Reply with only the number shown in this image. If you see no image, reply NONE."
    return Ask(
        dialect=case.dialect,
        model=case.model,
        messages=(Message("user", (Text(words), *_shown(image))),),
        max_tokens=cap,
        include_usage=True,
    )


def _shown(image: str | None) -> tuple[Part, ...]:
    return (Image(data=image, media_type="image/png"),) if image is not None else ()


def number_image(number: str, draw: Draw) -> str:
    """`number` as a base64 PNG."""
    return b64encode(png.draw_number(number, draw)).decode()


def echo_prompt(mark: str, words: str) -> str:
    """Asks for `words` back, exactly."""
    return f"[{mark}] Reply with exactly this and nothing else: {words}"


def sending(case: Case, ask: Ask, mark: str, *, stream: bool | None = None) -> Send:
    """The step that sends `ask` as `case` does, in the name of canaries; `stream` overrides the case's own.

    Its limit leaves room for the reasoning that the model's id asks for.
    """
    streams = bool(case.stream) if stream is None else stream
    cap = None if ask.max_tokens is None else ask.max_tokens + suffix_budget(case)
    asked = _named(replace(ask, stream=streams, max_tokens=cap), case)
    return Send(ask=asked, dialect=case.dialect, stream=streams, profile=case.profile, mark=mark)


def suffix_budget(case: Case) -> int:
    """The tokens of reasoning that an id such as `model(high)` asks for, whatever the ask says (protocols.md C2)."""
    asked = split_suffix(case.model)[1]
    return (budget_of(asked, {**BUDGETS, **case.profile.budgets}) or 0) if asked is not None else 0


def _named(ask: Ask, case: Case) -> Ask:
    """`ask` with the field that says who asks: one name for all, since gateways keep an account of each (LiteLLM)."""
    field = case.profile.user_field
    if field is None or case.dialect == "gemini":  # which has no such field
        return ask
    if field != "user" and case.dialect != "anthropic_messages":
        return replace(ask, extra={**ask.extra, field: USER})
    return replace(ask, user=USER)
