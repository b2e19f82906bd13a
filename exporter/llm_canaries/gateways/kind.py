"""What a kind of gateway is: how it is reached and which dialects its clients speak to it."""

from msgspec import Struct


class Kind(Struct, frozen=True, kw_only=True):
    """One kind; `deployed` ones have a URL, `dialects` are those assumed until the configuration says."""

    name: str
    help: str
    deployed: bool
    dialects: tuple[str, ...]
