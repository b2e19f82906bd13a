"""Covers canary/clients.py: what an environment means to each client, and what it must never show."""

import pytest

from llm_canaries.canary.clients import (
    CLIENTS,
    Key,
    aim_of,
    key_of,
    origin_of,
    read_environment,
    routes,
    same_origin,
    taken,
)
from llm_canaries.wire.dialects import DIALECTS

GATEWAY = ("http://127.0.0.1:8317",)


def aimed(client, gateway=GATEWAY, **environ):
    return aim_of(client, environ, routes(client), gateway, "m")


@pytest.mark.parametrize(
    ("client", "environ", "way", "dialect"),
    [
        ("openai", {"OPENAI_BASE_URL": "http://127.0.0.1:8317/v1"}, "/v1/chat/completions", "openai_chat"),
        ("openai", {"OPENAI_API_BASE": "http://127.0.0.1:8317/v1/"}, "/v1/chat/completions", "openai_chat"),
        ("openai", {"OPENAI_BASE_URL": "http://127.0.0.1:8317"}, "/chat/completions", "openai_chat"),
        ("amp", {"OPENAI_API_BASE": "http://127.0.0.1:8317/v1"}, "/v1/chat/completions", "openai_chat"),
        ("amp", {"AMP_URL": "http://127.0.0.1:8317"}, "/api/provider/openai/v1/chat/completions", "openai_chat"),
        ("codex", {"OPENAI_BASE_URL": "http://127.0.0.1:8317/v1"}, "/v1/responses", "openai_responses"),
        ("claude", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8317"}, "/v1/messages", "anthropic_messages"),
        ("claude", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8317/v1"}, "/v1/v1/messages", "anthropic_messages"),
        ("gemini", {"GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:8317"}, "/v1beta/models/m:generateContent", "gemini"),
    ],
)
def test_each_client_has_its_own_path(client, environ, way, dialect):
    keys = {key.name: "sk-1" for route in CLIENTS[client] for key in route.keys}
    aim = aimed(client, **environ, **keys)
    assert (aim.origin, aim.path, aim.dialect) == ("http://127.0.0.1:8317", way, dialect)
    assert aim.hits


@pytest.mark.parametrize(
    ("environ", "problem", "words"),
    [
        ({}, "no_base_url", "neither OPENAI_BASE_URL nor OPENAI_API_BASE is set"),
        ({"OPENAI_BASE_URL": " "}, "no_base_url", "OPENAI_BASE_URL is empty"),
        ({"OPENAI_BASE_URL": "127.0.0.1:8317"}, "bad_base_url", "is not a base URL"),
        ({"OPENAI_BASE_URL": "ftp://h/v1"}, "bad_base_url", "is not a base URL"),
        ({"OPENAI_BASE_URL": "http://h:99999/v1"}, "bad_base_url", "is not a base URL"),
        ({"OPENAI_BASE_URL": "http://[::1/v1"}, "bad_base_url", "is not a base URL"),
        ({"OPENAI_BASE_URL": "http://ho st/v1"}, "bad_base_url", "is not a base URL"),
        ({"OPENAI_BASE_URL": "http://user:pl4nted@127.0.0.1:8317/v1"}, "bad_base_url", "holds credentials"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:8317/v1?key=pl4nted"}, "bad_base_url", "has a query"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:8317/v1"}, "no_key", "OPENAI_API_KEY is not set"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:8317/v1", "OPENAI_API_KEY": ""}, "no_key", "OPENAI_API_KEY is not set"),
    ],
)
def test_what_is_wrong_with_an_environment(environ, problem, words):
    aim = aim_of("openai", environ, routes("openai"), GATEWAY, "m")
    assert aim.problem == problem
    assert words in aim.detail
    assert not aim.hits
    assert "pl4nted" not in repr(aim)


def test_an_aim_holds_no_secret():
    aim = aimed("openai", OPENAI_BASE_URL="http://elsewhere.example/v1", OPENAI_API_KEY="sk-pl4nted")
    assert (aim.origin, aim.hits, aim.problem) == ("http://elsewhere.example:80", False, None)
    assert "pl4nted" not in repr(aim)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://127.0.0.1:8317", "http://localhost:8317", True),
        ("http://[::1]:8317", "http://localhost:8317", True),
        ("http://LOCALHOST:8317", "http://localhost:8317", True),
        ("https://h:443", "https://h:443", True),
        ("http://h:80", "https://h:443", False),
        ("http://h:1", "http://h:2", False),
        ("http://localhost.example:80", "http://localhost:80", False),
        ("", "", False),
    ],
)
def test_origins(one, other, same):
    assert same_origin(one, other) is same


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTP://Host/v1", "http://host:80"),
        ("https://h", "https://h:443"),
        ("http://[::1]:9/x", "http://[::1]:9"),
        ("http://u:p@h:1", "http://h:1"),
        ("h:1", ""),
        ("http://", ""),
        ("http:///v1", ""),
    ],
)
def test_an_origin_of_a_url(url, origin):
    assert origin_of(url) == origin


def test_the_gateway_may_have_several_addresses():
    environ = {"OPENAI_BASE_URL": "http://gateway.internal:8317/v1", "OPENAI_API_KEY": "k"}
    assert not aim_of("openai", environ, routes("openai"), GATEWAY, "m").hits
    assert aim_of("openai", environ, routes("openai"), (*GATEWAY, "http://gateway.internal:8317"), "m").hits


def test_the_first_key_that_is_there_is_sent_as_its_client_does():
    (claude,), (gemini,) = CLIENTS["claude"], CLIENTS["gemini"]
    both = {"ANTHROPIC_AUTH_TOKEN": "t", "ANTHROPIC_API_KEY": "k"}
    assert key_of(both, claude) == ("authorization", "Bearer k")
    assert key_of({"ANTHROPIC_AUTH_TOKEN": " t "}, claude) == ("authorization", "Bearer t")
    assert key_of({"GOOGLE_API_KEY": "g"}, gemini) == ("x-goog-api-key", "g")
    assert key_of({}, claude) is None


def test_variables_of_other_names():
    choices = routes("amp", ("MY_URL",), ("MY_KEY",))
    environ = {"MY_URL": "http://localhost:8317/v1", "MY_KEY": "k", "AMP_URL": "http://elsewhere"}
    assert aim_of("amp", environ, choices, GATEWAY, "m").hits
    assert key_of(environ, taken(environ, choices)) == ("authorization", "Bearer k")
    assert [key for route in routes("openai", (), ("K",)) for key in route.keys] == [Key("K"), Key("K")]


def test_every_client_speaks_a_known_dialect():
    assert {route.dialect for choices in CLIENTS.values() for route in choices} == set(DIALECTS)


def test_a_file_of_variables():
    text = """
# a comment
OPENAI_API_BASE=http://127.0.0.1:8317/v1
export OPENAI_API_KEY="sk-1 2"
  SINGLE='x=y'
EMPTY=
not a variable
1BAD=x
TWICE=1
TWICE=2
"""
    assert read_environment(text) == {
        "OPENAI_API_BASE": "http://127.0.0.1:8317/v1",
        "OPENAI_API_KEY": "sk-1 2",
        "SINGLE": "x=y",
        "EMPTY": "",
        "TWICE": "2",
    }
