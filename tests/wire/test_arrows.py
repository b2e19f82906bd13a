"""Covers every arrow for asks that hold everything: what is said comes back, and what does not is a declared loss.

tests/wire/test_translation.py has the fields of an ask; here are the parts: seals, refusals, late system messages,
blocks and fields of one dialect alone, files by URL, errors and empty results.
"""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.message import (
    Ask,
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
    ToolResult,
)
from llm_canaries.wire.profile import ModelFacts, Profile

CHAT, RESPONSES, MESSAGES, GEMINI = "openai_chat", "openai_responses", "anthropic_messages", "gemini"
ARROWS = [(source, target) for source in DIALECTS for target in DIALECTS]
PROFILES = [Profile(), Profile(tool_images=True), Profile(models={"*": ModelFacts(result_parts=False)})]

WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)
NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
SEALS = st.from_regex(r"[A-Za-z0-9]{8}", fullmatch=True)
BASE64 = st.from_regex(r"[A-Za-z0-9+/]{4}", fullmatch=True)
ODD = {"oddField": {"a": [1, None]}}
EXTRAS = st.sampled_from([{}, {}, ODD])
PICTURES = st.builds(Image, data=BASE64, media_type=st.just("image/png")) | st.just(Image(url="https://x.test/a.png"))
FILES = (
    PICTURES
    | st.builds(Document, data=BASE64, media_type=st.just("application/pdf"), name=st.none() | NAMES)
    | st.builds(Document, url=st.just("https://x.test/a.pdf"), name=st.none() | NAMES)
)
NUMBERS = st.sampled_from(["1e400", "-1e-400", "0.1000000000000000055", str(2**70), "1.5", "1E+2"])
ARGUMENTS = NUMBERS.map('{{"n":{}}}'.format) | st.just("{}")


def opaque(speaker: str, *, in_result: bool = False) -> Opaque:
    """A block that `speaker` alone knows; in a result Gemini knows files only."""
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "QUJD"}}
    return Opaque(speaker, sound if speaker == GEMINI and in_result else {"type": "odd", "n": 1})


@st.composite
def turns(draw: st.DrawFn, speaker: str) -> list[Message]:
    """A user turn, what the model made of it, the results of its calls, and perhaps a late word of the system."""
    texts = st.builds(Text, WORDS, EXTRAS)
    user = draw(st.lists(texts | FILES | st.just(opaque(speaker)), max_size=3))
    makers = [speaker, *(f"{maker}#" for maker in DIALECTS if maker != CHAT)]  # which makes no seals
    said = st.sampled_from(makers).flatmap(
        lambda maker: SEALS.map(lambda seal: seal if maker == speaker else maker + seal)
    )
    thoughts = st.builds(Thought, WORDS) if speaker == CHAT else st.builds(Thought, WORDS, said)
    sealed = thoughts if speaker == CHAT else thoughts | said.map(lambda seal: Thought(redacted=seal))
    answer = draw(st.lists(sealed | WORDS.map(Text) | WORDS.map(Refusal) | st.just(opaque(speaker)), max_size=4))
    calls = [ToolCall(f"call_{name}", name, draw(ARGUMENTS), draw(EXTRAS)) for name in draw(st.sets(NAMES, max_size=3))]
    held = WORDS.map(Text) | FILES | st.just(opaque(speaker, in_result=True))
    results = tuple(
        ToolResult(call.id, tuple(draw(st.lists(held, max_size=3))), draw(st.sampled_from([None, True])), draw(EXTRAS))
        for call in calls
    )
    found = [Message("user", tuple(user)), Message("assistant", (*answer, *calls))]
    found += [Message("tool", results)] if results else []
    return found + draw(st.lists(WORDS.map(lambda text: Message("system", (Text(text),))), max_size=1))


@st.composite
def asks(draw: st.DrawFn, speaker: str) -> Ask:
    rounds = [turn for each in draw(st.lists(turns(speaker), min_size=1, max_size=2)) for turn in each]
    tools: list[Tool | Opaque] = [Tool(draw(NAMES), None, {"type": "object"}, draw(EXTRAS))]
    tools += draw(st.lists(st.just(opaque(speaker)), max_size=1))
    messages = tuple(turn for turn in rounds if turn.content) or (Message("user", (Text("x"),)),)
    return Ask(dialect=speaker, model="m", max_tokens=99, messages=messages, tools=tuple(tools), extra=draw(EXTRAS))


def parts_of(ask: Ask) -> list[Part]:
    """Every part, those inside results among them."""
    parts = [part for turn in ask.messages for part in turn.content]
    return [*parts, *(inner for part in parts if isinstance(part, ToolResult) for inner in part.content)]


def words_of(ask: Ask) -> str:
    """The words outside results, without the labels that bind moved files to their calls."""
    parts = [part for turn in ask.messages for part in turn.content if isinstance(part, Text | Refusal)]
    return "".join(part.text for part in parts if not part.text.startswith(("Returned by tool call ", "call_")))


def files_of(ask: Ask) -> Counter[str]:
    """What of files every dialect says: the bytes or the place."""
    return Counter(part.data or part.url or "" for part in parts_of(ask) if isinstance(part, Image | Document))


def seals_of(ask: Ask, target: str) -> list[tuple[str, str]]:
    """Words and seals of the thoughts that `target` made: it is shown no others."""
    found = []
    for part in parts_of(ask):
        if isinstance(part, Thought):
            maker, mark, seal = (part.redacted or part.signature or "").rpartition("#")
            if ask.dialect == target == CHAT or (maker if mark else ask.dialect) == target:
                found.append((part.text, seal))
    return found


def fields_of(ask: Ask) -> int:
    """How often the odd field was said."""
    holders: list[Any] = [ask, *parts_of(ask), *(tool for tool in ask.tools if isinstance(tool, Tool))]
    return sum(getattr(each, "extra", {}).get("oddField") == ODD["oddField"] for each in holders)


def opaque_of(ask: Ask) -> int:
    return sum(isinstance(part, Opaque) for part in (*parts_of(ask), *ask.tools))


@pytest.mark.parametrize(("source", "target"), ARROWS)
@pytest.mark.parametrize("profile", PROFILES, ids=["generic", "tool_images", "no_result_parts"])
def test_what_is_asked_comes_back_or_is_declared(source: str, target: str, profile: Profile) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(asks(source))
    def check(ask: Ask) -> None:
        request = DIALECTS[target].write_ask(ask, profile)
        said = DIALECTS[target].read_ask(request.body, request.path)
        lost = Counter(loss.what for loss in request.losses)
        same = source == target
        kept = words_of(said) == words_of(ask)
        assert kept or (lost["order of parts"] and sorted(words_of(said)) == sorted(words_of(ask)))
        check_calls(ask, said)
        check_results(ask, said, lost)
        missing = files_of(ask) - files_of(said)
        assert missing.total() <= lost["document"], lost
        assert not files_of(said) - files_of(ask)
        check_thoughts(ask, said, lost)
        refusals = [part for part in parts_of(ask) if isinstance(part, Refusal)]
        declined = any(isinstance(part, Refusal) for part in parts_of(said))
        assert lost["refusal, said as text"] == (0 if target in (CHAT, RESPONSES) else len(refusals))
        assert declined == (bool(refusals) and target in (CHAT, RESPONSES))
        assert lost["field oddField"] == (0 if same else fields_of(ask))
        assert fields_of(said) == (fields_of(ask) if same else 0)
        unknown = sum(many for what, many in lost.items() if what.startswith(("opaque", "tool of type")))
        assert (opaque_of(said), unknown) == ((opaque_of(ask), 0) if same else (0, opaque_of(ask)))
        late = [turn for at, turn in enumerate(ask.messages) if turn.role == "system" and at]
        moved = lost["a message in mid-conversation, said as user"]
        assert moved == (len(late) if target == GEMINI else 0)

    check()


def check_calls(ask: Ask, said: Ask) -> None:
    calls = [[part for part in parts_of(each) if isinstance(part, ToolCall)] for each in (ask, said)]
    found, wanted = ([(call.id, call.name, digits(call.arguments)) for call in each] for each in calls)
    assert found == wanted


def check_results(ask: Ask, said: Ask, lost: Counter[str]) -> None:
    results = [[part for part in parts_of(each) if isinstance(part, ToolResult)] for each in (said, ask)]
    found, wanted = ([(part.id, texts_of(part)) for part in each] for each in results)
    assert found == wanted
    errors = [part.id for part in results[1] if part.is_error]
    assert [part.id for part in results[0] if part.is_error] == ([] if lost["is_error"] else errors)
    assert lost["is_error"] in (0, len(errors))


def check_thoughts(ask: Ask, said: Ask, lost: Counter[str]) -> None:
    thoughts = [part for part in parts_of(ask) if isinstance(part, Thought)]
    found, wanted = seals_of(said, said.dialect), seals_of(ask, said.dialect)
    if said.dialect == CHAT:  # one field for all of them in a turn
        assert "".join(text for text, _ in found) == "".join(text for text, _ in wanted)
    elif ask.dialect == said.dialect == GEMINI:  # an own seal of no words stands on the part that follows
        assert [each for each in found if each[0]] == [each for each in wanted if each[0]]
    elif ask.dialect != said.dialect:
        assert found == wanted
    gone = sum(many for what, many in lost.items() if what.startswith("thinking"))
    assert gone == len(thoughts) - len(wanted) or ask.dialect == said.dialect


def digits(arguments: str) -> Any:
    """Arguments with the digits that their numbers came with."""
    return json.loads(arguments, parse_float=Decimal, parse_int=Decimal)


def texts_of(result: ToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, Text))
