"""What docs/budgets.md and docs/marks.md show is true; the verifier of the latter is under test_signature.py."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from promtools import PROMTOOLS, promtool

from llm_canaries.canary.canary import Priority
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.rules.trial import run_tests
from llm_canaries.rules.unittest import read_tests
from llm_canaries.service.settings import read_settings

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_configurations_load_and_mean_what_they_say(tmp_path):
    path = tmp_path / "canaries.yml"
    path.write_text("".join(blocks("budgets.md", "yaml") + blocks("marks.md", "yaml")))
    settings = read_settings(str(path), {"CANARY_KEY": "0f" * 32})
    found = {each.canary: each.priority for each in cases(settings.config, settings.binding, Wanted())}
    assert found == {"known-good": Priority.HIGH, "usage-parity": Priority.LOW}
    assert (settings.config.gateways["home"].budget.dollars, settings.config.budget.dollars) == (2.5, 5.0)


def trial(folder):
    """A test in promtool's format: a model that two canaries ask, one that none asks, and one that nobody else asks."""
    (expression,) = blocks("budgets.md", "promql")
    labels = 'model_id="{}", kind="input"'

    def series(name, more, model, each):
        return {"series": f'{name}{{gateway="home", {more}{labels.format(model)}}}', "values": f"0+{each}x120"}

    inputs = [
        series("llm_gateway_tokens_total", 'provider_key="a", ', "asked", 6000),
        series("llm_gateway_tokens_total", 'provider_key="b", ', "asked", 6000),
        series("llm_gateway_tokens_total", 'provider_key="a", ', "quiet", 1200),
        series("llm_canary_tokens_total", 'canary="one", ', "asked", 60),
        series("llm_canary_tokens_total", 'canary="two", ', "asked", 120),
        series("llm_canary_tokens_total", 'canary="two", ', "unseen", 60),
    ]
    expected = [
        {"labels": f'{{gateway="home", {labels.format("asked")}}}', "value": (12000 - 180) / 60},
        {"labels": f'{{gateway="home", {labels.format("quiet")}}}', "value": 20},
    ]
    samples = [{"expr": expression, "eval_time": "100m", "exp_samples": expected}]
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": samples}
    (folder / "rules.yml").write_text("groups: []\n")
    (folder / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [test]}))
    return folder / "test.yml"


def test_a_gateways_own_traffic_is_what_the_canaries_did_not_cause(tmp_path):
    path = trial(tmp_path)
    tests = read_tests(str(path), path.read_text(), lambda pattern: {pattern: "groups: []"})
    assert len(tests.tests) == 1
    assert run_tests(tests) == []


@pytest.mark.parametrize("which", PROMTOOLS)
def test_prometheus_reckons_the_same(which, tmp_path):
    command = [promtool(which), "test", "rules", str(trial(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
