"""service/door.py: what `canaries proxy` wires together, beyond what its parts are tested for."""

import json

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from llm_canaries.config.load import load
from llm_canaries.config.secrets import Redactor
from llm_canaries.service.door import Plan, opened
from llm_canaries.service.settings import known

TOKEN = "oauth-4f9a71c2d8"


async def test_a_token_from_a_file_does_not_come_back_in_a_providers_error(tmp_path, clock, draw):
    """Providers repeat the key that they refuse; this one is in no configuration."""

    async def refuse(request):
        told = request.headers["authorization"].removeprefix("Bearer ")
        return web.json_response({"error": {"message": f"Incorrect API key provided: {told}"}}, status=401)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", refuse)
    file = tmp_path / "token.json"
    file.write_text(json.dumps({"access_token": TOKEN, "expired": "2099-01-01T00:00:00Z"}))
    async with TestServer(app) as upstream:
        own = f"{{url: '{upstream.make_url('')}', dialects: [openai_chat], token_file: '{file}'}}"
        text = f"gateways: {{it: {{kind: embedded, models: [m], providers: {{up: {own}}}}}}}"
        config = load(text, known({}), file="c.yml", environ={}, read_file=str)
        plan = Plan(config=config, gateway="it", host="127.0.0.1", port=0, keys=(), redact=Redactor(()))
        async with opened(plan, clock, draw) as url, aiohttp.ClientSession() as session:
            body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
                said = await answer.text()
    assert answer.status == 401
    assert "Incorrect API key provided: ***" in said
    assert TOKEN not in said
