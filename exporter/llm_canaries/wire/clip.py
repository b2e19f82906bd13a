"""Others' words cut short, with a mark at the cut: a secret may have been cut in two there, and whoever takes secrets
out (config/secrets.py) looks for the half that is left beside it.
"""

CUT = "…"
SHOWN = 60  # characters of others' words in a sentence of ours


def clipped(text: str, most: int = SHOWN) -> str:
    """`text`, or its first `most` characters, the last of which is then the mark."""
    return text if len(text) <= most else text[: most - 1] + CUT
