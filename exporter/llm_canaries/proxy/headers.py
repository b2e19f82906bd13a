"""Headers that a request needs whatever its body is."""

from collections.abc import Mapping

from llm_canaries.wire.anthropic_messages.ask import VERSION
from llm_canaries.wire.headers import Headers

STANDING_HEADERS: Mapping[str, Headers] = {
    "anthropic_messages": (("anthropic-version", VERSION),),  # 400 without it, on every path
}
