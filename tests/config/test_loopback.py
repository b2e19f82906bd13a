"""Covers config/loopback.py: the mirror in one place, and gateways that are said to reach it."""

import pytest

from llm_canaries.config.secrets import secrets_of

CORE = "gateways: {core: {kind: embedded, models: [m]}}\n"
HOME = "gateways: {home: {kind: openai-compatible, url: 'http://h', models: [m], loopback: {model: loop/healthy}}}\n"
LISTEN = "mirror: {listen: '127.0.0.1:9878', key: '${KEY}'}\n"


def test_what_is_absent(read):
    config = read(CORE)
    assert config.mirror is None and config.gateways["core"].loopback is None


def test_a_gateway_that_reaches_the_mirror(read):
    config = read(HOME + LISTEN)
    loop = config.gateways["home"].loopback
    assert (loop.model, loop.upstream, loop.vision, loop.thinking) == ("loop/healthy", None, None, None)
    assert (config.mirror.listen, config.mirror.url) == ("127.0.0.1:9878", None)
    assert "sk-planted-1" in secrets_of(config) and "planted" not in repr(config)


def test_a_gateway_with_several_doors_to_the_mirror(read, told):
    text = HOME.replace("healthy}", "healthy, doors: {anthropic_messages: loop/m, openai_chat: loop/healthy}}") + LISTEN
    assert read(text).gateways["home"].loopback.models == ("loop/healthy", "loop/m")
    (line,) = told(text.replace("anthropic_messages:", "google:"))
    assert "`google` is not a known dialect" in line


def test_an_embedded_gateway_with_providers_may_reach_it_too(read):
    text = "gateways: {core: {kind: embedded, models: [m], providers: {p: {url: 'http://h'}}, loopback: {model: m}}}\n"
    assert read(text + "mirror: {url: 'http://127.0.0.1:9878', key: '${KEY}'}\n").mirror.url == "http://127.0.0.1:9878"


@pytest.mark.parametrize(
    ("mirror", "told_of"),
    [
        ("", ["`loopback`: there is no `mirror` to loop back from; write `mirror: {listen: 127.0.0.1:9878, key: "]),
        ("mirror: {key: '${KEY}'}\n", ["`mirror`: missing key `listen` or `url`; write `listen: 127.0.0.1:9878` to "]),
        ("mirror: {listen: '127.0.0.1:9878'}\n", ["missing key `key`; write the key that the mirror wants"]),
        ("mirror: {listen: here, key: '${KEY}'}\n", ["`mirror.listen`: `here` is not an address; write `HOST:PORT`"]),
        ("mirror: {listen: '127.0.0.1:1', key: '${EMPTY}'}\n", ["`mirror.key`"]),
    ],
)
def test_a_mirror_that_is_none(mirror, told_of, told):
    lines = told(HOME + mirror)
    assert len(lines) == len(told_of)
    assert [want for want, line in zip(told_of, lines, strict=True) if want not in line] == []
