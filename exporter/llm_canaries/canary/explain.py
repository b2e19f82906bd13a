"""The pages behind the reasons: what each means, what to check first, what to do."""

from importlib.resources import files

from msgspec import Struct, convert

from llm_canaries.config.content import read_content


class Page(Struct, frozen=True, forbid_unknown_fields=True, rename={"attempt": "try"}):
    """One reason, explained; `attempt` is the command that shows it on the mirror."""

    title: str
    means: str
    check: tuple[str, ...]
    do: tuple[str, ...]
    seen: tuple[str, ...] = ()
    attempt: str = ""


def read_pages() -> dict[str, Page]:
    """Every page by its reason."""
    folder = files("llm_canaries.canary") / "reasons"
    pages: dict[str, Page] = {}
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".yml"):
            pages |= convert(read_content(entry.read_text(encoding="utf-8")), dict[str, Page])
    return pages


def page_text(reason: str, page: Page) -> str:
    """The page as text; long lines are left to the terminal."""
    parts = (("Check first", page.check), ("Then", page.do), ("Seen in", page.seen))
    blocks = [f"{reason}: {page.title}", page.means.strip(), *listed(parts)]
    if page.attempt:
        blocks.append(f"See it happen: {page.attempt}")
    return "\n\n".join(blocks)


def listed(parts: tuple[tuple[str, tuple[str, ...]], ...]) -> list[str]:
    """The headings with their lines; those without lines are left out."""
    return ["\n".join([f"{heading}:", *(f"  - {line}" for line in lines)]) for heading, lines in parts if lines]
