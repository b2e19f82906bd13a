"""Text as SQLite takes it."""


def storable(text: str) -> str:
    r"""`text` with lone surrogates, which UTF-8 cannot say, spelled as `\udxxx`: odd answers lose no run."""
    return text.encode("utf-8", "backslashreplace").decode()
