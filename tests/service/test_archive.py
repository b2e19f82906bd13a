"""Covers service/archive.py: runs of a gate with their evidence and memory; a state that refuses costs no verdict."""

import pytest
from msgspec.structs import replace

from llm_canaries.canary.canary import Domain, Finding, Outcome
from llm_canaries.canary.load import Wanted, cases
from llm_canaries.config.secrets import Redactor
from llm_canaries.service.archive import HISTORY, PASSING, Archive, Keeper
from llm_canaries.service.gate import gate
from llm_canaries.service.kept import kept_json, read_kept, read_kept_json, read_rows_json, rows_json
from llm_canaries.service.playing import Order
from llm_canaries.service.settings import read_settings
from llm_canaries.state.database import Database, StateError

REDACT = Redactor(["planted-secret-0123456789"])


@pytest.fixture
async def database(tmp_path):
    opened = Database.open(tmp_path / "state")
    yield opened
    await opened.close()


async def played(clock, draw, select, model="mirror/healthy", repeat=1, keeper=None):
    settings = read_settings(None, {})
    chosen = cases(settings.config, settings.binding, Wanted(canaries=(select,), models=(model,)))
    order = Order(config=settings.config, cases=chosen, repeat=repeat, keeper=keeper)
    return await gate(order, clock=clock, draw=draw, redact=str, report=lambda run: None)


async def test_what_is_kept_comes_back_as_the_api_tells_it(database, clock, draw):
    archive = Archive(database)
    for run in await played(clock, draw, "known-good", "mirror/wrong-answer"):
        number = await archive.keep(run, REDACT, url="", confirmation=False)
        kept = read_kept(*await archive.run(number))
        assert kept.evidence is not None and kept.evidence.finding.reason == "wrong_answer"
        assert read_kept_json(kept_json(kept)) == kept
    rows = await archive.unsettled(3)
    assert len(rows) == 3 and read_rows_json(rows_json(rows)) == rows


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"runs": 3}', b"<html>"])
def test_what_another_server_says_is_no_run(text):
    for read in (read_kept_json, read_rows_json):
        with pytest.raises(ValueError, match="no "):
            read(text)


async def test_evidence_from_elsewhere_is_kept_beside_what_the_scenario_found(database, clock, draw):
    """Whose fault it is was found out by other runs; what the answers alone tell stays there to be replayed."""
    archive = Archive(database)
    run = (await played(clock, draw, "known-good", "mirror/wrong-answer"))[0]
    blamed = replace(run.finding, fault_domain=Domain.ROUTING, because=("directly: passed", "so it is the gateway"))
    number = await archive.keep(replace(run, finding=blamed), REDACT, url="", confirmation=True)
    evidence = read_kept(*await archive.run(number)).evidence
    assert (evidence.finding.fault_domain, evidence.judged.fault_domain) == (Domain.ROUTING, run.finding.fault_domain)
    assert evidence.decision[1:3] == blamed.because
    assert evidence.decision[-2].startswith("a confirmation: ")


async def test_passes_go_sooner_than_failures(database, clock, draw):
    archive, now = Archive(database), clock.wall()
    run = (await played(clock, draw, "catalog"))[0]
    failure = Finding(outcome=Outcome.FAIL, reason="vanished", fault_domain=Domain.ROUTING)
    skip = replace(run, finding=Finding(outcome=Outcome.SKIP, reason="text_only_model"), answers=())

    async def keep(finding, age):
        return await archive.keep(replace(run, finding=finding, started=now - age), REDACT, url="", confirmation=False)

    old_failure, older_pass = await keep(failure, HISTORY - 60), await keep(run.finding, PASSING - 60)
    last_pass, skipped = await keep(run.finding, 60), await archive.keep(skip, REDACT, url="", confirmation=False)

    async def evident(number):
        return (await archive.run(number))[1] is not None

    assert [await evident(each) for each in (old_failure, older_pass, last_pass, skipped)] == [True, True, True, False]
    await archive.prune(now)
    assert [await evident(each) for each in (old_failure, older_pass, last_pass)] == [True, False, True]
    await archive.prune(now + PASSING)
    assert [await archive.run(old_failure), await evident(last_pass)] == [None, False]


async def test_a_gate_goes_on_from_what_it_remembers(tmp_path, clock, draw):
    reasons = set()
    for _ in range(5):
        keeper = Keeper(Archive(Database.open(tmp_path)), read_settings(None, {}), clock.wall, pytest.fail)
        runs = await played(clock, draw, "thinking", "mirror/flat-thinking", keeper=keeper)
        assert reasons == set(), "four pairs are not enough"
        reasons |= {str(run.finding.reason) for run in runs if run.finding.outcome is Outcome.FAIL}
        assert all(run.number for run in runs)
    assert reasons == {"order_flat"}


async def test_a_state_that_refuses_is_told_once_and_no_verdict_is_lost(tmp_path, clock, draw):
    database = Database.open(tmp_path)
    pages = await database.do(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.do(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchall())
    told = []
    keeper = Keeper(Archive(database), read_settings(None, {}), clock.wall, told.append)
    runs = await played(clock, draw, "tool-result-image", repeat=2, keeper=keeper)
    assert {run.finding.outcome for run in runs} == {Outcome.PASS}
    assert 0 in {run.number for run in runs}
    assert len(told) == 1 and "has no room left" in told[0]
    with pytest.raises(StateError, match="is closed"):
        await database.do(lambda connection: None)
