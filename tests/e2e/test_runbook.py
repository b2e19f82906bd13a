"""Operators' runbook commands, verbatim, with bash, curl, jq and rg, against `canaries proxy`.

Every command below is looked up in the runbook's own text, found through RUNBOOKS_DIR (by default beside the checkout),
so that it cannot drift from what operators type. Before it runs three words are replaced and nothing else: the host,
`<api-key>`, and `/tmp/` by the test's own folder. Where the runbook is wrong the correction and its reason stand here.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import canaries

KEY = "ck-runbook-0123456789"
BESIDE = Path(__file__).parents[2] / ".." / "shared" / "runbooks"
RUNBOOKS = Path(os.environ.get("RUNBOOKS_DIR") or BESIDE)
TOOLS = ("bash", "curl", "jq", "rg", "sed", "diff")

CONFIG = """\
gateways:
  home:
    kind: embedded
    models: [gpt-5.3-codex]
    providers:
      openai:
        {{url: "{url}", profile: mirror, dialects: [openai_responses, openai_chat], models: [mirror/healthy],
        aliases: {{gpt-5.1-codex: mirror/healthy, gpt-5.3-codex: mirror/healthy, gpt-5.3-codex-spark: mirror/healthy}}}}
      iflow: {{url: "{url}", profile: mirror, dialects: [openai_chat], models: [mirror/healthy], prefix: iflow}}
      antigravity: {{url: "{url}", profile: mirror, dialects: [gemini], models: [mirror/healthy], prefix: antigravity}}
proxy: {{client_keys: [{key}]}}
"""

Bash = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """The runbook's tools; without one the tests are skipped, and fail where the environment has CI."""
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing or not RUNBOOKS.is_dir():
        reason = f"not installed: {', '.join(missing)}" if missing else f"no runbooks in {RUNBOOKS}: set RUNBOOKS_DIR"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a proxy whose providers are the mirror."""
    folder: Path = tmp_path_factory.mktemp("runbook")
    with canaries(folder, "mirror") as mirror:
        (folder / "canaries.yml").write_text(CONFIG.format(url=mirror.url, key=KEY))
        with canaries(folder, "proxy") as proxy:
            yield proxy.url.removeprefix("http://")


@pytest.fixture
def bash(host: str, tmp_path: Path) -> Bash:
    """Runs a command of a runbook; `corrected` replaces a word that the runbook has wrong."""

    def run(command: str, *, runbook: str = "provider-operations", corrected: tuple[str, str] | None = None) -> (
        subprocess.CompletedProcess[str]
    ):
        text = (RUNBOOKS / f"{runbook}.md").read_text()
        assert command in text, "the command is the runbook's, letter by letter"
        if corrected is not None:
            wrong, right = corrected
            assert wrong in command
            command = command.replace(wrong, right)
        for usual in ("localhost:8317", "model-gateway/"):
            command = command.replace(f"http://{usual}", f"http://{host}" + ("/" if usual.endswith("/") else ""))
        command = command.replace("<api-key>", KEY).replace("/tmp/", f"{tmp_path}/")
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=30, cwd=tmp_path
        )

    return run


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that went well printed."""
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_health(bash: Bash) -> None:
    """CLIProxyAPI itself has no /health, only /healthz (cliproxyapi.md 1.1); here both are served."""
    assert json.loads(said(bash("curl -sS http://localhost:8317/health"))) == {"status": "ok"}


def test_model_inventory(bash: Bash) -> None:
    command = """curl -sS http://localhost:8317/v1/models -H "Authorization: Bearer <api-key>" | jq '.data | length'"""
    assert int(said(bash(command))) == 3 + 1 + 1


def test_provider_metrics(bash: Bash) -> None:
    page = json.loads(said(bash("curl -sS http://localhost:8317/v1/metrics/providers | jq")))
    assert set(page) == {"openai", "iflow", "antigravity"}
    counts = {"request_count", "success_count", "failure_count", "total_tokens"}
    assert all(counts <= set(each) for each in page.values())


SPARK = (
    'curl -sS http://localhost:8317/v1/models -H "Authorization: Bearer <api-key>"'
    " | jq -r '.data[].id' | rg 'gpt-5.3-codex|gpt-5.3-codex-spark'"
)


def test_spark_eligibility(bash: Bash) -> None:
    assert said(bash(SPARK)).split() == ["gpt-5.3-codex", "gpt-5.3-codex-spark"]


@pytest.mark.parametrize("provider", ["iflow", "antigravity"])
def test_ids_under_a_prefix(provider: str, bash: Bash) -> None:
    """CLIProxyAPI makes no such prefixes by itself (cliproxyapi.md 0.2); here the configuration says them."""
    command = (
        'curl -sS http://localhost:8317/v1/models -H "Authorization: Bearer <api-key>"'
        f" | jq -r '.data[].id' | rg '^{provider}/'"
    )
    assert said(bash(command)).split() == [f"{provider}/mirror/healthy"]


def test_metrics_of_one_provider(bash: Bash) -> None:
    """On the gateway of the runbook always null, for `iflow` is in none of its lists (cliproxyapi.md 0.2)."""
    command = "curl -sS http://localhost:8317/v1/metrics/providers | jq '.iflow // .providers.iflow'"
    assert json.loads(said(bash(command)))["success_rate"] == 1


WHOLE = (
    'curl -sS http://localhost:8317/v1/responses -H "Authorization: Bearer <api-key>"'
    """ -H "Content-Type: application/json" -d '{"model":"gpt-5.1-codex","input":[{"role":"user","content":"ping"}],"""
    """"stream":false}' | tee /tmp/nonstream.json | jq '{input_tokens: .usage.input_tokens, """
    "output_tokens: .usage.output_tokens, total_tokens: .usage.total_tokens}'"
)
STREAM = (
    'curl -sN http://localhost:8317/v1/responses -H "Authorization: Bearer <api-key>"'
    """ -H "Content-Type: application/json" -d '{"model":"gpt-5.1-codex","input":[{"role":"user","content":"ping"}],"""
    """"stream":true}' | rg '^data:' | sed 's/^data: //' | jq -c 'select(.usage? != null) | """
    "{input_tokens: (.usage.input_tokens // .usage.prompt_tokens), "
    "output_tokens: (.usage.output_tokens // .usage.completion_tokens), "
    "total_tokens: .usage.total_tokens}' | tail -n 1 | tee /tmp/stream-usage.json"
)
COMPARE = (
    "diff -u <(jq -S . /tmp/nonstream.json | jq '{input_tokens: .usage.input_tokens, "
    "output_tokens: .usage.output_tokens, total_tokens: .usage.total_tokens}') <(jq -S . /tmp/stream-usage.json)"
)

# A Responses stream says its usage once, inside the `response` of its last event (protocols.md 0.1 and A2): the
# runbook's filter looks beside it, prints nothing, and so never agrees with anything, least of all a healthy gateway.
INSIDE = ("jq -c 'select(.usage? != null) |", "jq -c '.response? | select(.usage? != null) |")


def test_stream_and_whole_count_the_same(bash: Bash, tmp_path: Path) -> None:
    whole = json.loads(said(bash(WHOLE)))
    streamed = json.loads(said(bash(STREAM, corrected=INSIDE)))
    assert whole == streamed
    assert whole["total_tokens"] == whole["input_tokens"] + whole["output_tokens"] > 0
    assert said(bash(COMPARE)) == ""


def test_why_the_parity_commands_are_corrected(bash: Bash) -> None:
    """As they stand in the runbook, on an answer that is right."""
    said(bash(WHOLE))
    assert said(bash(STREAM)) == "", "no event of the stream holds a usage of its own"
    assert bash(COMPARE).returncode == 1, "and so the comparison fails"


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("curl http://model-gateway/healthz", "status"),
        ("curl http://model-gateway/v1/health", "circuit_breakers"),
        ("curl http://model-gateway/v1/providers/openai/status", "available"),
        ("curl http://model-gateway/v1/health | jq .circuit_breakers", "openai"),
    ],
)
def test_the_model_gateways_checks(command: str, key: str, bash: Bash) -> None:
    """Written without `-s`: curl then draws its progress on standard error."""
    done = bash(command, runbook="model-gateway")
    assert done.returncode == 0
    assert key in json.loads(done.stdout)
