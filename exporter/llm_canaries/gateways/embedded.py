"""embedded: the proxy core of this program, in front of providers or of the mirror."""

from llm_canaries.gateways.kind import Kind

KIND = Kind(
    name="embedded",
    help="the proxy core of this program, in front of your providers or of the mirror",
    deployed=False,
    dialects=("openai_chat", "openai_responses", "anthropic_messages", "gemini"),
)
