"""Covers proxy/signature.py and where it is sent: by the lines of docs/marks.md, by OpenSSL and by Node's crypto."""

import re
import shutil
import subprocess
import time
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web
from doors import Echo, asking, serving_one

from llm_canaries.mirror.server import Mirror
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.deployed import Deployed
from llm_canaries.proxy.exchange import exchange, look_at
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.profiles import read_profiles
from llm_canaries.proxy.routes import Provider
from llm_canaries.proxy.server.passed import to_provider
from llm_canaries.proxy.signature import HEADER, signer, unsigned
from llm_canaries.proxy.transport import Transport
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.message import Ask, Message, Text

KEY = "0f" * 32
LIMITS = Limits(connect=1, first_byte=2, idle=1, total=5)
PAGE = (Path(__file__).parents[2] / "docs" / "marks.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def is_canary():
    """The verifier that docs/marks.md shows."""
    (lines,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "is_canary" in block)
    assert len(lines.splitlines()) <= 7
    names = {}
    exec(lines, names)
    return names["is_canary"]


class Recording:
    """A server that remembers every request as it came."""

    def __init__(self):
        self.requests = []

    async def __call__(self, request: web.BaseRequest):
        body = await request.read()
        self.requests.append((request.method, request.raw_path, body, dict(request.headers)))
        return web.json_response({"object": "list", "data": []})


def ask(dialect="openai_chat", model="m"):
    asked = Ask(dialect=dialect, model=model, messages=(Message("user", (Text("hé"),)),), max_tokens=9, stream=True)
    return Send(ask=asked, dialect=dialect, stream=True, mark="cnry-abcdefghij")


async def sent(session, clock, step, *, key=KEY, path="", headers=None):
    """The one request that a deployed gateway got."""
    server = Recording()
    async with serving_one(server) as url:
        gateway = Deployed(Transport(session, url + path, LIMITS), "sk", headers or {}, signer(key, time.time))
        await (look_at(gateway, step, clock=clock) if isinstance(step, Look) else exchange(gateway, step, clock=clock))
    (request,) = server.requests
    return request


STEPS = [
    *(ask(dialect) for dialect in DIALECTS),
    ask("gemini", "models/a b/ü:x"),
    Look(path="/v1/models?limit=5&a=%2F"),
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("path", ["", "/behind/a%20path/v1"])
async def test_what_is_sent_is_verified_by_the_lines_shown(step, path, is_canary, session, clock):
    method, target, body, headers = await sent(session, clock, step, path=path)
    signature = headers["X-Canary-Signature".lower()]
    assert is_canary(KEY, method, target, body, signature)
    mark = "" if isinstance(step, Look) else "cnry-abcdefghij"
    assert f",m={mark}," in signature
    for wrong in (
        ("1e" * 32, method, target, body),
        (KEY, "PUT", target, body),
        (KEY, method, target + "?", body),
        (KEY, method, target, body + b" "),
    ):
        assert not is_canary(*wrong, signature)
    assert not is_canary(KEY, method, target, body, signature.replace("m=", "m=x"))
    assert not is_canary(KEY, method, target, body, "")


@pytest.mark.parametrize(("age", "good"), [(0, True), (290, True), (310, False), (-290, True), (-310, False)])
def test_it_is_good_for_five_minutes(age, good, is_canary):
    ((name, value),) = signer(KEY, lambda: time.time() - age)("POST", "/v1/messages", b"{}", "cnry-a")
    assert name == HEADER
    assert is_canary(KEY, "POST", "/v1/messages", b"{}", value) is good
    later = value.replace("t=", "t=1")
    assert not is_canary(KEY, "POST", "/v1/messages", b"{}", later)


NODE = """
const crypto = require("crypto");
const [key, said] = process.argv.slice(1);
process.stdout.write(crypto.createHmac("sha256", key).update(said).digest("hex"));
"""


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("openssl", lambda key, said: (["openssl", "dgst", "-sha256", "-hmac", key], said)),
        ("node", lambda key, said: (["node", "-e", NODE, key, said], "")),
    ],
)
def test_others_reckon_the_same(program, command):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed here; the other one and docs/marks.md verify the same")
    body = "{\"a\": \"ü\"}".encode()
    ((_, value),) = signer(KEY, lambda: 1765000000.9)("POST", "/v1/x?alt=sse", body, "cnry-abc")
    said = f"1765000000\ncnry-abc\nPOST\n/v1/x?alt=sse\n{sha256(body).hexdigest()}"
    arguments, text = command(KEY, said)
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=True, timeout=20)
    assert value == f"t=1765000000,m=cnry-abc,v1={done.stdout.split()[-1]}"


async def test_without_a_key_there_is_none(session, clock):
    *_, headers = await sent(session, clock, ask(), key="")
    assert HEADER not in {name.lower() for name in headers}
    assert unsigned("POST", "/", b"", "") == ()


async def test_configured_headers_do_not_take_its_place(session, clock, is_canary):
    method, target, body, headers = await sent(session, clock, ask(), headers={"X-Canary-Signature": "mine"})
    assert is_canary(KEY, method, target, body, headers[HEADER])


async def test_no_provider_sees_it(session, clock):
    """Neither what a step brings, nor what a client of the proxy sends along."""
    echo, profile = Echo(), read_profiles()["generic"]
    async with serving_one(echo) as url:
        provider = Provider(name="p", url=url, profile=profile, dialects=("openai_chat",), limits=LIMITS)
        core = Core([provider], {"p": Transport(session, url, LIMITS)}, {}, clock)
        headers = {"X-Canary-Signature": "t=1,m=,v1=0", "x-canary-anything": "1", "x-other": "2"}
        path, body = asking("openai_chat", "m")
        raw = Send(ask=str(body).replace("'", '"').encode(), dialect="openai_chat", headers=headers, path=path)
        await exchange(core, raw, clock=clock)
    (seen,) = echo.headers
    assert [name for name in seen if name.lower().startswith("x-canary")] == []
    assert seen["x-other"] == "2"
    for dialect in DIALECTS:
        assert to_provider(dialect, {HEADER: "t=1,m=,v1=0"}) == {}


async def test_the_mirror_takes_signed_asks(session, clock: Clock, mirror: Mirror, mirror_url):
    gateway = Deployed(Transport(session, mirror_url, LIMITS), "sk", {}, signer(KEY, time.time))
    step = Send(
        ask=Ask(dialect="openai_chat", model="mirror/healthy", messages=(Message("user", (Text("hi"),)),), user="u"),
        dialect="openai_chat",
    )
    assert (await exchange(gateway, step, clock=clock)).fault is None
