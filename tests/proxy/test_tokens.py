"""Covers proxy/tokens.py: every form of expiry, files that change or break, and that nothing is ever written."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.proxy.credentials import Credential
from llm_canaries.proxy.gateway import Limits
from llm_canaries.proxy.routes import Provider, Route
from llm_canaries.proxy.tokens import Refresh, Token, TokenFile, read_token
from llm_canaries.proxy.ways import Ways
from llm_canaries.wire.fault import Fault, FaultReason

AT = 1_790_000_000.0  # 2026-09-21T14:13:20Z
FORMS = [
    ({"expired": "2026-09-21T14:13:20Z"}, AT),
    ({"expired": "2026-09-21T16:13:20+02:00"}, AT),
    ({"expired": "2026-09-21T14:13:20"}, AT),
    ({"expire": "2026-09-21 14:13:20"}, AT),
    ({"expires_at": 1790000000}, AT),
    ({"expiresAt": 1790000000000}, AT),
    ({"expiry": "1790000000"}, AT),
    ({"expires": 1.79e9}, AT),
    ({"expires_in": 3600, "timestamp": 1789996400000}, AT),
    ({"expires_in": "3600", "issued_at": "2026-09-21T13:13:20Z"}, AT),
    ({"token": {"access_token": "inner", "expiry": "2026-09-21T14:13:20Z"}}, AT),
    ({"expires_in": 3600}, None),
    ({"expired": "soon"}, None),
    ({"expired": True}, None),
    ({"expired": -1}, None),
    ({"expired": ""}, None),
    ({}, None),
]


@pytest.mark.parametrize(("said", "at"), FORMS, ids=[json.dumps(row[0]) for row in FORMS])
def test_expiry(said: dict[str, object], at: float | None) -> None:
    token = read_token(json.dumps({"access_token": "t0k"} | said).encode())
    assert (token.expires_at, token.error, token.access) == (at, "", "t0k")


STATES = [
    (Token("t", AT), AT - 1, Refresh.ACTIVE),
    (Token("t", AT), AT, Refresh.EXPIRED),
    (Token("t"), AT, Refresh.ACTIVE),
    (Token(""), AT, Refresh.PENDING),
    (Token("t", AT, disabled=True), AT - 1, Refresh.DISABLED),
    (Token(error="x"), AT, Refresh.ERROR),
]


@pytest.mark.parametrize(("token", "now", "state"), STATES)
def test_states(token: Token, now: float, state: Refresh) -> None:
    assert token.state(now) is state


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["expired", "token", "access_token", "expires_in", "timestamp", "x"]), inner),
).map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_token_or_its_error(body: bytes) -> None:
    token = read_token(body)
    assert isinstance(token.state(AT), Refresh)
    assert token.access.isascii() and "\n" not in token.access


def test_a_file_over_time(tmp_path: Path) -> None:
    path = tmp_path / "token.json"
    file = TokenFile(str(path))
    token, _ = file.token(0.0)
    assert token.error == "no such file or directory" and token.state(AT) is Refresh.ERROR
    path.write_text('{"access_token": "one", "expires_at": 1790000000}')
    assert file.token(0.5)[0].error, "it is not looked at more often than once a second"
    token, changed = file.token(1.0)
    assert (token, changed) == (Token("one", AT), True)
    assert file.token(5.0) == (token, False)
    before = path.stat().st_mtime_ns
    path.write_text('{"access_token": "two"')
    os.utime(path, ns=(before + 10**9, before + 10**9))
    token, changed = file.token(6.0)
    assert (token.error, changed) == ("not a JSON object", True)
    path.unlink()
    path.mkdir()
    assert file.token(7.5)[0].error == "is a directory"


def test_a_file_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "token.json"
    path.write_text('{"access_token": "one"}')
    path.chmod(0o400)
    before = path.stat()
    file = TokenFile(str(path))
    for now in range(5):
        file.token(float(now))
    after = path.stat()
    assert (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino)


def test_no_token_in_a_repr(tmp_path: Path) -> None:
    path = tmp_path / "token.json"
    path.write_text('{"access_token": "t0k-planted"}')
    file = TokenFile(str(path))
    assert "planted" not in repr(file.token(0.0)) + repr(file) and file.token(0.0)[0].access == "t0k-planted"
    path.write_text("t0k-planted is no JSON")
    assert "planted" not in file.token(2.0)[0].error


P = Provider(name="p", url="http://x", limits=Limits())
ROUTES = (Route(P, "m"),)


def test_ways_with_token_files(tmp_path: Path) -> None:
    """An expired or broken token is passed by; a renewed one is another credential."""
    path = tmp_path / "token.json"
    path.write_text('{"access_token": "one", "expires_at": 1790000000}')
    ways = Ways({"p": (Credential("file", token_file=str(path)), Credential("key", "sk"))})
    way = ways.choose(ROUTES, 0.0, AT - 10)
    assert way is not None and way.credential.alias == "file" and ways.secret(way, 0.0) == "one"
    expired = ways.choose(ROUTES, 0.0, AT + 10)
    assert expired is not None and expired.credential.alias == "key"
    ways.finished(way, Fault(reason=FaultReason.AUTH), 0.0)
    assert [each.sidelined_until for each in ways.standings(0.0, AT)] == [1800.0, None]
    path.write_text('{"access_token": "two!", "expires_at": 1790009000}')
    os.utime(path, ns=(1, 1))
    (standing, _) = ways.standings(2.0, AT + 10)
    assert (standing.refresh, standing.expires_at, standing.sidelined_until) == (Refresh.ACTIVE, 1_790_009_000.0, None)
    assert ways.secret(way, 2.0) == "two!"


def test_nothing_but_a_broken_file(tmp_path: Path) -> None:
    ways = Ways({"p": (Credential(token_file=str(tmp_path / "none.json")),)})
    assert ways.choose(ROUTES, 0.0, AT) is None and ways.due_first(ROUTES, 0.0, AT) is None
    fault = ways.refusal(ROUTES, 0.0, AT)
    assert fault.reason is FaultReason.NO_CREDENTIAL and fault.retry_after is None
    assert ways.secret(ways.probe(ROUTES[0], 0.0, AT), 0.0) == "", "a canary asks, and hears what the provider says"
