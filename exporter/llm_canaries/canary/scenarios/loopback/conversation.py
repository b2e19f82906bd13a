"""What a gateway made of a conversation: system, words and calls, turn by turn; results are in results.py."""

from collections.abc import Iterator

from llm_canaries.canary.scenarios.loopback.calls import calls_differ
from llm_canaries.canary.scenarios.loopback.reasons import MISSING, NOTHING, Difference, Reason, parted, shown
from llm_canaries.canary.scenarios.loopback.results import media_differ, results_differ
from llm_canaries.canary.scenarios.loopback.turns import Turn, squeezed, system_of, turns_of
from llm_canaries.wire.message import Ask

Differences = Iterator[Difference]
NO_IDS = frozenset({"gemini"})  # dialects whose calls need no id (protocols.md A4)


def conversation_differs(asked: Ask, due: Ask, came: Ask) -> Differences:
    """The differences between what was `asked`, in the client's words, and what `came` to the mirror.

    `due` is what our own writing of it in the mirror's dialect says: what that cannot say is nobody's loss.
    """
    yield from _system_differs(asked, came)
    before, wanted, after = turns_of(asked), turns_of(due), turns_of(came)
    renamed: dict[str, str] = {}
    for at, turn in enumerate(before):
        if at >= len(after):
            yield Difference(Reason.TEXT_CHANGED, turn.where, f"{turn.role} turn", MISSING)
        elif after[at].role != turn.role:
            yield Difference(Reason.ORDER_CHANGED, turn.where, f"{turn.role} turn", f"{after[at].role} turn")
            return
        else:
            if came.dialect in NO_IDS:
                renamed |= {its.id: own.id for own, its in zip(turn.calls, after[at].calls, strict=False)}
            yield from _turn_differs(turn, wanted[at] if at < len(wanted) else turn, after[at], asked, came, renamed)
    for turn in after[len(before) :]:
        yield Difference(Reason.TEXT_CHANGED, turn.where, NOTHING, f"{turn.role} turn: {shown(''.join(turn.words))}")


def _turn_differs(
    before: Turn, due: Turn, after: Turn, asked: Ask, came: Ask, renamed: dict[str, str]
) -> Differences:
    yield from calls_differ(before.where, before.calls, after.calls, ids=came.dialect not in NO_IDS)
    yield from results_differ(before, due, after, renamed)
    yield from media_differ(before, due, after, renamed)
    yield from _words_differ(before, after, asked)
    if asked.dialect == came.dialect:  # another maker's reasoning proves nothing to this one (H1, row "thinking")
        kept = {(thought.signature, thought.text) for thought in after.thoughts}
        for thought in due.thoughts:
            if (thought.signature, thought.text) not in kept:
                yield Difference(Reason.THOUGHT_LOST, before.where, f"thought {shown(thought.text)!r}", MISSING)


def _words_differ(before: Turn, after: Turn, asked: Ask) -> Differences:
    """The words are all there, in order; what is added is a line about a tool's pictures, or a moved system message."""
    wanted, came = squeezed("".join(before.words)), squeezed("".join(after.words))
    if wanted == came:
        return
    labelled = before.role == "tool" and bool(before.media)
    moved = bool(system_of(asked)[1:])
    if (labelled or moved) and _within([squeezed(words) for words in before.words], came):
        return
    yield Difference(Reason.TEXT_CHANGED, before.where, *parted("".join(before.words), "".join(after.words)))


def _within(pieces: list[str], text: str) -> bool:
    """Whether `text` holds the pieces, in order."""
    at = 0
    for piece in pieces:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


def _system_differs(asked: Ask, came: Ask) -> Differences:
    """Every system message came as one, in mid-conversation as a user's reminder too; none came that nobody wrote."""
    rest = squeezed("".join(system_of(came)))
    spoken = squeezed("".join(words for turn in turns_of(came) for words in turn.words))
    for at, words in enumerate(system_of(asked)):
        text = squeezed(words)
        if text in rest:
            rest = rest.replace(text, "", 1)
        elif text in spoken:
            if at == 0:
                yield Difference(Reason.SYSTEM_LOST, "system", shown(words), "in a user's turn")
        else:
            yield Difference(Reason.SYSTEM_LOST, "system", shown(words), MISSING)
    if rest:
        yield Difference(Reason.SYSTEM_ADDED, "system", NOTHING, shown("\n".join(system_of(came))))
