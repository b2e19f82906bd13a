"""canary/reasons/*.yml: every reason has one page, and no page promises what does not exist."""

import re
import shlex
from collections import Counter
from enum import StrEnum
from importlib.resources import files
from typing import Any

import pytest
import yaml

from llm_canaries.canary import comparison, expectations, onboarding
from llm_canaries.canary.canary import SharedReason
from llm_canaries.canary.explain import read_pages
from llm_canaries.canary.holds import HoldReason
from llm_canaries.canary.scenarios import (
    catalog,
    client_route,
    eligibility,
    known_good,
    negative_control,
    negotiation,
    routing,
    stale_cooldown,
    stream_conformance,
    thinking,
    tool_result_image,
    tool_round_trip,
    usage_parity,
)
from llm_canaries.canary.scenarios.loopback import reasons as loopback
from llm_canaries.canary.scenarios.table import SCENARIOS
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS
from llm_canaries.mirror.server import PREFIX
from llm_canaries.wire.fault import FaultReason

REASONS: dict[str, type[StrEnum]] = {
    "transport": FaultReason,
    "shared": SharedReason,
    "held": HoldReason,
    "known_good": known_good.Reason,
    "tool_result_image": tool_result_image.Reason,
    "eligibility": eligibility.Reason,
    "thinking": thinking.Reason,
    "usage_parity": usage_parity.Reason,
    "tool_round_trip": tool_round_trip.Reason,
    "stream_conformance": stream_conformance.Reason,
    "catalog": catalog.Reason,
    "routing": routing.Reason,
    "stale_cooldown": stale_cooldown.Reason,
    "negative_control": negative_control.Reason,
    "negotiation": negotiation.Reason,
    "client_route": client_route.Reason,
    "onboarding": onboarding.Reason,
    "expectations": expectations.Reason,
    "comparison": comparison.Reason,
    "loopback": loopback.Reason,
}
ELSEWHERE = {  # one word for one thing: the page is another's
    "tool_result_image": {"misbound"},
    "thinking": {"reasoning_estimated"},
    "negotiation": {"no_list"},
    "onboarding": {"not_listed", "vanished", "no_list"},
    "loopback": {"misbound", "call_lost", "result_lost", "arguments_changed", "reasoning_estimated"},
}
REQUIRED = {"title", "means", "check", "do"}
KEYS = REQUIRED | {"seen", "try"}
COMMANDS = {"run", "list", "show", "explain", "check", "schema", "mirror", "client-route", "onboard"}
FLAGS = {"--allow-undecided", "-v"}
VALUED = {"--config", "--select", "--gateway", "--model", "--fail-on", "--repeat", "--wait"}
VALUED |= {"--concurrency", "--json", "--junit"}
FOLDER = files("llm_canaries.canary") / "reasons"


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.yml").read_text(encoding="utf-8")


PAGES: dict[str, dict[str, dict[str, Any]]] = {name: yaml.safe_load(text_of(name)) for name in REASONS}
EVERY = [(reason, page) for pages in PAGES.values() for reason, page in pages.items()]
each_page = pytest.mark.parametrize(("reason", "page"), EVERY, ids=[reason for reason, _ in EVERY])


def options(command: str) -> dict[str, str]:
    """The options of a `canaries run` command; an option or argument that it does not have is an error."""
    words = iter(shlex.split(command)[2:])
    found = {}
    for word in words:
        assert word in FLAGS | VALUED, f"{command}: no option {word}"
        found[word] = next(words) if word in VALUED else ""
    return found


def test_a_file_for_every_enum_and_no_other() -> None:
    assert {entry.name for entry in FOLDER.iterdir()} == {f"{name}.yml" for name in REASONS}


@pytest.mark.parametrize("name", REASONS)
def test_a_page_for_every_reason_and_no_other(name: str) -> None:
    assert set(PAGES[name]) == {reason.value for reason in REASONS[name]} - ELSEWHERE.get(name, set())


@pytest.mark.parametrize("name", REASONS)
def test_no_page_is_written_twice_in_a_file(name: str) -> None:
    file = yaml.compose(text_of(name), yaml.SafeLoader)
    assert isinstance(file, yaml.MappingNode)
    keys = [key.value for key, _ in file.value]
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_no_reason_is_in_two_files() -> None:
    assert [reason for reason, count in Counter(reason for reason, _ in EVERY).items() if count > 1] == []


def test_every_page_is_explained() -> None:
    assert set(read_pages()) == {reason for reason, _ in EVERY}
    assert set().union(*ELSEWHERE.values()) <= set(read_pages())


def test_every_scenario_has_a_file() -> None:
    assert {scenario.reasons for scenario in SCENARIOS.values()} <= set(REASONS.values())


@each_page
def test_a_page_is_whole(reason: str, page: dict[str, Any]) -> None:
    assert set(page) >= REQUIRED
    assert set(page) <= KEYS
    assert page["means"].strip()
    assert 2 <= len(page["check"]) <= 4
    assert 1 <= len(page["do"]) <= 4
    assert len(page.get("seen", ())) <= 4
    items = [*page["check"], *page["do"], *page.get("seen", ())]
    assert all(isinstance(item, str) and item.strip() for item in items)


@each_page
def test_a_title_is_one_short_sentence_without_a_full_stop(reason: str, page: dict[str, Any]) -> None:
    assert 0 < len(page["title"]) <= 70
    assert not page["title"].endswith(".")


def test_titles_differ() -> None:
    titles = Counter(page["title"] for _, page in EVERY)
    assert [title for title, count in titles.items() if count > 1] == []


@each_page
def test_a_try_runs_an_existing_fault_model(reason: str, page: dict[str, Any]) -> None:
    if "try" in page:
        assert page["try"].startswith("canaries run ")
        said = options(page["try"])
        assert said["--model"].startswith(PREFIX)
        assert said["--model"].removeprefix(PREFIX) in MISBEHAVIOURS
        assert said.get("--select", "known-good") in SCENARIOS


@each_page
def test_commands_named_in_the_text_exist(reason: str, page: dict[str, Any]) -> None:
    text = " ".join([page["means"], *page["check"], *page["do"]])
    for command in re.findall(r"`(canaries [^`]+)`", text):
        name, *rest = command.split()[1:]
        assert name in COMMANDS, command
        if name == "run":
            assert options(command).get("--select", "known-good") in {*SCENARIOS, "SCENARIO"}
        if name == "explain":
            assert rest[0] in {other for other, _ in EVERY}


@each_page
def test_cases_are_cited_by_repository_and_number(reason: str, page: dict[str, Any]) -> None:
    for case in page.get("seen", ()):
        cited, _, words = case.partition(" ")
        assert re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", cited), case
        assert 3 <= len(words.split()) <= 8, case
