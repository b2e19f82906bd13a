"""Covers canary/report/evidence.py: what people read of a run, with nothing cut in silence."""

from msgspec.structs import replace
from plays import case, chat, counts, models
from runs import run

from llm_canaries.canary.asks import sending, text_ask
from llm_canaries.canary.evidence.bodies import Room
from llm_canaries.canary.evidence.keep import evidence_of
from llm_canaries.canary.report.evidence import MOST_CHARACTERS, evidence_text
from llm_canaries.canary.scenarios.known_good import SCENARIO
from llm_canaries.config.secrets import Redactor
from llm_canaries.wire.exchange import Attempt, Look, Loss, Reasoning, Request, Seen
from llm_canaries.wire.message import Thinking


def exchange(text="123456", **more):
    its = case(SCENARIO, stream=more.pop("stream", False))
    return chat(sending(its, text_ask(its, "hi", cap=9), "cnry-aaaaaaaaaa"), text, **more)


def told(*answers, secrets=(), room=None, number=0, **more):
    redact = Redactor(secrets)
    kept = evidence_of(run(answers=answers, **more), redact, program="1.2", url="https://u:p@g/v1?k=1", room=room)
    return evidence_text(kept, number)


def test_it_opens_with_the_case_and_ends_with_the_verdict():
    lines = told(exchange(), number=7, outcome="fail", reason="stale", detail="somebody else's").splitlines()
    assert lines[0] == "run 7: c at g (https://***@g/v1), model m, openai_chat, stream false"
    assert lines[1] == "1970-01-01 00:00:00.000 UTC, judged by llm-canaries 1.2"
    assert lines[-3:] == [
        "How it was judged:",
        "  step 1: asked in openai_chat, whole; HTTP 200, nothing wrong with it by itself",
        "  fail stale (translation): somebody else's",
    ]


def test_pictures_are_shortened_and_secrets_gone():
    text = told(exchange(f"my key is sk-live-1234567890 and {'A' * 5000}"), secrets=["sk-live-1234567890"])
    assert "sk-live-1234567890" not in text
    assert "my key is *** and <5000 characters of base64>" in text


def test_a_long_body_says_how_long_it_is():
    text = told(exchange("no " * 3000))
    assert f"… ({len(exchange('no ' * 3000).body)} bytes in all)" in text
    assert len(text) < MOST_CHARACTERS + 1500


def test_a_cut_body_says_by_how_much():
    answer = exchange("no " * 3000)
    text = told(answer, room=Room(str, most_body=1000))
    assert f"[cut: the last {len(answer.body) - 1000} of {len(answer.body)} bytes are not kept]" in text


def test_thinking_losses_objections_and_usage_are_told():
    answer = replace(
        exchange(usage=counts(12, 3, 2)),
        thinking=Reasoning(
            requested=Thinking(mode="adaptive", effort="high"), translated=Thinking(mode="enabled", budget=24576)
        ),
        losses=(Loss("tool", "strict"),),
        objections=("no_end",),
    )
    text = told(answer)
    assert "  thinking: requested adaptive level high, translated enabled budget 24576\n" in text
    assert "  usage: input 12, output 3, reasoning 2, total reported 15\n" in text
    assert "  loss: tool: strict\n" in text
    assert "  objection: no_end\n" in text
    assert "HTTP 200, no_end" in text
    assert "thinking:" not in told(exchange())


def test_what_went_on_is_shown_once():
    answer = replace(exchange(), sent=b'{"a":1}')
    same = Request(path="/v1/chat/completions", headers=(), body=b'{"a":1}')
    other = Request(path="/v1/messages", headers=(), body=b'{"b":2}')
    tries = [
        Attempt(provider="p", credential="one", status=None, duration=0.5, reason="connect", request=same),
        Attempt(provider="q", credential="two", status=200, duration=0.25, request=other),
    ]
    seen = Seen(dialect="anthropic_messages", model="x", stream=False, ask=answer.send.ask, body=b'{"b":2}')
    text = told(replace(answer, attempts=tuple(tries), upstream=(seen,)))
    one = "  attempt: p with one: no answer connect in 0.500 s\n  ⇒ POST /v1/chat/completions, the same bytes\n"
    assert one in text
    assert '  attempt: q with two: HTTP 200 in 0.250 s\n  ⇒ POST /v1/messages, 7 bytes\n    {"b":2}\n' in text
    assert "  the mirror saw anthropic_messages, model x, stream false, the same bytes\n" in text


def test_the_pieces_of_a_stream_are_told_with_their_times():
    answer = exchange(stream=True)
    few = replace(answer, arrivals=((0.1, 10), (0.25, len(answer.body))), first_content=0.25)
    assert f"came in 2 pieces, the first content at 0.250 s: 10 B by 0.100 s, {len(answer.body)} B by" in told(few)
    many = replace(answer, arrivals=tuple((at / 100, at) for at in range(1, 101)))
    assert "8 B by 0.080 s, … 84 more …, 93 B by 0.930 s" in told(many)


def test_a_page_and_its_fault():
    page = models(Look(path="/v1/models"), "a", "b")
    assert "→ GET /v1/models\n← HTTP 200 in 0.100 s, " in told(page)
    broken = replace(page, status=None, body=b"", fault=exchange(status=500, body=b"no").fault)
    assert "← no answer in 0.100 s, 0 bytes\n  fault: upstream_error (provider): " in told(broken)


def test_nothing_is_done_to_a_terminal():
    """A gateway's words may hold escape sequences, which could hide the verdict."""
    text = told(exchange("\x1b[2J\x07 gone"), detail="\x1b[2J", outcome="fail", reason="x")
    raw = told(exchange(body=b"a\x1b[2J\rb\x9bc"), outcome="pass")
    assert all(each.isprintable() or each == "\n" for each in text + raw)
    assert "\\x1b[2J" in text.splitlines()[-1] and "a\\x1b[2J" in raw


def test_bytes_that_are_no_text_are_shown_as_they_can_be():
    assert "caf\\xe9" in told(exchange(body=b"caf\xe9"))
