"""Covers canary/scenarios/client_route.py: it fails before it sends, and judges what came back on the client's way."""

import msgspec
import pytest
from msgspec.structs import replace
from plays import case, chat, error, play, prompt

from llm_canaries.canary.clients import Aim
from llm_canaries.canary.scenarios.client_route import SCENARIO, Params
from llm_canaries.wire.exchange import Seen

HERE = "http://127.0.0.1:8317"
AIM = Aim(
    client="openai", dialect="openai_chat", variable="OPENAI_API_BASE", origin=HERE, path="/v1/chat/completions",
    gateway=("http://localhost:8317",),
)  # fmt: skip


def good(step):
    return chat(step, prompt(step).rpartition(" ")[2])


def seen(step):
    answer = good(step)
    return replace(answer, upstream=(Seen(dialect="openai_chat", model="u", stream=False, ask=step.ask, body=b""),))


def test_one_ask_on_the_way_of_the_client():
    finding, (step,) = play(SCENARIO, good, aim=AIM)
    assert (finding.outcome, step.via) == ("pass", "client")
    assert finding.detail == f"OPENAI_API_BASE leads to {HERE}/v1/chat/completions: model m"


@pytest.mark.parametrize(
    ("aim", "reason"),
    [
        (replace(AIM, origin="https://api.openai.com:443"), "misrouted"),
        (replace(AIM, gateway=()), "misrouted"),
        (replace(AIM, problem="no_base_url", detail="OPENAI_API_BASE is not set"), "no_base_url"),
        (replace(AIM, problem="bad_base_url", detail="OPENAI_API_BASE holds credentials"), "bad_base_url"),
        (replace(AIM, problem="no_key", detail="OPENAI_API_KEY is not set"), "no_key"),
    ],
)
def test_nothing_is_sent_where_it_does_not_lead_to_the_gateway(aim, reason):
    finding, steps = play(SCENARIO, good, aim=aim)
    assert (finding.outcome, finding.reason, finding.fault_domain, steps) == ("fail", reason, "client", [])


def test_where_it_leads_is_told_by_host_and_port():
    finding, _ = play(SCENARIO, good, aim=replace(AIM, origin="https://api.openai.com:443"))
    assert finding.detail == "OPENAI_API_BASE leads to https://api.openai.com:443, the gateway is at http://localhost:8317"


def test_a_file_that_cannot_be_read_tells_nothing():
    finding, steps = play(SCENARIO, good, params=Params(env_file="/run/amp.env"))
    assert (finding.outcome, finding.reason, steps) == ("inconclusive", "no_environment", [])
    assert finding.detail == "/run/amp.env cannot be read"


@pytest.mark.parametrize(
    ("path", "status", "hint"),
    [
        ("/chat/completions", 404, "should OPENAI_API_BASE end with /v1?"),
        ("/v1/v1/messages", 404, "should OPENAI_API_BASE not end with /v1?"),
        ("/api/provider/openai/v1/chat/completions", 404, "by OPENAI_API_BASE"),
        ("/chat/completions", 405, "should OPENAI_API_BASE end with /v1?"),
    ],
)
def test_a_path_that_the_gateway_does_not_have(path, status, hint):
    finding, _ = play(SCENARIO, lambda s: error(s, status, "page not found"), aim=replace(AIM, path=path))
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "wrong_path", "client")
    assert f"HTTP {status} for {HERE}{path}" in finding.detail
    assert finding.detail.endswith(hint)


@pytest.mark.parametrize(
    ("answers", "outcome", "reason"),
    [
        (lambda s: error(s, 401, "bad key"), "fail", "auth"),
        (lambda s: error(s, 404, "no such model", "model_not_found"), "fail", "model_not_found"),
        (lambda s: chat(s, "hello"), "fail", "not_echoed"),
        (lambda s: chat(s, "", finish="length"), "inconclusive", "cap_too_small"),
    ],
)
def test_what_may_come_back(answers, outcome, reason):
    finding, _ = play(SCENARIO, answers, aim=AIM)
    assert (finding.outcome, finding.reason) == (outcome, reason)


def test_the_mirror_must_have_seen_it_where_it_is_the_upstream():
    finding, _ = play(SCENARIO, seen, aim=AIM, upstream="u", deployed=True)
    assert finding.detail.endswith("model m, upstream model u")
    finding, _ = play(SCENARIO, good, aim=AIM, upstream="u", deployed=True)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "not_seen", "routing")
    assert play(SCENARIO, good, aim=AIM, upstream="u")[0].outcome == "pass", "our own proxy has a mirror of its own"


def test_a_client_speaks_its_own_dialects():
    codex = Params(client="codex")
    assert SCENARIO.objection(case(SCENARIO, params=codex, dialect="openai_responses")) == ""
    assert SCENARIO.objection(case(SCENARIO, params=codex)) == "the client `codex` speaks `openai_responses`"


@pytest.mark.parametrize("wrong", [{"client": "emacs"}, {"url_names": ["MY URL"]}, {"key_names": ["1"]}])
def test_parameters_that_make_no_sense(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Params)
