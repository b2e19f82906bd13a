"""Covers service/client_env.py and the command: a client's environment, followed to a real gateway on loopback."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from answers import whole

from llm_canaries.canary.clients import CLIENTS
from llm_canaries.wire.message import Text

KEY = "sk-pl4nted-client-key-0123456789"


class Gateway:
    """A gateway that repeats what it is told to, and remembers who asked where."""

    def __init__(self):
        self.asked = []

    async def answer(self, request):
        body = json.loads(await request.read())
        self.asked.append((request.path, dict(request.headers), body))
        text = json.dumps(body)
        number = text.rpartition("nothing else: ")[2][:6]
        dialect = {"messages": "anthropic_messages", "responses": "openai_responses"}.get(request.path.split("/")[-1])
        if dialect is None and not request.path.endswith("/chat/completions"):
            dialect = "gemini"
        answer = whole(dialect or "openai_chat", Text(number))
        return web.Response(body=answer, content_type="application/json")


@pytest.fixture
async def gateway():
    its = Gateway()
    app = web.Application()
    app.router.add_post("/{path:.*}", its.answer)
    async with TestServer(app) as server:
        its.url = str(server.make_url("")).rstrip("/")
        yield its


def plain(words, cwd, environ):
    """A command in an environment without any client's variables but those given."""
    ours = {name: value for name, value in os.environ.items() if "API" not in name and "BASE_URL" not in name}
    return subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=ours | environ, timeout=60)


async def command(*words, cwd, **environ):
    """`canaries client-route` in that environment."""
    line = [sys.executable, "-m", "llm_canaries", "client-route", *words]
    done = await asyncio.to_thread(plain, line, cwd, environ)
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


BEARER = ("authorization", f"Bearer {KEY}")
OPENAI = "from openai import OpenAI\nclient = OpenAI(max_retries=0)\n"
ANTHROPIC = "from anthropic import Anthropic\nclient = Anthropic(max_retries=0)\n"
GEMINI = "from google import genai\nclient = genai.Client(http_options={'api_version': 'v1beta'})\n"
HI = "messages=[{'role': 'user', 'content': 'hi'}]"
ROWS = [  # client, variable of the URL and what follows it there, variable of the key, path, header, the SDK's own ask
    ("openai", "OPENAI_BASE_URL", "/v1", "OPENAI_API_KEY", "/v1/chat/completions", BEARER,
     f"{OPENAI}client.chat.completions.create(model='m', {HI})"),
    ("openai", "OPENAI_BASE_URL", "", "OPENAI_API_KEY", "/chat/completions", BEARER,
     f"{OPENAI}client.chat.completions.create(model='m', {HI})"),
    ("codex", "OPENAI_BASE_URL", "/v1/", "OPENAI_API_KEY", "/v1/responses", BEARER,
     f"{OPENAI}client.responses.create(model='m', input='hi')"),
    ("claude", "ANTHROPIC_BASE_URL", "", "ANTHROPIC_API_KEY", "/v1/messages", BEARER,
     f"{ANTHROPIC}client.messages.create(model='m', max_tokens=9, {HI})"),
    ("claude", "ANTHROPIC_BASE_URL", "/v1", "ANTHROPIC_AUTH_TOKEN", "/v1/v1/messages", BEARER,
     f"{ANTHROPIC}client.messages.create(model='m', max_tokens=9, {HI})"),
    ("gemini", "GOOGLE_GEMINI_BASE_URL", "", "GEMINI_API_KEY", "/v1beta/models/m:generateContent",
     ("x-goog-api-key", KEY),
     f"{GEMINI}client.models.generate_content(model='m', contents='hi')"),
    ("amp", "OPENAI_API_BASE", "/v1", "OPENAI_API_KEY", "/v1/chat/completions", BEARER, ""),
    ("amp", "AMP_URL", "", "AMP_API_KEY", "/api/provider/openai/v1/chat/completions", BEARER, ""),
]  # fmt: skip


@pytest.mark.parametrize(("client", "name", "after", "key", "path", "header", "sdk"), ROWS)
async def test_the_ask_goes_out_as_the_client_sends_it(
    gateway, tmp_path, client, name, after, key, path, header, sdk
):
    """Compared with what the maker's own SDK does of the same variables, where it reads them."""
    environ = {name: gateway.url + after, key: KEY}
    done = await command("--client", client, "--url", gateway.url, "--model", "m", cwd=tmp_path, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"pass {name} leads to {gateway.url}{path}")
    if sdk:
        await asyncio.to_thread(plain, [sys.executable, "-c", sdk], tmp_path, environ)
    assert len(gateway.asked) == (2 if sdk else 1)
    for asked, headers, _ in gateway.asked:
        assert asked == path
        assert {each.lower(): value for each, value in headers.items()}[header[0]] == header[1]


async def test_nothing_is_sent_to_another_address(gateway, tmp_path):
    environ = {"OPENAI_BASE_URL": gateway.url + "/v1", "OPENAI_API_KEY": KEY}
    done = await command("--url", "http://127.0.0.1:1", "--model", "m", cwd=tmp_path, **environ)
    assert (done.returncode, gateway.asked) == (1, [])
    assert f"OPENAI_BASE_URL leads to {gateway.url}, the gateway is at http://127.0.0.1:1" in done.stdout
    assert "canaries explain misrouted" in done.stderr


async def test_a_gateway_that_repeats_the_key_does_not_leak_it(tmp_path):
    async def leaky(request):
        return web.json_response({"error": {"message": f"bad key {request.headers['authorization']}"}}, status=401)

    app = web.Application()
    app.router.add_post("/{path:.*}", leaky)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        environ = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "plainword-pl4nted"}
        done = await command("--url", url, "--model", "m", cwd=tmp_path, **environ)
    assert done.returncode == 1
    assert "pl4nted" not in done.stdout + done.stderr
    assert "bad key Bearer ***" in done.stdout


async def test_a_sidecar_reads_the_file_of_the_client(gateway, tmp_path):
    (tmp_path / "amp.env").write_text(f"export OPENAI_API_BASE={gateway.url}/v1\nOPENAI_API_KEY='{KEY}'\n")
    (tmp_path / "canaries.yml").write_text(
        f"gateways: {{home: {{kind: openai-compatible, url: '{gateway.url}', models: [m]}}}}\n"
        "canaries:\n"
        "  - {scenario: client-route, name: amp, gateway: home, params: {client: amp, env_file: amp.env}}\n"
    )

    done = await asyncio.to_thread(plain, [sys.executable, "-m", "llm_canaries", "run", "-v"], tmp_path, {})
    assert done.returncode == 0, done.stdout + done.stderr
    assert gateway.asked[0][1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--url", "ftp://h", "--model", "m"], "--url: the value is not an http or https URL"),
        (["--url", "http://h"], "write --model ID"),
        (["--gateway", "nowhere"], "nowhere: no such gateway; configured: embedded"),
        (["--client", "emacs"], "is not one of"),
        (["--url-name", "MY URL"], "does not fit"),
    ],
)
async def test_usage(tmp_path, words, message):
    done = await command(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


async def test_an_environment_that_cannot_be_read_is_undecided(tmp_path):
    done = await command("--env-file", "nowhere.env", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "inconclusive no_environment: nowhere.env cannot be read\n")


def test_every_client_is_followed_here():
    assert set(CLIENTS) == {"openai", "amp", "codex", "claude", "gemini"}
