"""Stored history replayed is what the live sidecar said: service/replay.py, cli/rules_backtest.py."""

import re
import time

from click.testing import CliRunner
from msgspec.structs import replace

from llm_canaries.canary.load import Wanted
from llm_canaries.cli.rules import command
from llm_canaries.cli.settings import chosen_cases
from llm_canaries.rules.load import load
from llm_canaries.service.replay import CaseFacts, Replay, covered
from llm_canaries.service.rule_files import shipped_packs
from llm_canaries.service.settings import read_settings
from llm_canaries.state.database import Database
from llm_canaries.state.runs import RunRow, add_run

MINUTE = 60.0
FACTS = {"k": CaseFacts(600.0, {"error_ratio": {"warning": 0.02, "critical": 0.05}})}
GROUPS = load({f"{name}.yml": pack.text for name, pack in shipped_packs().items()})


def run(started: float, outcome: str, reason: str = "upstream_error", confirmation: bool = False) -> RunRow:
    return RunRow(
        case="k", canary="known-good", scenario="known-good", gateway="home", model="m", dialect="openai_chat",
        stream="true", severity="critical", started=started, outcome=outcome,
        reason=reason if outcome == "fail" else "", fault_domain=None, detail="", confirmation=confirmation,
        latency=1.0, ttft=0.5, tokens={"input": 5, "output": 1},
    )  # fmt: skip


def history(*outcomes: str, start: float = 1_000_000.0, every: float = 10 * MINUTE) -> list[RunRow]:
    return [run(start + number * every, outcome) for number, outcome in enumerate(outcomes)]


def spells(runs: list[RunRow], until: float, step: float = MINUTE) -> list[tuple[str, str, float, float | None]]:
    start = runs[0].started
    found = Replay(runs, FACTS).spells(covered(GROUPS)[0], start, start + until, step)
    return [
        (each.alertname, each.severity, each.began - start, None if each.ended is None else each.ended - start)
        for each in found
    ]


def test_a_state_and_its_end():
    """Well for 20 runs, four failures in a row, well again."""
    runs = history(*["pass"] * 20, "fail", "fail", "fail", "fail", *["pass"] * 6)
    found = spells(runs, 280 * MINUTE)
    state = [each for each in found if each[0] == "KnownGoodFailing"]
    assert state == [
        ("KnownGoodFailing", "warning", 21 * 600.0, 24 * 600.0),
        ("KnownGoodFailing", "critical", 22 * 600.0, 24 * 600.0),
    ]
    ratio = [each for each in found if each[0] == "KnownGoodErrorRatio"]
    assert {each[1] for each in ratio} == {"warning", "critical"}, "four of twenty prove 5 %, three are not believed"
    assert ratio[0][2] == 23 * 600.0 + 120.0, "the fourth failure, and `for`"


def test_confirmations_decide_the_state_and_no_ratio():
    runs = history(*["pass"] * 20, "fail")
    first = runs[-1].started
    runs += [run(first + seconds, "fail", confirmation=True) for seconds in (15.0, 30.0)]
    assert spells(runs, 205 * MINUTE) == []
    runs.append(run(first + 45.0, "fail", confirmation=True))
    found = spells(runs, 205 * MINUTE)
    assert [each[:2] for each in found] == [("KnownGoodFailing", "warning")]


def test_refusals_are_counted_exactly():
    runs = history(*["pass"] * 3)
    runs += [run(runs[-1].started + 60.0 * n, "fail", "auth") for n in (1, 5)]
    names = {each[0]: each[2] for each in spells(runs, 80 * MINUTE)}
    assert names["CanariesUnauthorized"] == 20 * MINUTE + 300.0


def test_what_left_no_history_is_said():
    judged, left = covered(GROUPS)
    assert {"GatewayDown", "BreakerOpen", "QuotaExhausted", "ConfigReloadFailed", "CanarySilent"} <= set(left), (
        "holds are not stored either: a silent canary may have been held"
    )
    names = {rule.name for group in judged for rule in group.rules}
    assert {"KnownGoodFailing", "KnownGoodErrorRatio", "GatewayRateLimited", "AntigravityTrend"} <= names
    assert not names & set(left)
    assert "ProviderErrorRatio" in left, "what it selects is recorded, but from traffic that left no history"


CONFIG = """
gateways: {{home: {{kind: openai-compatible, url: 'http://127.0.0.1:9', models: [m]}}}}
canaries: [{{use: known-good, gateway: home, dialects: [openai_chat], stream: [true]}}]
state: {state}
"""


def keyed(tmp_path, runs):
    """The runs as those of the one case that is configured."""
    (tmp_path / "canaries.yml").write_text(CONFIG.format(state=tmp_path / "state"))
    (case,) = chosen_cases(read_settings(str(tmp_path / "canaries.yml"), {}), Wanted())
    return [replace(each, case=case.key) for each in runs]


async def _kept(folder, runs):
    database = Database.open(folder)
    for each in runs:
        await database.do(add_run, each, None)
    await database.close()


def backtest(tmp_path, *words):
    config = tmp_path / "canaries.yml"
    config.write_text(CONFIG.format(state=tmp_path / "state"))
    return CliRunner().invoke(command, ["backtest", "--config", str(config), *words])


async def test_the_command(tmp_path):
    start = time.time() - 5 * 3600
    runs = history(*["pass"] * 17, "fail", "fail", "fail", "fail", *["pass"] * 6, start=start)
    await _kept(tmp_path / "state", keyed(tmp_path, runs))
    done = backtest(tmp_path, "--since", "6h", "--set", "KnownGoodErrorRatio=20%")
    assert done.exit_code == 0, done.output
    assert "27 runs of 1 cases" in done.output
    assert re.search("Not covered, for want of history: .*BreakerOpen", done.output)
    before, after = done.output.split("With KnownGoodErrorRatio=20%")
    assert re.search(r"KnownGoodFailing critical for 20 min  \{canary=\"known-good\"", before)
    assert "KnownGoodErrorRatio" in before.partition("As the rules are")[2]
    assert "KnownGoodErrorRatio warning" not in after
    assert "KnownGoodFailing critical" in after


async def test_what_cannot_be_replayed_is_refused(tmp_path):
    assert backtest(tmp_path).exit_code == 2
    await _kept(tmp_path / "state", history("pass", start=time.time() - 3600))
    for words, said in (
        (("--set", "KnownGoodErrorRatio"), "write ALERT=NUMBER"),
        (("--set", "KnownGodErrorRatio=5%"), "did you mean `KnownGoodErrorRatio`"),
        (("--since", "yesterday"), "not a duration"),
    ):
        done = backtest(tmp_path, *words)
        assert (done.exit_code, said in done.output) == (2, True), done.output
