"""Who we say we are: the User-Agent of canaries, and of the proxy, which asks for others."""

from functools import cache
from importlib.metadata import version
from typing import Literal


@cache
def agent(what: Literal["canary", "proxy"]) -> str:
    """`llm-canaries/1.2.3 (canary)`."""
    return f"llm-canaries/{version('llm-canaries')} ({what})"
