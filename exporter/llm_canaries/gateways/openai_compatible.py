"""openai-compatible: any deployed gateway that speaks Chat Completions, and Messages where it has it."""

from llm_canaries.gateways.kind import Kind

KIND = Kind(
    name="openai-compatible",
    help="any deployed gateway over HTTP: CLIProxyAPI, LiteLLM, Portkey, your own",
    deployed=True,
    dialects=("openai_chat", "anthropic_messages"),
)
