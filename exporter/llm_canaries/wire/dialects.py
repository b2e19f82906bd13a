"""The table of dialects."""

from collections.abc import Mapping

from llm_canaries.wire.anthropic_messages.dialect import AnthropicMessages
from llm_canaries.wire.exchange import Dialect
from llm_canaries.wire.openai_chat.dialect import OpenAIChat

DIALECTS: Mapping[str, Dialect] = {
    "openai_chat": OpenAIChat(),
    "anthropic_messages": AnthropicMessages(),
}
