"""Covers service/meter.py: what is spent stays under the caps through runs under way, a broken state and kill -9."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from plays import chat, counts, error

from llm_canaries.canary.bound import bound, cost_of_answer
from llm_canaries.canary.budget import DAY, Amount, Caps, day_of
from llm_canaries.canary.canary import Cost
from llm_canaries.canary.run import Withheld
from llm_canaries.proxy.price import Prices, Rate
from llm_canaries.service.board import Board
from llm_canaries.service.meter import Meter, MeteredLane
from llm_canaries.service.store import Store
from llm_canaries.state.database import Database
from llm_canaries.wire.exchange import Look, Send
from llm_canaries.wire.message import Ask, Message, Text

NOTHING = Amount()
PRICES = Prices({"*": Rate(1.0, 4.0, None, 1.25)})
CAPS = {"a": Caps(12, 3000, 5_000_000), "b": Caps(30, 4000, None)}
WHOLE = Caps(35, 5000, 8_000_000)


class Life(RuleBasedStateMachine):
    """Asks of two gateways in any order, some for ever under way; the state breaks and heals; processes are killed."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.now, self.broken = 5 * DAY + 60.0, False
        self.under_way, self.unsaved = [], {}
        self.truth = {}  # (day, gateway) to what asks did cost, or may, where nobody will ever know
        self.lost = {}

    @initialize()
    def starts(self):
        self.database = self.runner.run(self._open())
        self.store = Store(self.database, Board())
        self.meter = Meter(self.store, lambda: self.now)
        self.meter.caps, self.meter.whole, self.meter.prices = CAPS, WHOLE, PRICES
        if self.broken:
            self._refuse(True)

    async def _open(self):
        return Database.open(Path(self.folder.name))

    def _refuse(self, on):
        """From now on no transaction begins, as where the file system was remounted to be read only."""
        database, word = self.database, "ON" if on else "OFF"
        database._thread.submit(lambda: database._connection.execute(f"PRAGMA query_only = {word}")).result()

    @rule(
        gateway=st.sampled_from("ab"),
        given=st.integers(1, 900),
        made=st.integers(1, 900),
    )
    def asks(self, gateway, given, made):
        quote = self.meter.quote(gateway, "m", Cost(1, given, made))
        try:
            day = self.runner.run(self.meter.take(quote))
        except Withheld:
            return
        self.under_way.append((day, gateway, quote))
        self._note(day, gateway, quote.amount)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), share=st.sampled_from([0.0, 0.3, 1.0]))
    def is_answered(self, data, share):
        index = data.draw(st.integers(0, len(self.under_way) - 1))
        day, gateway, quote = self.under_way.pop(index)
        cost = Cost(1, int(quote.cost.input_tokens * share), int(quote.cost.output_tokens * share))
        dollars = self.meter._dearest("m", cost)
        before = self.meter._days.get(day, {}).get(gateway)
        self.runner.run(self.meter.settle(day, quote, cost, dollars))
        if before is not None:
            self._note(day, gateway, self.meter._days[day][gateway] - before)

    def _note(self, day, gateway, more):
        self.truth[day, gateway] = self.truth.get((day, gateway), NOTHING) + more
        if self.broken:
            self.unsaved[day, gateway] = self.unsaved.get((day, gateway), NOTHING) + more
        else:
            self.unsaved.pop((day, gateway), None)

    @rule(seconds=st.sampled_from([1.0, 3600.0, 20000.0, 90000.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def the_state_breaks_or_heals(self):
        self.broken = not self.broken
        self._refuse(self.broken)

    @rule()
    def it_is_killed(self):
        for (day, gateway), amount in self.unsaved.items():
            self.lost[day, gateway] = self.lost.get((day, gateway), NOTHING) + amount
        self.unsaved, self.under_way = {}, []
        self.runner.run(self.database.close())
        self.starts()

    @invariant()
    def no_cap_is_overstepped(self):
        days = {day for day, _ in self.truth}
        for day in days:
            whole = NOTHING
            for gateway, caps in CAPS.items():
                known = self.truth.get((day, gateway), NOTHING) - self.lost.get((day, gateway), NOTHING)
                assert caps.cover(known), (gateway, known)
                whole += known
            assert WHOLE.cover(whole), whole

    def teardown(self):
        if hasattr(self, "database"):
            self.runner.run(self.database.close())
        self.runner.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


class Answers:
    """A lane that answers with what it was made with."""

    def __init__(self, answer):
        self.answer, self.sent = answer, 0

    async def _give(self):
        self.sent += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def send(self, step, around):
        return await around(self._give)

    async def look(self, step, around):
        return await around(self._give)


class Tab:
    """Remembers what a run asked for."""

    def __init__(self):
        self.asked, self.refusals = [], 0

    def asks(self, amount):
        self.asked.append(amount)

    def refused(self):
        self.refusals += 1


def asking(cap=100, **more):
    ask = Ask(dialect="openai_chat", model="m", messages=(Message("user", (Text("hi"),)),), max_tokens=cap)
    return Send(ask=ask, dialect="openai_chat", **more)


@pytest.fixture
async def store(tmp_path):
    database = Database.open(tmp_path / "state")
    yield Store(database, Board())
    await database.close()


@pytest.fixture
def meter(store):
    made = Meter(store, lambda: 5 * DAY)
    made.caps, made.prices = {"g": Caps(tokens=1000)}, PRICES
    return made


def lane(meter, answer, *, free=False):
    return MeteredLane(Answers(answer), meter, "g", "m", Tab(), free=free)


def spent(meter):
    return meter.purses("g", 5 * DAY)[0].spent


MOST = bound(asking())


@pytest.mark.parametrize(
    ("answer", "cost"),
    [
        (chat(asking(), "hi", usage=counts(9, 4)), Cost(1, 9, 4)),
        (chat(asking(), "hi"), MOST),
        (chat(asking(), "hi", usage=counts(0, 0)), MOST),
        (chat(asking(), "hi", usage=counts(9, 0)), Cost(1, 9, MOST.output_tokens)),
        (error(asking(), 429, "slow down"), Cost(1, 0, 0)),
        (error(asking(), 500, "boom"), Cost(1, 0, 0)),
        (chat(asking(), body=b"<html>sorry</html>"), MOST),
    ],
)
async def test_what_an_answer_cost(answer, cost, meter, store):
    """As it was counted; at its most where nobody counted, or said that an answer cost nothing."""
    assert cost_of_answer(answer, MOST) == cost
    assert await lane(meter, answer).send(asking()) is answer
    assert spent(meter).tokens == cost.input_tokens + cost.output_tokens
    assert (await store.spent_on(day_of(5 * DAY)))["g"] == spent(meter)


async def test_what_may_have_been_sent_stays_counted(meter):
    with pytest.raises(asyncio.CancelledError):
        await lane(meter, asyncio.CancelledError()).send(asking())
    assert spent(meter).tokens == MOST.input_tokens + MOST.output_tokens


async def test_an_ask_that_does_not_fit_is_not_sent(meter):
    dear = lane(meter, chat(asking(), "hi", usage=counts(1, 1)))
    with pytest.raises(Withheld, match=r"the next ask may cost [\d,]+ tokens and \$0\.02\d+, more than is left today"):
        await dear.send(asking(cap=5000))
    assert (dear._lane.sent, dear._tab.refusals, spent(meter)) == (0, 1, NOTHING)


async def test_a_gateway_that_adds_to_every_ask_is_found_out_by_its_first_answer(meter):
    """A system prompt of its own, or an image billed as text: from then on it is set aside as well."""
    meter.caps = {"g": Caps(tokens=10_000)}
    padded = lane(meter, chat(asking(), "hi", usage=counts(MOST.input_tokens + 300, 4)))
    await padded.send(asking())
    await padded.send(asking())
    first, second = padded._tab.asked
    assert second.tokens - first.tokens == 300


async def test_at_our_own_mirror_the_request_alone_counts(meter):
    await lane(meter, chat(asking(), "hi", usage=counts(9, 4)), free=True).send(asking())
    assert spent(meter) == Amount(requests=1)
    await lane(meter, object()).look(Look(path="/v1/models"))
    assert spent(meter) == Amount(requests=2)


async def test_dollars_are_those_of_the_answer_s_own_usage(meter):
    await lane(meter, chat(asking(), "hi", usage=counts(1000, 100))).send(asking())
    assert spent(meter).nanodollars == 1000 * 1000 + 100 * 4000


async def test_people_s_own_body_is_priced_by_the_model_it_names(meter):
    meter.prices = Prices({"dear": Rate(1000.0, 1000.0)})
    body = Send(ask=b'{"model": "dear", "messages": [], "max_tokens": 7}', dialect="openai_chat")
    tab = lane(meter, chat(asking(), "hi", usage=counts(10, 5)))
    await tab.send(body)
    assert spent(meter).nanodollars == 15 * 1_000_000
    assert bound(body).output_tokens == 7
    assert bound(Send(ask=b"nonsense", dialect="openai_chat")).output_tokens == 4096


def refuse(store, on):
    """From now on no transaction begins."""
    word, database = "ON" if on else "OFF", store.database
    database._thread.submit(lambda: database._connection.execute(f"PRAGMA query_only = {word}")).result()


async def test_a_process_that_never_got_to_write_sends_nothing(meter, store):
    """What those before it spent may be missing, or cannot even be read; once it has written, its memory counts on."""
    refuse(store, True)
    ready = lane(meter, chat(asking(), "hi", usage=counts(9, 4)))
    with pytest.raises(Withheld, match="cannot be read or written down"):
        await ready.send(asking())
    refuse(store, False)
    assert await meter.open(day_of(5 * DAY))
    refuse(store, True)
    with pytest.raises(Withheld, match="cannot be read or written down"):
        await ready.send(asking())
    assert (ready._lane.sent, spent(meter)) == (0, NOTHING)
    refuse(store, False)
    await ready.send(asking())
    refuse(store, True)
    await ready.send(asking())
    assert spent(meter) == Amount(2, 26, 2 * (9000 + 16000))
    refuse(store, False)
    await ready.send(asking())
    assert (await store.spent_on(day_of(5 * DAY)))["g"].requests == 3, "what failed to be written is made good"
