"""config/json_schema.py: a real schema that accepts what loads and refuses what does not."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from llm_canaries.config.json_schema import json_schema
from llm_canaries.config.known import Known

HERE = Path(__file__).parent
HOME = "gateways: {home: {kind: openai-compatible, url: http://h, models: [a]}}\n"
CORE = "gateways: {core: {kind: embedded, models: [a]}}\n"

GOOD = [
    HOME,
    CORE,
    "gateways: {home: {kind: openai-compatible, url: '${URL}', models: [{id: a, vision: true}], api_key: '${KEY}'}}",
    "gateways: {core: {kind: embedded, models: [a], limits: {connect: 1h30m, body: '${BODY}'}}}",
    "gateways: {core: {kind: embedded, models: [a], providers: {p: {url: https://h/v1, aliases: {a: b}}}}}",
    "gateways: {core: {kind: embedded, models: [a], pins: {w: p}, force_model_prefix: false, retries: {attempts: 1},"
    " breaker: {policy: tiered, cap: 30s, scope: model}, providers: {p: {url: https://h, strategy: fill-first,"
    " credentials: [{alias: a, api_key: '${KEY}', weight: 2}, {alias: b, token_file: /run/t.json}], priority: -1,"
    " excluded_models: ['*-old'], aliases: {a: {model: b, fork: true}, c: d}}}}}",
    CORE + "canaries: [{use: known-good, every: 10m, stream: both, models: ['*']}]",
    CORE + "canaries: [{use: known-good, stream: [true], params: {within_seconds: 20s, digits: 5}}]",
    CORE + "canaries: [{scenario: eligibility, name: mine, params: {expect: absent}}]",
    CORE + "canaries: [{use: spark-eligibility, params: {cap: 5}, thresholds: {error_ratio: {warning: 2%}}}]",
    CORE + "canaries: []",
    CORE + "mirror: {listen: '127.0.0.1:9878', key: '${KEY}'}",
    "gateways: {home: {kind: openai-compatible, url: http://h, models: [a], loopback: {model: b, upstream: c, "
    "doors: {anthropic_messages: d}, vision: false, thinking: true}}}\nmirror: {url: http://h, key: '${KEY}'}",
]

BAD = [
    "{}",
    "gateways: {}",
    "gateways: {home: {}}",
    "gateways: {home: {kind: other, models: [a]}}",
    "gateways: {home: {kind: openai-compatible, models: [a]}}",
    "gateways: {core: {kind: embedded, models: []}}",
    "gateways: {core: {kind: embedded, models: [a, a]}}",
    "gateways: {core: {kind: embedded, models: [a], url: http://h}}",
    "gateways: {core: {kind: embedded, models: [a], providers: {p: {}}}}",
    "gateways: {core: {kind: embedded, models: [a], providers: {p: {url: 'http://u:p@h'}}}}",
    "gateways: {core: {kind: embedded, models: [a], providers: {p: {url: http://h, strategy: random}}}}",
    "gateways: {core: {kind: embedded, models: [a], providers: {p: {url: http://h, credentials: []}}}}",
    "gateways: {core: {kind: embedded, models: [a], providers: {p: {url: http://h, credentials: [{alias: a}]}}}}",
    "gateways: {core: {kind: embedded, models: [a], providers: {p: {url: http://h, api_key: k, "
    "credentials: [{alias: a, api_key: k}]}}}}",
    "gateways: {core: {kind: embedded, models: [a], providers: {p: {url: http://h, aliases: {a: {fork: true}}}}}}",
    "gateways: {core: {kind: embedded, models: [a], breaker: {policy: other}}}",
    "gateways: {core: {kind: embedded, models: [a], retries: {attempts: 0}}}",
    "gateways: {home: {kind: openai-compatible, url: http://h, models: [a], retries: {attempts: 2}}}",
    "gateways: {core: {kind: embedded, models: [a], profile: other}}",
    "gateways: {core: {kind: embedded, models: [a], dialects: [other]}}",
    "gateways: {core: {kind: embedded, models: [a], limits: {connect: 5}}}",
    "gateways: {core: {kind: embedded, models: [a], limits: {connect: 5 minutes}}}",
    "gateways: {core: {kind: embedded, models: [a], limits: }}",
    "gateways: {core: {kind: embedded, models: [a], colour: red}}",
    "gateways: {'a b': {kind: embedded, models: [a]}}",
    CORE + "canaries: ",
    CORE + "canaries: [{}]",
    CORE + "canaries: [{use: other}]",
    CORE + "canaries: [{use: known-good, scenario: known-good, name: a}]",
    CORE + "canaries: [{scenario: known-good}]",
    CORE + "canaries: [{scenario: other, name: a}]",
    CORE + "canaries: [{use: known-good, every: 600}]",
    CORE + "canaries: [{use: known-good, stream: [maybe]}]",
    CORE + "canaries: [{use: known-good, severity: fatal}]",
    CORE + "canaries: [{use: known-good, thresholds: {error_ratio: {warn: 2%}}}]",
    CORE + "canaries: [{use: known-good, thresholds: {error_ratio: {}}}]",
    CORE + "canaries: [{scenario: eligibility, name: a, params: {}}]",
    CORE + "canaries: [{use: spark-eligibility, params: {other: 1}}]",
    CORE + "canaries: [{use: known-good, params: {digits: six}}]",
    CORE + "colour: red",
    CORE + "mirror: {key: k}",
    CORE + "mirror: {listen: '127.0.0.1:9878'}",
    CORE + "mirror: {listen: '127.0.0.1:9878', url: http://h, key: k}",
    HOME.replace("[a]", "[a], loopback: {vision: true}") + "mirror: {url: http://h, key: k}",
]


@pytest.fixture
def validator(known):
    schema = json_schema(known)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("text", GOOD)
def test_good(validator, told, text):
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []
    assert told(text, {"URL": "http://h", "KEY": "k", "BODY": "8MiB"}) == []


@pytest.mark.parametrize("text", BAD)
def test_bad(validator, told, text):
    assert not validator.is_valid(yaml.safe_load(text))
    assert told(text)


def test_the_names_of_this_installation(known):
    schema = json_schema(known)
    gateway, canary = schema["$defs"]["GatewayConfig"], schema["$defs"]["CanaryConfig"]
    assert gateway["properties"]["kind"]["enum"] == ["embedded", "openai-compatible"]
    assert gateway["properties"]["profile"]["enum"] == ["generic", "iflow", "openai"]
    assert canary["properties"]["use"]["enum"] == ["known-good", "spark-eligibility"]
    assert canary["properties"]["scenario"]["enum"] == ["eligibility", "known-good", "mirrored"]
    assert canary["properties"]["dialects"]["items"]["enum"] == ["anthropic_messages", "openai_chat"]
    assert "x-known" not in str(schema)
    assert "null" not in str(schema["properties"])


def test_an_installation_that_knows_nothing():
    nothing = Known(
        kinds=frozenset(), dialects=frozenset(), profiles=frozenset(), scenarios={}, definitions=frozenset()
    )
    Draft202012Validator.check_schema(json_schema(nothing))
