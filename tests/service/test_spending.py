"""Covers service/spending.py and what app.py makes of it: a sidecar in this process before a mirror, fake clock."""

import random

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llm_canaries.canary.budget import DAY, Amount
from llm_canaries.proxy.clock import Clock
from llm_canaries.service.app import Sidecar
from llm_canaries.service.board import Board
from llm_canaries.service.exposition import render
from llm_canaries.service.page import cases_json
from llm_canaries.service.settings import read_settings
from llm_canaries.service.store import Store
from llm_canaries.state.database import Database

CASE = "{{scenario: {}, name: {}, severity: {}, every: 10m, dialects: [openai_chat], stream: {}}}"
BOTH = (("known-good", "urgent", "critical", "[false]"), ("known-good", "other", "warning", "[false]"))
PRICES = "prices: {'mirror/*': {input: 1000, output: 1000}}"  # a tenth of a cent a token


class Bench:
    """A sidecar without schedule: its cases are due when a test says so."""

    def __init__(self, folder, url):
        self.folder, self.url, self.now = folder, url, 20 * DAY
        self.start()

    def start(self):
        """A new process on the same state."""
        self.board = Board()
        self.database = Database.open(self.folder / "state")
        clock = Clock(lambda: self.now, lambda: self.now)
        self.sidecar = Sidecar(self.board, Store(self.database, self.board), clock, random.Random(1).randrange)

    async def adopt(self, budget="{}", more=PRICES, model="mirror/healthy", canaries=BOTH):
        """Puts a configuration in force."""
        cases = ", ".join(CASE.format(*canary) for canary in canaries)
        gateway = f"it: {{kind: openai-compatible, url: '{self.url}', models: ['{model}'], budget: {budget}}}"
        path = self.folder / "canaries.yml"
        path.write_text(f"gateways: {{{gateway}}}\ncanaries: [{cases}]\n{more}\n")
        await self.sidecar.swap(await self.sidecar.build(read_settings(str(path), {})))
        self.cases = {case.canary: case for case in self.sidecar.plant.cases.values()}

    async def due(self, name, *, confirmation=False):
        """The case runs, or is withheld."""
        await self.sidecar._run(self.cases[name].key, confirmation=confirmation)

    def value(self, family, **labels):
        """The one value on the page that has these labels, None where there is none."""
        self.sidecar.refresh()
        found = [
            sample.value
            for each in text_string_to_metric_families(render(self.board).decode())
            for sample in each.samples
            if sample.name == f"llm_canary_{family}" and set(labels.items()) <= set(sample.labels.items())
        ]
        assert len(found) <= 1, found
        return found[0] if found else None

    def runs(self, name):
        """How many runs passed and how many were withheld."""
        return tuple(int(self.value("runs_total", canary=name, outcome=outcome)) for outcome in ("pass", "skip"))

    def spend(self, tokens):
        """As if `tokens` had been spent today already."""
        self.sidecar.spending._meter._add("it", str(int(self.now // DAY)), Amount(tokens=tokens))

    async def close(self):
        """Ends the process, as kill -9 would: nothing more is written."""
        await self.sidecar.close()
        await self.database.close()


@pytest.fixture
async def bench(tmp_path, mirror_url):
    made = Bench(tmp_path, mirror_url)
    yield made
    await made.close()


async def test_what_is_left_is_on_the_page_from_the_start(bench):
    await bench.adopt("{tokens: 100000, dollars: 200}", f"{PRICES}\nbudget: {{dollars: 150}}")
    assert bench.value("budget_tokens_remaining", gateway="it", period="day") == 100_000
    assert bench.value("budget_requests_remaining", gateway="it", period="day") == 10_000
    assert bench.value("budget_dollars_remaining", gateway="it", period="day") == 200
    assert bench.value("budget_dollars_remaining", gateway="*", period="day") == 150
    assert bench.value("budget_tokens_remaining", gateway="*") is None, "without a cap nothing is left of it"
    await bench.due("urgent")
    used = sum(bench.value("tokens_total", canary="urgent", kind=kind) for kind in ("input", "output"))
    assert used > 20
    assert bench.value("budget_tokens_remaining", gateway="it") == 100_000 - used
    assert bench.value("budget_requests_remaining", gateway="it") == 9_999
    assert bench.value("budget_dollars_remaining", gateway="it") == pytest.approx(200 - used / 1000)
    assert bench.value("budget_dollars_remaining", gateway="*") == pytest.approx(150 - used / 1000)
    assert bench.value("cost_dollars_total", canary="urgent") == pytest.approx(used / 1000)
    bench.now += DAY
    assert bench.value("budget_tokens_remaining", gateway="it") == 100_000, "a new day"


async def test_a_cap_in_dollars_is_hard_and_so_is_that_of_all_gateways(bench):
    for budget, more in (("{dollars: 0.5}", ""), ("{}", "\nbudget: {dollars: 0.5}")):
        await bench.adopt(budget, PRICES + more)
        await bench.due("urgent")
        assert bench.value("held", canary="urgent", reason="held_budget") == 1
        assert bench.value("held_until_timestamp_seconds", canary="urgent") == 21 * DAY
    assert bench.runs("urgent") == (0, 2)


async def test_a_price_that_nobody_knows_counts_no_dollars(bench):
    await bench.adopt("{dollars: 0.5}", "")
    await bench.due("urgent")
    assert bench.runs("urgent") == (1, 0)


async def test_the_warning_gives_way_and_the_critical_one_does_not(bench):
    """Skipped as `held_stretched`, with the time of its next run; it is not silent, its verdict stays."""
    await bench.adopt("{tokens: 100000}")
    bench.now += DAY / 2
    await bench.due("urgent")
    await bench.due("other")
    bench.spend(51_500)
    for step in range(1, 5):
        bench.now += 600
        await bench.due("urgent")
        await bench.due("other")
        if step == 1:
            assert bench.value("held", canary="other", reason="held_stretched") == 1
            assert bench.value("held", canary="other", reason="held_budget") is None
            assert bench.value("held_until_timestamp_seconds", canary="other") > bench.now
            held = {row["canary"]: row["held"] for row in cases_json(bench.sidecar, bench.now)}
            assert list(held["other"]) == ["held_stretched"]
            assert held["urgent"] == {}
    assert bench.runs("urgent") == (5, 0)
    assert bench.runs("other") == (4, 1), "ten minutes later the day has caught up"
    assert bench.value("success", canary="other") == 1


async def test_a_hold_that_has_passed_says_so_until_the_case_runs_again(bench):
    """CanarySilent counts its three intervals from there."""
    await bench.adopt("{tokens: 100000}")
    bench.now += DAY / 2
    await bench.due("other")
    bench.spend(51_500)
    bench.now += 600
    await bench.due("other")
    until = bench.value("held_until_timestamp_seconds", canary="other")
    bench.now = until + 60
    assert bench.value("held", canary="other", reason="held_stretched") is None
    assert bench.value("held_until_timestamp_seconds", canary="other") == until
    await bench.due("other")
    assert bench.runs("other")[0] == 2
    assert bench.value("held_until_timestamp_seconds", canary="other") is None


async def test_confirmations_are_given_up_first_and_are_no_skips(bench):
    await bench.adopt("{tokens: 100000}")
    bench.now += DAY / 2
    bench.spend(51_500)
    await bench.due("urgent", confirmation=True)
    assert bench.runs("urgent") == (0, 0)
    await bench.due("urgent")
    assert bench.runs("urgent") == (1, 0)


async def test_confirmations_are_counted_as_spent(bench):
    await bench.adopt()
    await bench.due("urgent", confirmation=True)
    assert bench.value("requests_total", canary="urgent") == 1
    assert bench.value("tokens_total", canary="urgent", kind="input") > 0
    assert bench.value("cost_dollars_total", canary="urgent") > 0
    assert bench.runs("urgent") == (0, 0)
    assert bench.value("last_run_timestamp_seconds", canary="urgent") == 20 * DAY, "when the program started"


async def test_a_larger_budget_lets_go_at_the_reload(bench):
    await bench.adopt("{tokens: 100}")
    await bench.due("urgent")
    assert bench.value("held", canary="urgent", reason="held_budget") == 1
    await bench.adopt("{tokens: 100000}")
    assert bench.value("held", canary="urgent", reason="held_budget") is None
    await bench.due("urgent")
    assert bench.runs("urgent") == (1, 1)


async def test_what_was_spent_is_known_to_the_next_process(bench):
    await bench.adopt("{tokens: 100000}")
    await bench.due("urgent")
    left = bench.value("budget_tokens_remaining", gateway="it")
    assert left < 100_000
    await bench.close()
    bench.start()
    await bench.adopt("{tokens: 100000}")
    assert bench.value("budget_tokens_remaining", gateway="it") == left


async def test_a_budget_that_is_spent_holds_the_next_process_from_its_beginning(bench):
    await bench.adopt("{tokens: 600}")
    for _ in range(40):
        await bench.due("urgent")
    assert bench.value("held", canary="urgent", reason="held_budget") == 1
    await bench.close()
    bench.start()
    await bench.adopt("{tokens: 600}")
    assert bench.value("held", canary="urgent", reason="held_budget") == 1, "or its alert would be over for a while"


async def test_a_run_that_ends_for_want_of_budget_is_a_skip_with_what_it_cost(bench):
    """Usage parity asks twice; there is enough for the first ask, and then not for the second."""
    await bench.adopt("{tokens: 760}", canaries=(("usage-parity", "pair", "critical", "both"),))
    await bench.due("pair")
    assert bench.runs("pair") == (0, 1)
    assert bench.value("requests_total", canary="pair") == 1
    spent = sum(bench.value("tokens_total", canary="pair", kind=kind) for kind in ("input", "output"))
    assert spent > 0
    assert bench.value("budget_tokens_remaining", gateway="it") == 760 - spent
    assert bench.value("held", canary="pair", reason="held_budget") == 1
    (row,) = cases_json(bench.sidecar, bench.now)
    assert (row["verdict"], row["reason"]) == ("skip", "held_budget")
    assert row["detail"].startswith("the next ask may cost ")
    await bench.due("pair")
    assert bench.runs("pair") == (0, 2)
    assert bench.value("requests_total", canary="pair") == 1, "it does not begin again in vain"


async def test_the_built_in_mirror_costs_nothing(bench):
    path = bench.folder / "canaries.yml"
    path.write_text("gateways: {it: {kind: embedded, models: [mirror/healthy], budget: {requests: 1, tokens: 1}}}\n")
    await bench.sidecar.swap(await bench.sidecar.build(read_settings(str(path), {})))
    case = next(case for case in bench.sidecar.plant.cases.values() if case.canary == "known-good")
    for _ in range(2):
        await bench.sidecar._run(case.key, confirmation=False)
    labels = {"canary": "known-good", "client_protocol": case.dialect, "stream": case.stream_word}
    assert bench.value("runs_total", **labels, outcome="pass") == 2
    assert bench.value("budget_tokens_remaining", gateway="it") is None
