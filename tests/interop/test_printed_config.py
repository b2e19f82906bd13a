"""`canaries mirror --print-config litellm` as pasted: LiteLLM reaches the mirror by it, and what it breaks is found.

What it breaks is that of version 1.106.2: a cut stream gets a clean end, and in Messages a document becomes an image.
"""

import json
import os
import secrets
import subprocess
import sys

import pytest
from real_gateways import PEERS, Start, free_port, running

CONFIG = """
gateways:
  litellm:
    kind: openai-compatible
    url: {url}
    api_key: ${{LITELLM_MASTER_KEY}}
    dialects: [openai_chat, anthropic_messages]
    models: [loop/healthy]
    loopback: {{model: loop/healthy, upstream: mirror/healthy}}
canaries: [{{use: loopback}}]
mirror: {{listen: "127.0.0.1:{port}", key: "${{MIRROR_KEY}}"}}
"""


def canaries(folder, environ, *words):
    command = [sys.executable, "-m", "llm_canaries", *words]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The findings by dialect and stream, in front of a mirror that `canaries run` serves itself."""
    peer = PEERS["litellm"]
    if peer.missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(peer.missing)
    folder, port, mirror = tmp_path_factory.mktemp("printed"), free_port(), free_port()
    keys = {"MIRROR_KEY": f"mk-{secrets.token_hex(12)}", "LITELLM_MASTER_KEY": f"sk-{secrets.token_hex(12)}"}
    environ = os.environ | keys
    printed = canaries(folder, environ, "mirror", "--print-config", "litellm", "--listen", f"127.0.0.1:{mirror}")
    assert keys["MIRROR_KEY"] not in printed.stdout
    (folder / "config.yaml").write_text(printed.stdout)
    url = f"http://127.0.0.1:{port}"
    (folder / "canaries.yml").write_text(CONFIG.format(url=url, port=mirror))
    where = ("--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", port)
    start = Start((peer.path, *where), keys | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    with running(start, folder, url + peer.ready):
        done = canaries(folder, environ, "run", "--ignore-pauses", "--json", "-", "-v")  # to wait takes minutes
    assert done.stdout, done.stderr
    runs = json.loads(done.stdout)["runs"]
    assert len(runs) == 4 and keys["MIRROR_KEY"] not in done.stdout + done.stderr
    return {(run["dialect"], run["stream"]): (run["reason"], done.stderr) for run in runs}


@pytest.mark.parametrize(
    ("dialect", "stream", "reason"),
    [
        ("openai_chat", False, None),
        ("openai_chat", True, "cut_hidden"),
        ("anthropic_messages", False, "document_lost"),
        ("anthropic_messages", True, "cut_hidden"),
    ],
)
def test_what_litellm_does(found, dialect, stream, reason):
    assert found[dialect, stream][0] == reason, found[dialect, stream][1][-4000:]


def test_differences_are_told_as_paths_with_both_values(found):
    _, told = found["anthropic_messages", False]
    assert "messages[2].results[0].parts[1]: application/pdf 77 bytes → an image of application/pdf 77 bytes" in told
    assert "parallel_tool_calls: false → nothing" in told
