"""Rules in force: intervals, missed iterations, failures, reloads, restarts: service/rulebook.py, rule_memory.py."""

import asyncio
from pathlib import Path

import pytest

from llm_canaries.config.problems import ConfigError
from llm_canaries.config.schema import RulesConfig
from llm_canaries.rules.load import load
from llm_canaries.rules.promql.parse import parse
from llm_canaries.service.board import Board
from llm_canaries.service.rule_files import read_groups, shipped_packs
from llm_canaries.service.rule_memory import RuleMemory
from llm_canaries.service.rulebook import Rulebook
from llm_canaries.state.database import Database

UP = "llm_gateway_up"


class Course:
    """A board and a rulebook, turned by hand: `at` is both clocks."""

    def __init__(self, text: str, at: float = 1000.0) -> None:
        self.board, self.at, self.text = Board(), at, text
        self.rules = self.book(text)

    def book(self, text: str) -> Rulebook:
        return Rulebook(load({"r.yml": text}), 15.0, lambda: self.at)

    def turn(self, seconds: float = 15.0, **gateways: float) -> list[str]:
        """The alerts that fire `seconds` later, as `name gateway`."""
        self.at += seconds
        for name, value in gateways.items():
            self.board.set_named(UP, value, gateway=name, kind="k")
        self.rules.sample(self.board, self.at)
        self.found = self.rules.evaluate(self.at)
        self.rules.report(self.board)
        return sorted(f"{each.alertname} {each.labels.get('gateway', '')}".strip() for each in self.found.firings)

    def count(self, family: str, **labels: str) -> float | None:
        return self.board.get(self.board.slot(f"llm_sidecar_{family}", **labels))


def groups(rules: str, more: str = "") -> str:
    return f"groups: [{{name: g, {more} rules: [{rules}]}}]"


def test_a_group_keeps_its_interval_and_missed_ones_are_counted():
    course = Course(groups("{alert: Down, expr: llm_gateway_up == 0}", "interval: 1m,"))
    assert course.turn(home=0.0) == ["Down home"], "the first sample is evaluated at once"
    assert course.turn(home=1.0) == ["Down home"], "not due"
    assert course.turn(30.0) == ["Down home"]
    assert course.turn(15.0) == []
    assert course.count("rule_group_iterations_missed_total", group="g") == 0
    assert course.count("rule_group_last_evaluation_timestamp_seconds", group="g") == course.at
    course.turn(240.0)
    assert course.count("rule_group_iterations_missed_total", group="g") == 3
    course.turn(60.0)
    assert course.count("rule_group_iterations_missed_total", group="g") == 3


def test_a_failing_rule_is_counted_told_and_unknown_and_stops_no_other():
    bad = "{alert: Bad, expr: llm_gateway_up * on () llm_gateway_up}, {alert: Down, expr: llm_gateway_up == 0}"
    course = Course(groups(bad, "interval: 1m,"))
    assert course.turn(home=0.0, work=1.0) == ["Down home"]
    assert course.found.unknown == {"Bad"}
    assert [each.rule for each in course.found.problems] == ["Bad"]
    assert course.count("rule_evaluation_failures_total", group="g") == 1
    course.turn()
    assert course.found.unknown == {"Bad"}, "not due, and no more known than before"
    assert course.found.problems == (), "told once an evaluation"
    course.turn(45.0)
    assert course.count("rule_evaluation_failures_total", group="g") == 2


def test_over_the_limit_is_unknown_until_it_is_evaluated_well():
    course = Course(groups("{alert: Down, expr: llm_gateway_up == 0}", "limit: 1,"))
    assert course.turn(home=0.0) == ["Down home"]
    assert course.turn(work=0.0) == []
    assert course.found.unknown == {"Down"}
    assert course.turn(work=1.0) == ["Down home"]
    assert course.found.unknown == frozenset()


def test_a_reload_keeps_the_clocks_of_rules_with_the_same_name_and_labels():
    rule = "{alert: Down, expr: llm_gateway_up == 0, for: 1m, labels: {severity: warning}}"
    gone = "{record: seen, expr: count(llm_gateway_up)}"
    course = Course(groups(f"{rule}, {gone}"))
    course.turn(home=0.0)
    course.turn()
    before = course.rules
    course.rules = course.book(groups(rule.replace("== 0", "< 0.5")))
    course.rules.take_over(before)
    assert [alert["state"] for alert in course.rules.shown()] == ["pending"]
    assert course.turn(45.0) == ["Down home"], "a minute after it was first seen"
    assert course.rules.ask(course.at).vector(parse("seen")).frame.size == 0, "what no rule records any more has ended"
    assert course.rules.ask(course.at).vector(parse("max_over_time(seen[5m])")).values.tolist() == [1.0]


def test_rules_see_alerts_and_the_board_does_not():
    text = groups(
        "{alert: Down, expr: llm_gateway_up == 0},"
        "{alert: Many, expr: 'count(ALERTS{alertname=\"Down\", alertstate=\"firing\"}) >= 2'}"
    )
    course = Course(text)
    assert course.turn(home=0.0, work=0.0) == ["Down home", "Down work", "Many"]
    assert not [each for each in course.board.names() if each["__name__"].startswith("ALERTS")]
    assert course.count("alerts", alertname="Down", severity="", state="firing") == 2
    assert course.turn(home=1.0) == ["Down work"]
    assert course.count("alerts", alertname="Many", severity="", state="firing") == 0


async def restart(course: Course, folder: Path, down: float) -> None:
    """Saves everything, and goes on with a new rulebook and board after `down` seconds."""
    database = Database.open(folder)
    await RuleMemory(database).save(course.rules, course.at, all_of_it=True)
    await database.close()
    course.at += down
    course.board, course.rules = Board(), course.book(course.text)
    database = Database.open(folder)
    await RuleMemory(database).restore(course.rules, course.at)
    await database.close()


@pytest.mark.parametrize(
    ("down", "fires_after"),
    [(300.0, 900.0), (3500.0, 900.0), (3700.0, 1800.0), (-120.0, 1800.0)],
    ids=["down for five minutes", "an hour at most", "too long", "the clock stepped back"],
)
async def test_a_for_goes_on_over_a_restart(tmp_path, down, fires_after):
    """Half of the half hour is over when it goes down; what is left is 15 minutes, more than the grace."""
    course = Course(groups("{alert: Down, expr: llm_gateway_up == 0, for: 30m}"), at=100_000.0)
    course.turn(home=0.0)
    for _ in range(60):
        course.turn()
    await restart(course, tmp_path, down)
    began = course.at + 15.0
    assert course.turn(home=0.0) == []
    while course.at < began + fires_after - 15.0:
        assert course.turn() == [], course.at - began
    assert course.turn(15.0) + course.turn(15.0) != []


async def test_the_window_goes_on_over_a_restart_with_a_gap(tmp_path):
    text = groups("{alert: Changed, expr: 'changes(llm_gateway_up[30m]) >= 2'}, {record: r, expr: llm_gateway_up}")
    course = Course(text, at=100_000.0)
    for value in (1.0, 0.0, 1.0):
        course.turn(home=value)
    await restart(course, tmp_path, 600.0)
    assert course.turn(home=1.0) == ["Changed home"]
    samples = course.rules.ask(course.at).vector(parse("count_over_time(llm_gateway_up[30m])"))
    assert samples.values.tolist() == [4.0], "three before, one after, nothing for the time between"
    recorded = course.rules.ask(course.at).vector(parse("count_over_time(r[30m])"))
    assert recorded.values.tolist() == [4.0]
    assert course.rules.ask(course.at - 200.0).vector(parse(UP)).frame.size == 0, "the gap is longer than the lookback"


async def test_a_damaged_snapshot_is_as_none(tmp_path, caplog):
    course = Course(groups("{alert: Down, expr: llm_gateway_up == 0, for: 30m}"))
    course.turn(home=0.0)
    database = Database.open(tmp_path)
    await RuleMemory(database).save(course.rules, course.at, all_of_it=True)

    def spoil(connection):
        connection.execute("UPDATE snapshots SET data = substr(data, 1, 7)")

    await database.do(spoil)
    fresh = course.book(course.text)
    await RuleMemory(database).restore(fresh, course.at)
    await database.close()
    assert fresh.window.samples == 0
    assert "begins anew" in caplog.text


def test_incidents_from_before_are_unknown_until_the_rules_can_tell():
    text = groups("{alert: Long, expr: 'changes(llm_gateway_up[30m]) > 5'}, {alert: Now, expr: llm_gateway_up == 0}")
    course = Course(text)
    course.turn(home=1.0)
    assert course.found.unknown == {"Long"}
    course.turn(1700.0)
    assert course.found.unknown == {"Long"}
    course.turn(200.0)
    assert course.found.unknown == frozenset()


async def test_a_restart_does_not_end_an_incident_whose_for_begins_anew(tmp_path):
    course = Course(groups("{alert: Down, expr: llm_gateway_up == 0, for: 2m}"), at=100_000.0)
    course.turn(home=0.0)
    for _ in range(60):
        course.turn()
    assert course.turn() == ["Down home"]
    await restart(course, tmp_path, 20.0)
    course.at -= 15.0
    while course.turn(home=0.0) != ["Down home"]:
        assert course.found.unknown == {"Down"}, "it is pending again, and nothing got well"
        assert course.at < 102_000.0
    course.turn(home=1.0)
    assert (course.found.firings, course.found.unknown) == ([], frozenset())


# -- which files ------------------------------------------------------------------------------------------------------


def test_packs_that_need_something_are_loaded_by_name_only(tmp_path):
    packs = shipped_packs()
    usual = {group.file for group in read_groups(RulesConfig())}
    assert usual == {f"rules/{name}.yml" for name, pack in packs.items() if not pack.needs}
    named = {group.file for group in read_groups(RulesConfig(packs=("providers",)))}
    assert named == {"rules/providers.yml"}
    assert read_groups(RulesConfig(packs=())) == ()


def test_files_folders_and_what_is_disabled(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.yml").write_text(groups("{alert: A, expr: x > 1}, {alert: B, expr: x > 2}"))
    (folder / "b.yaml").write_text(groups("{alert: C, expr: x > 3}"))
    (folder / "notes.txt").write_text("no rules")
    (tmp_path / "one.yml").write_text(groups("{alert: D, expr: x > 4}"))
    config = RulesConfig(packs=(), files=(str(folder), str(tmp_path / "one.yml")), disable=("B",))
    assert [rule.name for group in read_groups(config) for rule in group.rules] == ["A", "C", "D"]


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    (tmp_path / "bad.yml").write_text(groups("{alert: A, expr: 'x >'}"))
    (tmp_path / "empty").mkdir()
    files = tuple(str(tmp_path / name) for name in ("bad.yml", "empty", "missing.yml"))
    with pytest.raises(ConfigError) as caught:
        read_groups(RulesConfig(packs=("canary",), files=files))
    told = [str(each) for each in caught.value.problems]
    assert any("bad.yml:1: group `g`, rule `A`: not PromQL" in each for each in told)
    assert any("the folder has no file that ends in" in each for each in told)
    assert any("missing.yml:1: cannot be read" in each for each in told)
    assert any("`canary` is not a pack; did you mean `canaries`?" in each for each in told)
    with pytest.raises(ConfigError, match="did you mean `GatewayDown`"):
        read_groups(RulesConfig(disable=("GatewayDwon",)))


def test_a_rule_that_looks_back_farther_than_is_held_is_refused(tmp_path):
    """At load, not with an error at every evaluation."""
    (tmp_path / "far.yml").write_text(groups("{alert: Far, expr: 'rate(x[7d]) > 1'}"))
    config = RulesConfig(packs=(), files=(str(tmp_path / "far.yml"),))
    with pytest.raises(ConfigError, match=r"rule `Far`: looks back 168 h, and `rules.history` is 3 h"):
        read_groups(config)
    assert read_groups(config.model_copy(update={"history": 700_000.0}))
    (empty,) = read_groups(config.model_copy(update={"disable": ("Far",)}))
    assert empty.rules == ()


@pytest.mark.alone
async def test_five_thousand_rules_are_loaded_beside_the_loop():
    """In a thread, without the collector: the loop goes on all the while."""
    from lateness import lateness

    from llm_canaries.service.collector import collector_paused

    rule = "{{alert: R{0}, expr: 'sum by (gateway) (rate(x{{p=\"{0}\"}}[5m])) > {0}', labels: {{severity: warning}}}}"
    text = groups(", ".join(rule.format(number) for number in range(5000)))
    async with lateness() as late:
        with collector_paused():
            (group,) = await asyncio.to_thread(load, {"big.yml": text})
    assert len(group.rules) == 5000
    assert len(late) > 50, "the loop was alive"
    assert max(late) < 0.5, "a shared machine; alone it is 0.05 s"
