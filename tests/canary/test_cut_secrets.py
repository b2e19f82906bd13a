"""A secret that lies across the place where somebody's words are cut: nothing of it is told, whoever cuts."""


import aiohttp
import pytest
from plays import chat, play

from llm_canaries.canary.expectations import of_text
from llm_canaries.canary.scenarios.known_good import SCENARIO as GOOD
from llm_canaries.canary.scenarios.loopback.reasons import parted, shown
from llm_canaries.config.secrets import Redactor
from llm_canaries.proxy import transport
from llm_canaries.wire.envelope import excerpt
from llm_canaries.wire.gemini.path import read_path
from llm_canaries.wire.json import WireError

SECRET = "pl4nted-secret-0123456789"
REDACT = Redactor([SECRET])
LENGTHS = range(260)


def clean(text):
    left = REDACT(text)
    return not any(SECRET[at : at + 4] in left for at in range(len(SECRET) - 3))


def across(before):
    return f"{'.' * before}{SECRET} and so on {'.' * 900}"


def faulted(text, status=500):
    """The finding of an answer that is no envelope."""
    return play(GOOD, lambda step: chat(step, status=status, body=text.encode()))[0].detail


def answered(text):
    return play(GOOD, lambda step: chat(step, text))[0].detail


def unequal(text):
    return of_text(text, ("yes",), (), ()).detail


def unread(text):
    try:
        read_path(text)
    except WireError as error:
        return str(error)
    raise AssertionError("no path of Gemini's")


def broken_off(text):
    return transport._fault(aiohttp.ClientPayloadError(text)).message


TOLD = {
    "a body that is no envelope": faulted,
    "a wrong answer": answered,
    "an answer that is not as expected": unequal,
    "an excerpt": lambda text: excerpt(text.encode()),
    "a value that the mirror saw": shown,
    "two values that part": lambda text: " ".join(parted(text, text[:-1] + "!")) + " ".join(parted("x", text)),
    "a connection's last words": broken_off,
    "a path": unread,
}


@pytest.mark.parametrize("name", TOLD)
def test_a_secret_across_the_cut_is_not_told(name):
    assert any(not clean_without(TOLD[name](across(before))) for before in LENGTHS), "it is within reach of the words"
    for before in LENGTHS:
        text = TOLD[name](across(before))
        assert clean(text), (before, REDACT(text))


def clean_without(text):
    """Whether nothing of the secret is there even before anything is taken out."""
    return SECRET[:6] not in text
