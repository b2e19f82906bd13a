"""The sections `proxy` and `prices` of config/schema.py."""

import pytest

from llm_canaries.config.problems import ConfigError
from llm_canaries.config.secrets import secrets_of

CORE = "gateways: {core: {kind: embedded, models: [m]}}\n"


def test_what_is_absent(read):
    config = read(CORE)
    assert (config.proxy.listen, config.proxy.client_keys, config.prices) == ("127.0.0.1:8317", None, {})


def test_client_keys_are_secrets(read):
    config = read(CORE + "proxy: {client_keys: [ck-planted-1, ck-planted-2]}\n")
    assert secrets_of(config) == ("ck-planted-1", "ck-planted-2")
    assert "planted" not in repr(config)


def test_prices_keep_their_order(read):
    config = read(CORE + 'prices: {"gpt-5*": {input: 1.25, output: 10, cache_read: 0}, "*": {input: 0, output: 0}}\n')
    assert list(config.prices) == ["gpt-5*", "*"], "the first that fits wins"
    first = config.prices["gpt-5*"]
    assert (first.input, first.output, first.cache_read, first.cache_write) == (1.25, 10.0, 0.0, None)


@pytest.mark.parametrize("price", ["cheap", "true", "-1", "[1]", "1000000", "'2'", ".inf"])
def test_what_is_no_price(price, read):
    with pytest.raises(ConfigError, match=r"canaries\.yml:2: `input`: .*is not a price; write dollars"):
        read(CORE + f"prices: {{m: {{input: {price}, output: 1}}}}\n")


@pytest.mark.parametrize("key", ["''", "' ck-planted'", "{ck: planted}", "12345678"])
def test_a_wrong_client_key_is_not_repeated(key, read):
    with pytest.raises(ConfigError) as caught:
        read(CORE + f"proxy: {{client_keys: [{key}]}}\n")
    (problem,) = caught.value.problems
    assert str(problem).startswith("canaries.yml:2: `proxy.client_keys[0]`") or "client_keys" in str(problem)
    assert "planted" not in str(problem) and "12345678" not in str(problem)
