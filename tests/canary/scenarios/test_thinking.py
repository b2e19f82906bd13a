import pytest
from msgspec.structs import replace
from plays import case, chat, counts, play

from llm_canaries.canary.scenarios.thinking import SCENARIO, Memory, Params, controls
from llm_canaries.wire.message import Thinking
from llm_canaries.wire.profile import ModelFacts

OFF = Thinking(mode="disabled")
BUDGETS = [Thinking(mode="enabled", budget=tokens) for tokens in (1024, 4096)]


def level(step):
    return step.ask.thinking.effort


def spending(none=0, low=200, high=2400, **more):
    """A model that counts so many reasoning tokens at each level."""
    spent = {"none": none, "low": low, "high": high}
    return lambda step: chat(step, "42", usage=counts(20, spent[level(step)] + 2, spent[level(step)]), **more)


def test_three_arms_of_one_prompt():
    finding, steps = play(SCENARIO, spending())
    assert finding.outcome == "pass"
    assert [level(step) for step in steps] == ["none", "low", "high"]
    prompts = {step.ask.messages[0].content[0].text.partition("] ")[2] for step in steps}
    assert len(prompts) == 1
    assert len({step.mark for step in steps}) == 3


def test_messages_speaks_in_budgets_within_the_cap():
    steps = []

    def answers(step):
        steps.append(step)
        return chat(step, body=b'{"content":[{"type":"text","text":"4"}],"model":"m","stop_reason":"end_turn"}')

    play(SCENARIO, answers, dialect="anthropic_messages")
    controls = [step.ask.thinking for step in steps]
    assert controls[0] == Thinking(mode="disabled")
    assert [each.budget for each in controls[1:]] == [1024, 4096]
    assert all(step.ask.max_tokens > (step.ask.thinking.budget or 0) for step in steps)


def test_a_model_that_cannot_be_switched_off_is_not_asked_to():
    _, steps = play(SCENARIO, spending(), facts=ModelFacts(thinking_off=False))
    assert [level(step) for step in steps] == ["low", "high"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (spending(none=1), "none_ignored"),
        (lambda s: chat(s, "4", usage=counts(9, 2, 0), reasoning_content="hm"), "none_ignored"),
        (spending(low=0, high=0), "no_reasoning"),
        (spending(none=700, low=700, high=700), "none_ignored"),
        (lambda s: chat(s, status=503, body=b'{"error":{"message":"overloaded"}}'), "overloaded"),
    ],
)
def test_hard_rules_need_one_sample(answers, reason):
    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason) == ("fail", reason)


def test_counts_of_the_thought_that_shows_tell_nothing_of_the_level():
    def answers(step):
        spent = {"none": 0, "low": 300, "high": 2400}[level(step)]
        words = "I multiply the two numbers." if spent else None
        return chat(step, "42", usage=counts(20, spent + 2, 6 if spent else 0), reasoning_content=words)

    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "reasoning_estimated", "translation")
    assert finding.detail == "low: 6 reasoning tokens, as the thought shows, and 278 of output are unexplained"


ALL = ModelFacts(levels=("none", "minimal", "low", "medium", "high"), thinking_off=True)
TWO = ModelFacts(levels=("low", "medium"), thinking_off=True)


def echoing(efforts):
    """A model that says which level it applied, by the level asked for."""

    def answers(step):
        exchange = spending()(step)
        return replace(exchange, reply=replace(exchange.reply, effort=efforts.get(level(step), level(step))))

    return answers


@pytest.mark.parametrize(
    ("facts", "efforts", "outcome", "reason"),
    [
        (ALL, {}, "pass", ""),
        (ALL, {"high": "medium"}, "fail", "effort_changed"),
        (ALL, {"none": "minimal"}, "fail", "effort_changed"),
        (TWO, {"high": "medium"}, "pass", ""),
        (TWO, {"high": "high"}, "pass", ""),
        (TWO, {"high": "low"}, "fail", "effort_changed"),
        (ModelFacts(), {"high": "medium"}, "inconclusive", "effort_unknown"),
        (ModelFacts(), {}, "pass", ""),
    ],
)
def test_an_echoed_level_is_the_one_asked_for_or_the_one_it_is_clamped_to(facts, efforts, outcome, reason):
    finding, _ = play(SCENARIO, echoing(efforts), facts=facts)
    assert (finding.outcome, finding.reason) == (outcome, reason)


def test_the_clamped_level_is_told_and_an_unknown_one_keeps_the_memory():
    finding, _ = play(SCENARIO, echoing({"high": "low"}), facts=TWO)
    assert finding.detail == "asked for high, which this model takes as medium, the answer says low was applied"
    before = Memory("m", 3, 0.5)
    finding, _ = play(SCENARIO, echoing({"high": "medium"}), memory=before)
    assert finding.memory == before
    assert finding.detail.endswith("what this model should be given is not known")


def test_growth_is_told_once_there_are_enough_runs_and_a_new_model_begins_anew():
    memory, told = None, []
    for number in range(60 + 40):
        spent = 2400 if number < 60 else 7200
        finding, _ = play(SCENARIO, spending(high=spent), memory=memory)
        memory = finding.memory
        told.append(finding.measures.get("reasoning_growth_ratio"))
    assert told[:89] == [None] * 89
    assert told[-1] == pytest.approx(3.0, rel=0.01)
    assert finding.measures["reasoning_growth_ratio_lower"] == pytest.approx(3.0, rel=0.01), "no spread, no doubt"
    finding, _ = play(SCENARIO, spending(model="m-2"), memory=memory)
    assert (finding.memory.model, len(finding.memory.high.baseline)) == ("m-2", 1)
    assert "reasoning_growth_ratio" not in finding.measures


def test_over_budget_has_a_tolerance():
    def messages(tokens):
        def answers(step):
            spent = min(step.ask.thinking.budget or 0, tokens) if step.ask.thinking.budget != 1024 else tokens
            thinking = b"" if not spent else b'{"type":"thinking","thinking":"h","signature":"s"},'
            usage = b'{"input_tokens":9,"output_tokens":%d,"output_tokens_details":{"thinking_tokens":%d}}' % (
                spent + 2,
                spent,
            )
            if step.ask.thinking.mode == "disabled":
                thinking, usage = b"", b'{"input_tokens":9,"output_tokens":2}'
            body = b'{"content":[%s{"type":"text","text":"4"}],"model":"m","stop_reason":"end_turn","usage":%s}'
            return chat(step, body=body % (thinking, usage))

        return answers

    assert play(SCENARIO, messages(1280), dialect="anthropic_messages")[0].outcome == "pass"
    assert play(SCENARIO, messages(1281), dialect="anthropic_messages")[0].reason == "over_budget"


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}])
def test_without_counts_nothing_is_claimed(usage):
    finding, _ = play(SCENARIO, lambda step: chat(step, "42", usage=usage))
    assert (finding.outcome, finding.reason) == ("inconclusive", "counts_absent")


def test_hidden_reasoning_is_the_output_that_no_word_explains():
    spent = {"none": 0, "low": 300, "high": 3000}
    answers = lambda step: chat(step, "42", usage=counts(20, spent[level(step)] + 4))  # noqa: E731
    assert play(SCENARIO, answers)[0].outcome == "pass"
    ignoring = lambda step: chat(step, "42", usage=counts(20, 700))  # noqa: E731
    assert play(SCENARIO, ignoring)[0].reason == "none_ignored"
    impossible = lambda step: chat(step, "42", usage=counts(20, 90_000))  # noqa: E731
    assert play(SCENARIO, impossible)[0].reason == "counts_absent", "more than the cap is no count of anything"
    silent = lambda step: chat(step, "42", usage=counts(20, 4))  # noqa: E731
    assert play(SCENARIO, silent)[0].reason == "counts_absent"


def pairs(answers, most=20):
    """How the order ends, and after how many pairs; the memory goes from run to run."""
    memory = None
    for number in range(1, most + 1):
        finding, _ = play(SCENARIO, answers, memory=memory, seed=number)
        if finding.outcome == "fail" or finding.memory.pairs == 0:
            return number, str(finding.reason)
        memory = finding.memory
    return most, "undetermined"


def test_the_order_is_decided_over_runs():
    assert pairs(spending(low=200, high=2400)) == (1, "")
    assert pairs(spending(low=200, high=700)) == (3, "")
    assert pairs(spending(low=400, high=400)) == (5, "order_flat")
    assert pairs(spending(low=1000, high=1750)) == (20, "undetermined")


def test_a_flat_order_stays_failed_until_it_recovers():
    memory, outcomes = None, []
    for number in range(9):
        answers = spending(low=400, high=400) if number < 7 else spending()
        finding, _ = play(SCENARIO, answers, memory=memory, seed=number)
        memory = finding.memory
        outcomes.append(str(finding.outcome))
    assert outcomes == ["pass"] * 4 + ["fail"] * 3 + ["pass"] * 2


def test_a_cap_eaten_by_reasoning_is_undecided():
    finding, _ = play(SCENARIO, lambda step: chat(step, "", finish="length", usage=counts(9, 500, 500)))
    assert (finding.outcome, finding.reason) == ("inconclusive", "cap_too_small")


def test_undetermined_is_not_a_failure():
    finding, _ = play(SCENARIO, spending(low=400, high=400))
    assert finding.outcome == "pass"
    assert "undetermined" in finding.detail
    assert finding.memory.pairs == 1


def test_another_model_version_starts_over():
    old = Memory(model="m-old", pairs=9, llr=-2.9)
    finding, _ = play(SCENARIO, spending(low=400, high=400), memory=old)
    assert finding.outcome == "pass"
    assert finding.memory.pairs == 1


@pytest.mark.parametrize(
    ("dialect", "facts", "expected"),
    [
        ("openai_chat", ModelFacts(), [Thinking(effort=level) for level in ("none", "low", "high")]),
        ("openai_chat", ModelFacts(thinking_off=False), [Thinking(effort=level) for level in ("low", "high")]),
        ("anthropic_messages", ModelFacts(), [OFF, *BUDGETS]),
        (
            "anthropic_messages",
            ModelFacts(thinking_form="adaptive"),
            [OFF, Thinking("adaptive", "low"), Thinking("adaptive", "high")],
        ),
        ("gemini", ModelFacts(budget=(0, 24576)), [OFF, *BUDGETS]),
        ("gemini", ModelFacts(levels=("low", "high")), [OFF, Thinking(effort="low"), Thinking(effort="high")]),
        ("gemini", ModelFacts(), [OFF, Thinking(effort="low"), Thinking(effort="high")]),
    ],
)
def test_what_is_asked_is_what_dialect_and_model_take(dialect, facts, expected):
    asked = controls(case(SCENARIO, dialect=dialect, facts=facts), Params())
    assert [control for _, control in asked] == expected


@pytest.mark.parametrize(
    ("model", "said"),
    [("m(high)", "m(high) says its reasoning itself"), ("m(8192)", "m(8192) says"), ("m(ultra)", ""), ("m", "")],
)
def test_a_suffix_would_win_over_every_arm(model, said):
    objection = SCENARIO.objection(case(SCENARIO, model=model))
    assert objection.startswith(said) and bool(objection) is bool(said)
