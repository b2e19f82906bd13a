"""Signatures of reasoning on their way through clients of another dialect.

A seal proves a thought to its maker alone (protocols.md H1). A client that speaks another dialect carries it with the
maker's name in front, so that it finds its way back and no other provider is shown it.
"""

_MARK = "#"  # no base64 holds it


def carried(signature: str, maker: str, speaker: str) -> str:
    """`signature` by `maker`, as a client that speaks `speaker` carries it."""
    return signature if maker == speaker else f"{maker}{_MARK}{signature}"


def brought_back(signature: str, speaker: str, target: str) -> str | None:
    """The seal that `target` made, out of what a client of `speaker` sends; None where another one made it."""
    maker, mark, own = signature.partition(_MARK)
    if not mark:
        maker, own = speaker, signature
    return own if maker == target else None
