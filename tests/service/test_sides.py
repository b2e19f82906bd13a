"""service/sides.py: what BASE and HEAD may be."""

import pytest

from llm_canaries.canary.load import Wanted
from llm_canaries.config.problems import ConfigError
from llm_canaries.config.values import Refused
from llm_canaries.service.sides import Given, pairing, sides

HOMES = """\
gateways:
  old: {kind: openai-compatible, url: "http://127.0.0.1:1", api_key: "sk-old-0123456789", models: [m, only-old]}
  new: {kind: openai-compatible, url: "http://127.0.0.1:2", dialects: [openai_chat], models: [m]}
  own: {kind: embedded, models: [mirror/healthy]}
canaries:
  - {use: known-good}
  - {use: usage-parity, gateway: old}
  - {use: thinking, gateway: own}
  - {use: usage-parity, gateway: new}
"""
ONE = HOMES.partition("  new:")[0]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "homes.yml").write_text(HOMES)
    (tmp_path / "one.yml").write_text(ONE)
    (tmp_path / "other.yml").write_text(ONE.replace("  old:", "  renamed:"))
    (tmp_path / "broken.yml").write_text("gateways: {}\n")


def chosen(base, head, config="homes.yml", like="", models=()):
    return sides(Given(base=base, head=head, config=config, like=like, models=models), {})


def names(side, **wanted):
    return {(case.canary, case.model) for case in side.cases(Wanted(**wanted))}


def test_two_gateways_are_asked_what_either_is(files):
    base, head = chosen("old", "new")
    assert names(base) == {(canary, model) for canary in ("known-good", "usage-parity") for model in ("m", "only-old")}
    assert names(head) == {("known-good", "m"), ("usage-parity", "m")}
    assert {case.gateway for case in base.cases(Wanted())} == {"old"}
    asked = [case.key for case in base.cases(Wanted())]
    assert len(set(asked)) == len(asked), "a canary of both is asked once"
    key = pairing(base, head)
    assert {key(case) for case in head.cases(Wanted())} < {key(case) for case in base.cases(Wanted())}


def test_a_url_is_like_the_other_side(files):
    base, head = chosen("old", "http://127.0.0.1:9")
    own = head.settings.config.gateways["old"]
    assert own.url == "http://127.0.0.1:9"
    assert own.api_key.get_secret_value() == "sk-old-0123456789"
    assert names(head) == names(base)
    assert base.settings.config.gateways["old"].url == "http://127.0.0.1:1"
    first, second = chosen("http://127.0.0.1:8", "new")
    assert first.settings.config.gateways["new"].dialects == ("openai_chat",)
    assert names(first) == names(second)


def test_two_urls_are_like_the_one_that_is_named_or_the_only_one(files):
    base, head = chosen("http://127.0.0.1:8", "http://127.0.0.1:9", like="old")
    assert [side.settings.config.gateways["old"].url for side in (base, head)] == [
        "http://127.0.0.1:8",
        "http://127.0.0.1:9",
    ]
    base, _ = chosen("http://127.0.0.1:8", "http://127.0.0.1:9", config="one.yml")
    assert base.gateway == "old"


def test_an_embedded_gateway_lends_its_models_to_a_url(files):
    base, head = chosen("own", "http://127.0.0.1:9")
    own = head.settings.config.gateways["own"]
    assert (own.kind, own.url) == ("openai-compatible", "http://127.0.0.1:9")
    assert names(base) == names(head)


def test_urls_need_no_configuration_but_models(files):
    base, head = chosen("http://127.0.0.1:8", "http://127.0.0.1:9", config=None, models=("a", "b"))
    assert names(base, models=("a", "b")) == names(head, models=("a", "b"))
    assert {case.model for case in head.cases(Wanted(models=("a", "b")))} == {"a", "b"}
    with pytest.raises(Refused, match="add --model ID or --config FILE"):
        chosen("http://127.0.0.1:8", "http://127.0.0.1:9", config=None)


def test_files_of_one_gateway_each_pair_whatever_it_is_called(files):
    base, head = chosen("one.yml", "other.yml", config=None)
    key = pairing(base, head)
    assert {key(case) for case in base.cases(Wanted())} == {key(case) for case in head.cases(Wanted())}
    many, _ = chosen("homes.yml", "one.yml", config=None)
    assert {case.gateway for case in many.cases(Wanted())} == {"old", "new", "own"}
    assert len({pairing(many, base)(case) for case in many.cases(Wanted())}) == len(many.cases(Wanted()))


@pytest.mark.parametrize(
    ("base", "head", "more", "words"),
    [
        ("old", "nwe", {}, "`nwe` is no gateway; configured: `old`, `new`, `own`"),
        ("one.yml", "old", {}, "`old` is not a configuration file"),
        ("one.yml", "one.yml", {}, "--config is for gateways' names and URLs"),
        ("http://127.0.0.1:8", "http://127.0.0.1:9", {}, "add --like with one of `old`, `new`"),
        ("http://127.0.0.1:8", "old", {"like": "odl"}, "--like odl: no such gateway"),
        ("http://u:p@127.0.0.1", "old", {}, "holds a user or password"),
        ("http://", "old", {}, "is not an http or https URL with a host"),
    ],
)
def test_what_is_neither_is_refused_with_what_is_allowed(files, base, head, more, words):
    with pytest.raises(Refused) as refused:
        chosen(base, head, **more)
    assert words in str(refused.value)


def test_a_broken_file_tells_its_problems(files):
    with pytest.raises(ConfigError, match=r"broken\.yml"):
        chosen("one.yml", "broken.yml", config=None)
    with pytest.raises(ConfigError, match="cannot be read"):
        chosen("one.yml", "missing.yml", config=None)
