"""config/secrets.py and config/lookalikes.py: what is known is gone in every form, what looks like a key is cut."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_canaries.config.secrets import SHORTEST, Redactor, is_secret_header, redact_headers, secrets_of
from llm_canaries.wire.clip import CUT, clipped

SECRET = 'pä/ss "w0rd"+\n='


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
        b64encode(SECRET.encode()).decode(),
        urlsafe_b64encode(SECRET.encode()).decode(),
        b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_every_form_of_a_known_secret(form):
    assert Redactor([SECRET])(f"before <{form}> after") == "before <***> after"


@pytest.mark.parametrize("user", ["", "u", "us", "user:", "someone:"])
def test_a_secret_inside_longer_base64(user):
    secret = "pl4nted-secret"
    code = b64encode(f"{user}{secret}!tail".encode()).decode()
    assert "***" in Redactor([secret]).known(code)
    whole, left = b64encode(secret.encode()).decode(), Redactor([secret]).known(code)
    assert not [whole[at : at + 8] for at in range(len(whole) - 8) if whole[at : at + 8] in left]


def test_the_longest_secret_is_masked_first_and_overlaps_are_joined():
    redact = Redactor(["abcd", "abcdefgh", "ghij-klm"])
    assert redact("abcdefgh abcd") == "*** ***"
    assert redact("abcdefghij-klm") == "***"


def test_short_secrets_mask_nothing():
    assert Redactor(["abc", ""])("abc in abcdef") == "abc in abcdef"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key sk-proj-1234567890abcdef.", "key sk-***."),
        ("sk-ant-api03-AAAA_bbbb-cccc is wrong", "sk-*** is wrong"),
        ("AIzaSyA1234567890", "AIza***"),
        ("ghp_abcdefghijklmnop ghs_abcdefghijklmnop", "ghp_*** ghs_***"),
        ("github_pat_11ABCDEFG0abcdef", "github_pat_***"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ('{"authorization": "Basic dXNlcjpwYXNz"}', '{"authorization": "Basic ***"}'),
        ("authorization: abc123", "authorization: ***"),
        ("x-api-key: abc123, accept: */*", "x-api-key: ***, accept: */*"),
        ('{"x-goog-api-key":"abc123"}', '{"x-goog-api-key":"***"}'),
        ("api_key=abc&x=1", "api_key=***&x=1"),
        ("GET /v1/models?key=abc123&alt=sse", "GET /v1/models?key=***&alt=sse"),
        ("http://user:pass@host/v1", "http://***@host/v1"),
        ("a task-forced risk-averse desk-1234567", "a task-forced risk-averse desk-1234567"),
        ("model claude-sonnet-4-5, 200 OK", "model claude-sonnet-4-5, 200 OK"),
    ],
)
def test_what_looks_like_a_key(text, redacted):
    redact = Redactor([])
    assert redact(text) == redacted
    assert redact(redacted) == redacted


def test_headers():
    pairs = [
        ("Authorization", "Bearer abc"),
        ("X-Api-Key", "abc"),
        ("x-goog-api-key", "abc"),
        ("api-key", "abc"),
        ("Cookie", "a=b"),
        ("Set-Cookie", "a=b"),
        ("Proxy-Authorization", "Basic abc"),
        ("X-Session-Token", "abc"),
        ("X-Client-Secret", "abc"),
        ("Content-Type", "application/json"),
        ("x-ratelimit-remaining-tokens", "1200"),
        ("x-portkey-cache-status", "DISABLED"),
        ("X-Echo", "pl4nted sk-1234567890"),
    ]
    assert redact_headers(pairs)[-4:] == tuple(pairs[-4:])
    assert [value for _, value in redact_headers(pairs)[:-4]] == ["***"] * 9
    assert is_secret_header("x-portkey-api-key")
    assert Redactor(["pl4nted"]).redact_headers(pairs)[-1] == ("X-Echo", "*** sk-***")
    assert is_secret_header(" AUTHORIZATION ")


def test_secrets_of_a_configuration(read):
    config = read(
        "gateways:\n"
        "  home: {kind: openai-compatible, url: http://h, models: [a], api_key: '${KEY}', headers: {X: v w, Y: b}}\n"
        "  core: {kind: embedded, models: [a], providers: {p: {url: http://h, api_key: '${KEY}'}, q: {url: http://h}}}\n"
    )
    assert secrets_of(config) == ("sk-planted-1", "v w")


def test_ordinary_words_in_headers_of_innocent_names_are_no_secrets(read):
    config = read(
        "gateways:\n"
        "  home: {kind: openai-compatible, url: http://h, models: [a], headers: {x-portkey-provider: anthropic,"
        " x-auth: opensesame, x-team-key: swordfish, x-team: red2, x-portkey-custom-host: 'http://u:p@h'}}\n"
    )
    assert secrets_of(config) == ("opensesame", "swordfish", "red2", "http://u:p@h")


@given(st.lists(st.text(min_size=4, max_size=12), max_size=4), st.lists(st.text(max_size=12), max_size=4))
def test_no_known_secret_is_left(secrets, texts):
    text = "".join(part for pair in zip(texts, [*secrets, "", "", "", ""], strict=False) for part in pair)
    known = Redactor(secrets).known(text)
    assert not [secret for secret in secrets if "*" not in secret and secret in known]


def test_a_token_learned_on_the_way_is_masked_and_many_are_bounded():
    redactor = Redactor(["first-secret"])
    assert "renewed-token" in redactor("it said renewed-token")
    redactor.learn("renewed-token")
    redactor.learn("renewed-token")
    redactor.learn("abc")  # too short: it would mask ordinary words
    assert redactor("it said renewed-token and first-secret, abc") == "it said *** and ***, abc"
    for number in range(100):
        redactor.learn(f"token-number-{number}")
    assert "token-number-99" not in redactor("token-number-99")
    assert "renewed-token" in redactor("renewed-token"), "the oldest is forgotten"


def grams(secret, size=SHORTEST):
    return {secret[at : at + size] for at in range(len(secret) - size + 1)}


@pytest.mark.parametrize("form", ["pl4nted-secret-0123456789", "pass word", "käse/schlüssel"])
def test_the_half_of_a_secret_that_a_cut_leaves_is_gone_wherever_the_cut_falls(form):
    redact = Redactor([form])
    for before in range(60):
        text = "." * before + form + "." * 60
        for most in range(1, len(text)):
            left = redact.known(clipped(text, most))
            assert not any(gram in left for gram in grams(form)), (before, most, left)
            tail = redact.known(CUT + text[len(text) - most :])
            assert not any(gram in tail for gram in grams(form)), (before, most, tail)


@pytest.mark.parametrize(
    "form",
    [quote(SECRET), json.dumps(SECRET)[1:-1], b64encode(SECRET.encode()).decode()],
    ids=["url", "json", "base64"],
)
def test_the_half_of_a_secret_is_gone_however_it_is_spelled(form):
    for most in range(6, 8 + len(form)):
        left = Redactor([SECRET]).known(clipped(f"{'.' * 8}{form} and more, for long", most))
        assert not any(gram in left for gram in grams(form)), (most, left)


@given(st.text(max_size=60), st.integers(1, 60))
def test_a_cut_without_a_secret_leaves_words_as_they_are(text, most):
    short = clipped(text, most)
    assert len(short) <= most
    assert text.startswith(short.removesuffix(CUT)) or text == short
    assert Redactor(["pl4nted-secret"]).known(short) == short


def test_words_beside_a_cut_that_only_look_like_a_beginning_stay():
    redact = Redactor(["pl4nted-secret"])
    assert redact.known("pl4…") == "pl4…", "fewer than four characters say nothing"
    assert redact.known("pl4nt is a word… and ret") == "pl4nt is a word… and ret"
    assert redact.known("pl4nted-pl4nted…") == "pl4nted-***…"
    assert redact.known("…ecret-secret") == "…***-secret"
    assert redact.known("…nted-sec…, …ord…") == "…***…, …ord…"
