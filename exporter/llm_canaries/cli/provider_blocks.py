"""What to paste where, so that a gateway reaches the mirror: one block a gateway, shapes as its own version reads them.

`{url}` is the mirror's; the key is that of MIRROR_KEY, in the gateway's own words for the environment.
"""

from collections.abc import Mapping
from textwrap import wrap

from msgspec import Struct


class Block(Struct, frozen=True, kw_only=True):
    """`paste` says where `text` goes; `loopback` is the model id to ask the gateway for, `upstream` the mirror's.

    `doors` are further ones, by the dialect in which the gateway then asks the mirror.
    """

    help: str
    comment: str
    paste: str
    text: str
    loopback: str
    upstream: str = "mirror/healthy"
    doors: Mapping[str, str] = {}


BLOCKS: Mapping[str, Block] = {
    "cliproxyapi": Block(
        help="CLIProxyAPI v6 and v7, and its forks",
        comment="#",
        paste=(
            "Paste into config.yaml; where one of these lists is there already, add the entry to it. CLIProxyAPI reads "
            "no environment variables; this puts the key in:\n"
            "canaries mirror --print-config cliproxyapi | grep -v '^#' | envsubst '$MIRROR_KEY'\n"
            "Each list is a door of its own: what CLIProxyAPI asks of Chat Completions, Responses, Messages and Gemini "
            "providers goes through other translators. Keep those that you need. `thinking` and `input-modalities` say "
            "that the model reasons and sees, as those that matter do. Without `disable-cooling` the faults that "
            "canaries script would set the mirror's credential aside, and `request-retry` would try them again."
        ),
        text="""\
openai-compatibility:
  - name: "mirror"
    prefix: "loop"
    base-url: "{url}/v1"
    disable-cooling: true
    request-retry: 0
    api-key-entries: [{{api-key: "${{MIRROR_KEY}}"}}]
    models:
      - name: "mirror/healthy"
        alias: "healthy"
        input-modalities: [text, image]
        thinking: {{levels: [none, low, medium, high]}}
codex-api-key:
  - api-key: "${{MIRROR_KEY}}"
    prefix: "loop"
    base-url: "{url}/v1"
    disable-cooling: true
    request-retry: 0
    models: [{{name: "mirror/healthy", alias: "healthy-responses", thinking: {{levels: [none, low, medium, high]}}}}]
claude-api-key:
  - api-key: "${{MIRROR_KEY}}"
    prefix: "loop"
    base-url: "{url}"
    disable-cooling: true
    request-retry: 0
    models: [{{name: "mirror/healthy", alias: "healthy-messages", thinking: {{levels: [none, low, medium, high]}}}}]
gemini-api-key:
  - api-key: "${{MIRROR_KEY}}"
    prefix: "loop"
    base-url: "{url}"
    disable-cooling: true
    request-retry: 0
    models:
      - name: "mirror/healthy"
        alias: "healthy-gemini"
        thinking: {{min: 1, max: 3072, zero-allowed: true, dynamic-allowed: true}}
""",
        loopback="loop/healthy",
        doors={
            "openai_responses": "loop/healthy-responses",
            "anthropic_messages": "loop/healthy-messages",
            "gemini": "loop/healthy-gemini",
        },
    ),
    "litellm": Block(
        help="LiteLLM's proxy",
        comment="#",
        paste=(
            "Paste into config.yaml, and set MIRROR_KEY where the proxy runs. `hosted_vllm/` keeps Messages and Chat "
            "Completions on the mirror's /v1/chat/completions; with `openai/` some Messages go to /v1/responses.\n"
            "It refuses reasoning to models that it does not know, unless it is allowed. After scripted faults it sets "
            "the mirror aside for a while, unless `router_settings: {disable_cooldowns: true}`."
        ),
        text="""\
model_list:
  - model_name: loop/healthy
    litellm_params:
      model: hosted_vllm/mirror/healthy
      api_base: {url}/v1
      api_key: os.environ/MIRROR_KEY
      allowed_openai_params: [reasoning_effort]
""",
        loopback="loop/healthy",
    ),
    "portkey": Block(
        help="Portkey's gateway, which is told its provider by headers",
        comment="#",
        paste="Paste into canaries.yml, for Portkey keeps no providers: the canaries say theirs with each ask.\n"
        "Messages to this provider are not supported there, so only Chat Completions are asked.",
        text="""\
gateways:
  portkey:
    kind: openai-compatible
    url: http://localhost:8787
    api_key: ${{MIRROR_KEY}}
    dialects: [openai_chat]
    headers: {{x-portkey-provider: openai, x-portkey-custom-host: "{url}/v1"}}
    models: [mirror/healthy]
""",
        loopback="mirror/healthy",
    ),
    "claude-code-router": Block(
        help="claude-code-router 2",
        comment="//",
        paste="Paste into ~/.claude-code-router/config.json, into `Providers`; set MIRROR_KEY where it runs.\n"
        "A model is asked for as `provider,model`; `Router.default` may stay as it is.",
        text="""\
{{
  "name": "mirror",
  "api_base_url": "{url}/v1/chat/completions",
  "api_key": "$MIRROR_KEY",
  "models": ["mirror/healthy"]
}}
""",
        loopback="mirror,mirror/healthy",
    ),
    "claude-code-fallback": Block(
        help="claude-code-fallback, a Worker in front of Anthropic",
        comment="#",
        paste=(
            "Give the loop-back a Worker of its own. claude-code-fallback tries its providers in order, whatever the "
            "model: in the one that people use, canaries would go to their providers first, and people to the mirror, "
            "and each time a breaker there counts a failure. With the mirror alone no breaker opens.\n"
            "This sets its providers, and leaves Anthropic out:\n"
            "canaries mirror --print-config claude-code-fallback | grep -v '^#' | envsubst '$MIRROR_KEY' |\n"
            '  curl -H "Authorization: Bearer $ADMIN_TOKEN" --data @- $WORKER/admin/config\n'
            'curl -H "Authorization: Bearer $ADMIN_TOKEN" --data \'{"disabled":true}\' $WORKER/admin/anthropic-status\n'
            "In canaries.yml the gateway has `dialects: [anthropic_messages]`, and where clients need a token "
            "`headers: {x-ccf-api-key: ${TOKEN}}`. Each ask writes to KV once, which Cloudflare's free plan allows "
            "1,000 times a day for all Workers together, and then answers are 500: write `budget: {requests: 500}`."
        ),
        text="""\
[{{
  "name": "mirror",
  "baseUrl": "{url}/v1/messages",
  "apiKey": "${{MIRROR_KEY}}",
  "format": "anthropic",
  "modelMapping": {{"loop-healthy": "mirror/healthy"}}
}}]
""",
        loopback="loop-healthy",
    ),
}


def printed(name: str, url: str) -> str:
    """The block of gateway `name` for a mirror at `url`, with comments on where it goes and what to write beside it."""
    block = BLOCKS[name]
    notes = [
        *(line for paragraph in block.paste.splitlines() for line in wrap(paragraph, 110)),
        "",
        "And in canaries.yml:",
        "gateways:",
        "  NAME:",
        "    loopback:",
        f"      model: \"{block.loopback}\"",
        f"      upstream: {block.upstream}",
        *(["      doors:"] if block.doors else []),
        *(f"        {dialect}: {model}" for dialect, model in block.doors.items()),
        f"mirror: {{url: \"{url}\", key: \"${{MIRROR_KEY}}\"}}   # or `listen:` in place of `url:`",
    ]
    head = "".join(f"{block.comment} {line}".rstrip() + "\n" for line in notes)
    return head + block.text.format(url=url)
