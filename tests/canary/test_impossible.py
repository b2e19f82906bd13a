"""canary/impossible.py: what a canary names itself and nothing can come of is refused, with its line and the reason."""

from pathlib import Path

import pytest

from llm_canaries.canary.load import Wanted, cases
from llm_canaries.config.problems import ConfigError
from llm_canaries.service.settings import read_settings

BAD = sorted((Path(__file__).parent.parent / "config" / "bad_combinations").glob("*.yml"))

EVERY_BAD = sorted((Path(__file__).parent.parent / "config" / "bad").glob("*.yml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_combinations(path):
    with pytest.raises(ConfigError) as caught:
        read_settings(str(path), {})
    lines = str(caught.value).replace(str(path), path.name).splitlines()
    assert lines == path.with_suffix(".txt").read_text().splitlines()


@pytest.mark.parametrize("path", EVERY_BAD, ids=lambda path: path.stem)
def test_what_is_wrong_otherwise_is_told_and_no_more(path):
    with pytest.raises(ConfigError):
        read_settings(str(path), {})


def found(tmp_path, canaries):
    (tmp_path / "c.yml").write_text(
        "gateways:\n"
        "  home: {kind: openai-compatible, url: 'http://h', dialects: [openai_chat, openai_responses],\n"
        "         models: [gpt-5.3-codex, {id: plain, vision: false, thinking: false}]}\n"
        f"canaries: [{canaries}]\n"
    )
    settings = read_settings(str(tmp_path / "c.yml"), {})
    return cases(settings.config, settings.binding, Wanted())


def test_a_pattern_that_meets_a_text_only_model_skips_there(tmp_path):
    made = found(tmp_path, "{use: tool-result-image}")
    assert {case.model for case in made} == {"gpt-5.3-codex", "plain"}


def test_a_dialect_that_a_definition_brings_is_left_out_where_it_cannot_be_asked(tmp_path):
    made = found(tmp_path, "{use: tool-result-image, params: {stringified: true}}")
    assert {case.dialect for case in made} == {"openai_responses"}


def test_a_shipped_definition_is_never_refused(tmp_path):
    assert found(tmp_path, "{use: thinking}, {use: tool-result-image}, {use: known-good}")
