"""config/load.py: good documents mean what they say, bad ones are told of completely and without secrets."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_canaries.config.known import Known
from llm_canaries.config.load import ConfigError, Problem, load, load_definitions
from llm_canaries.config.provider import AliasConfig, BreakerConfig, ProviderConfig, RetriesConfig
from llm_canaries.config.schema import CanaryConfig, Definition, GatewayConfig, Limits, ModelConfig
from llm_canaries.config.secrets import secrets_of

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yml"))
BAD_DEFINITIONS = sorted((HERE / "bad_definitions").glob("*.yml"))

GOOD = """\
gateways:
  home:
    kind: openai-compatible
    url: http://localhost:${PORT}
    api_key: ${KEY}
    models: [gpt-5.3-codex, {id: gpt-5.3-codex-spark, vision: false, thinking: true, thinking_off: false}]
    dialects: [openai_chat, anthropic_messages]
    profile: generic
    headers: {X-Team: ops, X-Literal: "$${KEY} and ${WORD}"}
    limits: {connect: 500ms, first_byte: 1m30s, idle: 30s, total: 1h, body: 1MiB}
  core:
    kind: embedded
    models: [fast]
    providers:
      openai:
        url: https://api.openai.com
        api_key: "${file:/run/key}"
        profile: openai
        dialects: [openai_chat]
        prefix: openai
        models: ["gpt-*"]
        aliases: {fast: gpt-5-mini}
canaries:
  - use: known-good
    gateway: home
    every: 1d
    models: ["gpt-*", "!*spark"]
    severity: warning
    thresholds: {error_ratio: {warning: 2%, critical: 0.05}, latency_seconds: {warning: 20s, critical: 30}}
    params: {digits: 5, within_seconds: 20s, steps_seconds: [1, 2.5, 1m]}
  - {scenario: eligibility, name: mine, stream: both, params: {expect: absent, cap: null}}
"""


def test_a_whole_configuration(read):
    config = read(GOOD)
    home, core = config.gateways["home"], config.gateways["core"]
    assert home.url == "http://localhost:8317"
    assert home.api_key is not None
    assert home.api_key.get_secret_value() == "sk-planted-1"
    assert home.models == (
        ModelConfig(id="gpt-5.3-codex"),
        ModelConfig(id="gpt-5.3-codex-spark", vision=False, thinking=True, thinking_off=False),
    )
    assert home.limits == Limits(connect=0.5, first_byte=90.0, idle=30.0, total=3600.0, body=1024**2)
    assert home.headers["X-Literal"].get_secret_value() == "${KEY} and pl4nted-word"
    assert core.limits == Limits()
    assert core.providers is not None
    assert core.providers["openai"].api_key.get_secret_value() == "sk-planted-file"
    assert core.providers["openai"].aliases == {"fast": AliasConfig(model="gpt-5-mini")}
    assert config.canaries is not None
    first, second = config.canaries
    assert (first.every, first.severity, first.models) == (86_400.0, "warning", ("gpt-*", "!*spark"))
    assert first.thresholds == {
        "error_ratio": {"warning": 0.02, "critical": 0.05},
        "latency_seconds": {"warning": 20.0, "critical": 30.0},
    }
    assert first.params == {"digits": 5, "within_seconds": 20.0, "steps_seconds": [1, 2.5, 60.0]}
    assert (second.name, second.stream, second.params) == ("mine", "both", {"expect": "absent", "cap": None})


def test_what_is_absent(read):
    config = read("gateways: {home: {kind: embedded, models: [a]}}")
    assert config.canaries is None
    assert config.gateways["home"] == GatewayConfig(kind="embedded", models=(ModelConfig(id="a"),))
    assert config.gateways["home"].providers is None
    assert read("gateways: {home: {kind: embedded, models: [a]}}\ncanaries: []").canaries == ()


ROUTED = """\
gateways:
  core:
    kind: embedded
    models: [fast]
    force_model_prefix: false
    pins: {nightly batch: cheap}
    breaker: {policy: tiered, cap: 2m, scope: credential, count_rate_limits: false}
    retries: {attempts: 5, base: 100ms, cap: 3s}
    providers:
      main:
        url: https://main.example
        priority: 10
        strategy: weighted
        credentials:
          - {alias: team-a, api_key: "${KEY}", weight: 3}
          - {alias: team-b, api_key: "${file:/run/key}"}
          - {alias: login, token_file: /run/token.json}
        excluded_models: ["*-preview"]
        aliases: {fast: {model: gpt-5-mini, fork: true}, slow: gpt-5}
      cheap: {url: https://cheap.example, token_file: /run/other.json}
"""


def test_routing(read):
    config = read(ROUTED)
    core = config.gateways["core"]
    assert (core.force_model_prefix, dict(core.pins)) == (False, {"nightly batch": "cheap"})
    assert core.breaker == BreakerConfig(policy="tiered", cap=120.0, scope="credential", count_rate_limits=False)
    assert core.retries == RetriesConfig(attempts=5, base=0.1, cap=3.0)
    main, cheap = core.providers["main"], core.providers["cheap"]
    assert [(each.alias, each.weight, each.token_file) for each in main.credentials] == [
        ("team-a", 3, None),
        ("team-b", 1, None),
        ("login", 1, "/run/token.json"),
    ]
    assert (main.priority, main.strategy, main.excluded_models) == (10, "weighted", ("*-preview",))
    assert main.aliases == {"fast": AliasConfig(model="gpt-5-mini", fork=True), "slow": AliasConfig(model="gpt-5")}
    assert cheap == ProviderConfig(url="https://cheap.example", token_file="/run/other.json")
    assert secrets_of(config) == ("sk-planted-1", "sk-planted-file")
    assert not [secret for secret in secrets_of(config) if secret in repr(config)]


def test_anchors_aliases_and_merge_keys(read):
    config = read(
        "gateways:\n"
        "  home: &home {kind: embedded, models: &models [a, b], limits: &limits {connect: 1s, idle: 2s}}\n"
        "  core: {<<: *home, models: [c], limits: {<<: *limits, idle: 3s}}\n"
        "  more: {<<: [{models: *models}, *home], profile: iflow}\n"
    )
    assert [model.id for model in config.gateways["core"].models] == ["c"]
    assert config.gateways["core"].limits == Limits(connect=1.0, idle=3.0)
    assert [model.id for model in config.gateways["more"].models] == ["a", "b"]
    assert config.gateways["more"].kind == "embedded"


def test_text_of_yaml_1_1_stays_text(read):
    config = read("gateways: {on: {kind: embedded, models: [no, 2026-01-01, 12:30, '4.1', .inf, 1_000]}}")
    assert list(config.gateways) == ["on"]
    assert [model.id for model in config.gateways["on"].models] == ["no", "2026-01-01", "12:30", "4.1", ".inf", "1_000"]


def test_values_are_frozen(read):
    config = read(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        config.gateways["home"].profile = "openai"


def test_no_secret_in_any_repr(read):
    config = read(GOOD)
    assert secrets_of(config) == ("sk-planted-1", "${KEY} and pl4nted-word", "sk-planted-file")
    for shown in (repr(config), str(config), repr(config.gateways), f"{config.gateways['core'].providers}"):
        assert not [secret for secret in secrets_of(config) if secret in shown]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad(path, told):
    lines = [line.replace("canaries.yml", path.name, 1) for line in told(path.read_text())]
    assert lines == path.with_suffix(".txt").read_text().splitlines()
    assert not [line for line in lines if "pl4nted" in line or "sk-planted" in line]


def test_every_fault_is_told_at_once():
    lines = (HERE / "bad/everything_at_once.txt").read_text().splitlines()
    assert len(lines) == 24


def test_an_error_holds_its_problems_in_order(read):
    with pytest.raises(ConfigError) as caught:
        read("colour: red\ngateways:\n  home: {kind: embeded, models: [a]}\n")
    assert caught.value.problems == (
        Problem(
            "canaries.yml",
            1,
            "unknown key `colour`; allowed: "
            "`budget`, `canaries`, `connectivity`, `gateways`, `heartbeat`, `mark`, `mirror`, `prices`, `proxy`, "
            "`receivers`, `rules`, `server`, `state`",
        ),
        Problem(
            "canaries.yml",
            3,
            "`kind`: `embeded` is not a known kind; did you mean `embedded`? allowed: `embedded`, `openai-compatible`",
        ),
    )
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_problem_reached_by_two_aliases_is_told_once(told):
    text = "gateways:\n  home: &home {kind: embedded, models: [a], limits: {connect: soon}}\n  core: *home\n"
    assert len(told(text)) == 1


def test_the_environment_is_read_only_where_asked(read):
    asked = []

    class Watched(dict[str, str]):
        def get(self, key, default=None):
            asked.append(key)
            return super().get(key, default)

    environ = Watched(KEY="sk-planted-1")
    read("gateways: {home: {kind: openai-compatible, url: http://h, models: [a], api_key: '${KEY}'}}", environ)
    assert asked == ["KEY"]


@pytest.mark.parametrize("secret", ["pl4nted-long-secret", "gateway", "sk-planted-12345"])
def test_a_secret_written_down_twice_is_masked_in_both_places(told, secret):
    text = (
        "gateways:\n"
        f"  home: {{kind: openai-compatible, url: http://h, models: [a], api_key: {secret}, profile: 'x{secret}'}}\n"
        f"  core: {{kind: embedded, models: [a], {secret}: 1}}\n"
    )
    lines = told(text)
    assert len(lines) == 2
    assert not [line for line in lines if secret in line]


def test_a_long_value_is_cut_without_showing_part_of_a_secret(told):
    kinds = "x" * 47 + "/sk-planted-pl4nted", "k" * 99
    text = f"gateways:\n  home: {{kind: {kinds[0]}, models: [a]}}\n  core: {{kind: {kinds[1]}, models: [a]}}"
    lines = told(text)
    assert lines[1].split("`")[3] == "k" * 59 + "…"
    assert "planted" not in lines[0]


@pytest.mark.parametrize("path", BAD_DEFINITIONS, ids=lambda path: path.stem)
def test_bad_definitions(path, known):
    _, problems = load_definitions({path.name: path.read_text()}, known)
    assert [str(problem) for problem in problems] == path.with_suffix(".txt").read_text().splitlines()


def test_a_broken_definition_stops_no_other(known):
    text = (HERE / "bad_definitions/siblings.yml").read_text()
    good, _ = load_definitions({"siblings.yml": text, "unreadable.yml": "a: ["}, known)
    assert good == {
        "good": Definition(
            scenario="known-good",
            help="Stays.",
            severity="critical",
            every=600.0,
            dialects=("openai_chat",),
            stream=(False, True),
            params={"digits": 5, "within_seconds": 20.0},
        )
    }
    assert good["good"].models == ("*",)


def test_a_name_in_two_files_names_both_places(known):
    text = (
        "# {0}\nfirst: {{scenario: known-good, help: From {0}., severity: warning, every: 10m,"
        " dialects: [openai_chat], stream: [false]}}\n"
    )
    good, problems = load_definitions({"b.yml": text.format("b"), "a.yml": "\n" + text.format("a")}, known)
    assert good["first"].help == "From b."
    assert [str(each) for each in problems] == ["a.yml:3: `first` is already defined at b.yml:2; write another name"]


def test_definitions_are_not_interpolated(known):
    text = (
        "a: {scenario: known-good, help: 'Costs ${KEY}', severity: warning, every: 10m,"
        " dialects: [openai_chat], stream: both}"
    )
    good, problems = load_definitions({"a.yml": text}, known)
    assert (good["a"].help, problems) == ("Costs ${KEY}", ())


def test_params_of_a_used_definition_wait_for_the_merge_where_its_scenario_is_not_told(known):
    unaware = Known(
        kinds=known.kinds,
        dialects=known.dialects,
        profiles=known.profiles,
        scenarios=known.scenarios,
        definitions=known.definitions,
    )
    text = "gateways: {h: {kind: embedded, models: [a]}}\ncanaries: [{use: known-good, params: {digits: six}}]"
    config = load(text, unaware, file="c.yml", environ={}, read_file=str)
    assert config.canaries == (CanaryConfig(use="known-good", params={"digits": "six"}),)


NAMES = "gateways canaries home kind embedded openai-compatible url api_key models headers limits connect use scenario"
MARKS = "& * << ! | > ? - : { } [ ] , ' # % @ --- ... &a *a ${KEY} ${WORD} ${NOPE} ${file:/run/key} ${ $${ ~ 1 5% true"
ODD = ['"', "\t", "é", '"\\ud800"', '"\\UFFFFFFFF"', "!!binary", "%YAML 1.1", "%TAG ! x", "\x00", "\x85", "<<: *a"]
WORDS = st.sampled_from([*NAMES.split(), *MARKS.split(), *ODD, "known-good", "params", "sk-planted-2", "thresholds"])
PIECES = st.lists(st.one_of(WORDS, st.sampled_from([" ", "\n", "\n  ", "\n    ", ": ", ", "])), max_size=40)


@given(st.one_of(st.text(max_size=200), PIECES.map("".join)))
@settings(max_examples=600, deadline=None)
def test_arbitrary_text_is_a_configuration_or_a_config_error(text):
    known = Known(
        kinds=frozenset({"embedded"}),
        dialects=frozenset(),
        profiles=frozenset({"generic"}),
        scenarios={},
        definitions=frozenset({"known-good"}),
    )
    problems = ()
    try:
        load(text, known, file="c.yml", environ={"KEY": "sk-planted-1", "WORD": "pl4nted"}, read_file=str)
    except ConfigError as error:
        problems = error.problems
    lines = len(text.splitlines()) + 1
    assert all(1 <= problem.line <= lines and len(problem.message.splitlines()) == 1 for problem in problems)
    # a word that only ends like a key, as `task-` does, is left readable (lookalikes.py)
    assert not re.search(r"(?<![A-Za-z0-9])sk-planted", "".join(f" {problem}" for problem in problems))


FIELDS = st.sampled_from(["kind", "url", "api_key", "models", "headers", "limits", "profile", "colour", "providers"])
SECRETS = st.sampled_from(["sk-planted-1234", "${KEY}", "x${KEY}", "${WORD}", "${file:/run/key}"])
VALUES = st.recursive(
    st.one_of(SECRETS, st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["embedded", "http://h"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=3)),
    max_leaves=8,
)


CANARY_FIELDS = st.sampled_from(["use", "scenario", "name", "gateway", "every", "models", "params", "stream"])
CANARIES = st.lists(st.dictionaries(CANARY_FIELDS, VALUES, max_size=5), max_size=2)


@given(st.dictionaries(FIELDS, VALUES, max_size=6), CANARIES)
@settings(max_examples=400, deadline=None)
def test_no_planted_secret_shows(gateway, canaries):
    known = Known(
        kinds=frozenset({"embedded", "openai-compatible"}),
        dialects=frozenset({"openai_chat"}),
        profiles=frozenset({"generic"}),
        scenarios={},
        definitions=frozenset({"known-good"}),
    )
    environ = {"KEY": "sk-planted-5678", "WORD": "pl4nted-word"}
    text = json.dumps({"gateways": {"home": gateway}, "canaries": canaries})
    try:
        shown = repr(load(text, known, file="c.yml", environ=environ, read_file=lambda path: "pl4nted-file"))
    except ConfigError as error:
        shown = str(error) + repr(error) + repr(error.problems)
    for planted in ("sk-planted", "pl4nted-word", "pl4nted-file"):
        assert planted not in shown, shown
