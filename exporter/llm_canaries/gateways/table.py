"""The table of gateway kinds."""

from collections.abc import Mapping

from llm_canaries.gateways import embedded, openai_compatible
from llm_canaries.gateways.kind import Kind

KINDS: Mapping[str, Kind] = {
    "embedded": embedded.KIND,
    "openai-compatible": openai_compatible.KIND,
}
