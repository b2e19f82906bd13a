"""`canaries rules eval`: over HTTP, and from a saved state: cli/rules_ask.py, service/query.py."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner

from llm_canaries.cli.rules import command
from llm_canaries.rules.load import load
from llm_canaries.rules.promql.evaluate import Tick
from llm_canaries.rules.promql.parse import parse
from llm_canaries.service.board import Board
from llm_canaries.service.query import answering
from llm_canaries.service.rule_memory import RuleMemory
from llm_canaries.service.rulebook import Rulebook
from llm_canaries.state.database import Database

RULES = "groups: [{name: g, rules: [{record: total, expr: sum(llm_gateway_up)}]}]"


def evaluate(*words):
    return CliRunner().invoke(command, ["eval", *map(str, words)])


async def test_a_running_sidecar_answers(fixed):
    async def ask(expression):
        return 5.0, Tick(fixed({'up{a="1"}': 1.5, 'up{a="2"}': float("nan")}), 5.0).vector(parse(expression))

    app = web.Application()
    app.router.add_get("/api/v1/query", answering(ask))
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        done = await asyncio.to_thread(evaluate, 'up{a=~"1|2"}', "--url", url)
        assert done.stdout == 'up{a="1"} 1.5\nup{a="2"} NaN\n'
        assert done.stderr == "2 series at 1970-01-01 00:00:05 UTC.\n"
        done = await asyncio.to_thread(evaluate, "sum(up > 1)", "--url", url, "--json")
        assert json.loads(done.stdout) == {"resultType": "vector", "result": [{"metric": {}, "value": [5.0, "1.5"]}]}
        done = await asyncio.to_thread(evaluate, "up * on () up", "--url", url)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.strip()
        async with TestClient(server) as client:
            response = await client.get("/api/v1/query", params={"query": "nonsense("})
            body = await response.json()
        assert (response.status, body["status"], body["errorType"]) == (400, "error", "bad_data")


async def test_a_saved_state_answers(tmp_path):
    board, rules = Board(), Rulebook(load({"r.yml": RULES}), 15.0, lambda: 0.0)
    for step, value in enumerate((1.0, 0.0, 1.0, 1.0)):
        board.set_named("llm_gateway_up", value, gateway="home", kind="k")
        rules.sample(board, 1000.0 + 15.0 * step)
        rules.evaluate(1000.0 + 15.0 * step)
    database = Database.open(tmp_path)
    await RuleMemory(database).save(rules, 1045.0, all_of_it=True)
    done = await asyncio.to_thread(evaluate, "changes(llm_gateway_up[5m])", "--state", tmp_path)
    await database.close()
    assert done.stdout == '{gateway="home", kind="k"} 2\n', "read beside the sidecar that holds the state"
    assert evaluate("total - 1", "--state", tmp_path).stdout == "{} 0\n"
    assert evaluate("nothing_there", "--state", tmp_path).stderr == "0 series.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("up[5m",), "not PromQL"),
        (("up", "--state", "nowhere"), "does not exist"),
        (("up", "--url", "http://127.0.0.1:1"), "no sidecar answers"),
    ],
)
def test_what_cannot_be_asked_is_2(words, said):
    done = evaluate(*words)
    assert done.exit_code == 2
    assert said in done.stderr
