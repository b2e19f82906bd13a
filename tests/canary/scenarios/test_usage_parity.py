import pytest
from plays import chat, counts, error, play

from llm_canaries.canary.scenarios.usage_parity import SCENARIO, Params
from llm_canaries.wire.exchange import Both


def both_ways(whole, streamed, text="123456"):
    return lambda step: chat(step, text, usage=streamed if step.stream else whole)


SAME = counts(20, 4, 0)


def test_one_prompt_both_ways_at_once():
    finding, (step,) = play(SCENARIO, both_ways(SAME, SAME))
    assert finding.outcome == "pass"
    assert isinstance(step, Both)
    whole, streamed = step.steps
    assert (whole.stream, streamed.stream) == (False, True)
    assert whole.ask.messages == streamed.ask.messages
    assert streamed.ask.include_usage


@pytest.mark.parametrize(
    ("whole", "streamed", "reason"),
    [
        (None, SAME, "missing_usage"),
        (SAME, None, "missing_terminal_usage"),
        (counts(0, 0), SAME, "zero_usage"),
        (SAME, counts(0, 0), "zero_usage"),
        (counts(20, 4, 0, total=0), SAME, "total_mismatch_short"),
        (SAME, counts(20, 4, 0, total=90), "total_mismatch_hidden_reasoning"),
        (counts(20, 4, 9), SAME, "reasoning_over_output"),
        (counts(20, 4, 0) | {"prompt_tokens_details": {"cached_tokens": 30}}, SAME, "cache_over_input"),
        (counts(20, 0, 0), SAME, "output_zero"),
        (counts(0, 4, 0), SAME, "input_zero"),
        (counts(20, 4, 0) | {"prompt_tokens": "20"}, SAME, "invalid_count"),
        (SAME, counts(20, 4, 0) | {"completion_tokens": -1}, "invalid_count"),
        (counts(20, 900, 0), SAME, "output_over_cap"),
        (SAME, counts(21, 4, 0), "input_mismatch"),
        (counts(20, 40, 30), counts(20, 40), "reasoning_lost"),
        (SAME, counts(20, 60, 0), "output_ratio"),
    ],
)
def test_failures(whole, streamed, reason):
    finding, _ = play(SCENARIO, both_ways(whole, streamed))
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", reason, "translation")


@pytest.mark.parametrize("arm", ["whole", "stream"])
def test_a_count_of_the_thought_that_shows_is_an_estimate(arm):
    def answers(step):
        estimated = step.stream == (arm == "stream")
        return chat(step, "123456", usage=counts(20, 320, 5 if estimated else 300), reasoning_content="I repeat it.")

    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason, finding.fault_domain) == ("fail", "reasoning_estimated", "translation")
    assert finding.detail.startswith(f"{arm}: input 20, output 320, reasoning 5")
    assert finding.detail.endswith("no more reasoning than the thought shows, and 293 tokens are unexplained")


def test_outputs_are_never_compared_exactly():
    assert play(SCENARIO, both_ways(counts(20, 304, 300), counts(20, 29, 24)))[0].outcome == "pass"


def test_a_tolerance_on_input_may_be_set():
    assert play(SCENARIO, both_ways(SAME, counts(22, 4, 0)), params=Params(input_tolerance=2))[0].outcome == "pass"


def test_cached_input_counts_as_input():
    cached = counts(20, 4, 0) | {"prompt_tokens_details": {"cached_tokens": 16}}
    finding, _ = play(SCENARIO, both_ways(SAME, cached))
    assert finding.outcome == "pass"
    assert finding.measures == {"input_delta_tokens": 0.0}


def test_two_models_are_not_comparable():
    answers = lambda step: chat(step, "1", usage=SAME, model="b" if step.stream else "a")  # noqa: E731
    finding, _ = play(SCENARIO, answers)
    assert (finding.outcome, finding.reason) == ("inconclusive", "not_comparable")


@pytest.mark.parametrize("other", ["mirror/healthy", "healthy-2026-01-02", "HEALTHY"])
def test_one_model_under_two_names_is_compared(other):
    def answers(streamed):
        names = {True: other, False: "gemini/mirror/healthy"}
        return lambda step: chat(step, "1", usage=streamed if step.stream else SAME, model=names[step.stream])

    assert play(SCENARIO, answers(SAME))[0].outcome == "pass"
    assert play(SCENARIO, answers(counts(21, 4, 0)))[0].reason == "input_mismatch"


def test_a_fault_of_either_arm_is_the_finding():
    answers = lambda s: error(s, 500, "boom") if s.stream else chat(s, "1", usage=SAME)  # noqa: E731
    assert play(SCENARIO, answers)[0].reason == "upstream_error"


def test_usage_on_every_chunk_of_a_stream_is_legal():
    frame = (
        b'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"1"},"finish_reason":%s}],'
        b'"usage":{"prompt_tokens":20,"completion_tokens":%d,"total_tokens":%d}}\n\n'
    )
    body = frame % (b"null", 1, 21) + frame % (b'"stop"', 4, 24) + b"data: [DONE]\n\n"

    def answers(step):
        return chat(step, body=body) if step.stream else chat(step, "1", usage=counts(20, 4))

    assert play(SCENARIO, answers)[0].outcome == "pass"


def test_a_usage_that_shrinks_was_wrong_on_the_way():
    start = (
        b'data: {"type":"message_start","message":{"id":"x","model":"m",'
        b'"usage":{"input_tokens":20,"output_tokens":50}}}\n\n'
    )
    rest = (
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"1"}}\n\n'
        b'data: {"type":"content_block_stop","index":0}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    )
    whole = (
        b'{"content":[{"type":"text","text":"1"}],"model":"m","stop_reason":"end_turn",'
        b'"usage":{"input_tokens":20,"output_tokens":4}}'
    )
    answers = lambda step: chat(step, body=start + rest if step.stream else whole)  # noqa: E731
    assert play(SCENARIO, answers, dialect="anthropic_messages")[0].reason == "usage_shrank"


def test_the_limit_is_the_one_that_was_sent():
    answers = both_ways(counts(20, 900, 0), counts(20, 900, 0))
    assert play(SCENARIO, answers)[0].reason == "output_over_cap"
    assert play(SCENARIO, answers, model="m(1024)")[0].reason != "output_over_cap"


def test_reasoning_that_is_counted_one_way_alone():
    """CLIProxyAPI counts none for Responses clients of a Chat Completions provider, where nothing is streamed."""
    finding, _ = play(SCENARIO, both_ways(counts(21, 402, 0), counts(21, 402, 400)))
    assert (finding.reason, finding.detail) == (
        "reasoning_lost", "reasoning is 0 of 402 tokens whole, and 400 of 402 streamed"
    )  # fmt: skip
