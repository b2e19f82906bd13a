"""The table of dialects."""

from collections.abc import Mapping

from llm_canaries.wire.anthropic_messages.dialect import AnthropicMessages
from llm_canaries.wire.exchange import Dialect
from llm_canaries.wire.gemini.dialect import Gemini
from llm_canaries.wire.openai_chat.dialect import OpenAIChat
from llm_canaries.wire.openai_responses.dialect import OpenAIResponses

DIALECTS: Mapping[str, Dialect] = {
    "openai_chat": OpenAIChat(),
    "openai_responses": OpenAIResponses(),
    "anthropic_messages": AnthropicMessages(),
    "gemini": Gemini(),
}
