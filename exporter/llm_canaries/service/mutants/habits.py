"""How healthy models differ: amounts of reasoning, phrasing, tool calls, pace; all of it drawn, nothing of it wrong.

The spreads are those measured on recorded answers of one prompt each (protocols.md C5).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from msgspec import Struct

from llm_canaries.wire.nonce import Draw

_NORMAL = NormalDist()
_FINE = 1_000_000


class Habit(Struct, frozen=True, kw_only=True):
    """One kind of model: `spread` is the least and greatest sd of the log of its reasoning tokens.

    `quantum`: reasoning is counted in multiples of it. `shows`: thoughts are told, `sealed`: as a signature alone.
    `unasked`: the median reasoning where no control was sent. `sequential`: one tool is called at a time. `dated`:
    answers name a dated model. `echoes`: they say the effort that was applied. `pace`: median tokens a second.
    `chunk`: the least and most characters of one event.
    """

    name: str
    spread: tuple[float, float]
    quantum: int = 1
    shows: bool = False
    sealed: bool = False
    unasked: int = 0
    sequential: bool = False
    chatty: bool = False
    dated: bool = False
    echoes: bool = True
    pace: float = 80.0
    chunk: tuple[int, int] = (2, 8)


HABITS: Sequence[Habit] = (
    Habit(name="gpt-5", spread=(0.15, 0.20), quantum=64, unasked=128, echoes=True, dated=True),
    Habit(name="gpt-5.4", spread=(0.15, 0.20), unasked=60, pace=120.0),
    Habit(name="gemini-3-flash", spread=(0.58, 1.07), shows=True, echoes=False, pace=200.0, chunk=(20, 90)),
    Habit(name="gemini-2.5-flash", spread=(0.48, 0.69), echoes=False, chatty=True, pace=250.0, chunk=(20, 90)),
    Habit(name="claude", spread=(0.20, 0.45), shows=True, sealed=True, chatty=True, dated=True, chunk=(3, 24)),
    Habit(name="small", spread=(0.48, 0.75), shows=True, sequential=True, chatty=True, pace=30.0),
    Habit(name="fast", spread=(0.20, 0.45), shows=True, sequential=True, pace=1500.0, chunk=(4, 40)),
)


class Temper(Struct, frozen=True):
    """A habit with the spread that one prompt happens to have; it reasons `longer` times what the habit would."""

    habit: Habit
    spread: float
    longer: float = 1.0


def temper(habit: Habit, draw: Draw) -> Temper:
    """`habit` for one case."""
    low, high = habit.spread
    return Temper(habit, low + (high - low) * draw(_FINE) / _FINE)


def lognormal(median: float, spread: float, draw: Draw) -> float:
    """A positive number about `median`, the log of which has the standard deviation `spread`."""
    return median * math.exp(spread * _NORMAL.inv_cdf((draw(_FINE) + 0.5) / _FINE))


def pick(choices: Sequence[str], draw: Draw) -> str:
    """One of `choices`."""
    return choices[draw(len(choices))]


def reasoning(median: int, most: int, temper: Temper, draw: Draw) -> int:
    """Reasoning tokens for a median, in the model's quanta, at least one of them and at most `most`."""
    quantum = temper.habit.quantum
    wanted = max(quantum, round(lognormal(median, temper.spread, draw) / quantum) * quantum)
    return max(0, min(wanted, most // quantum * quantum))


_ALONE = ("{}", "{}", "{}", "{}.", '"{}"', "'{}'", "**{}**", "`{}`", "{}\n", "```\n{}\n```", " {} ")
_SEEN = (*_ALONE, "The number shown in the image is {}.", "The image shows the number **{}**", "Number: {}")
_SEVERAL = ("{}, {}", "{} {}", "{}\n{}", "1. {}\n2. {}", "**{}** and **{}**", "{} and {}.", "`{}`, `{}`")
_PAGES = (*_SEVERAL, "Page 1: {}\nPage 2: {}", "The images show {} and {}.")
_RECORDS = (*_SEVERAL, "record_a: {}\nrecord_b: {}", "record_a returned {}, record_b returned {}.")
_NONES = ("NONE", "NONE", "NONE.", "**NONE**", "None")


def phrased(text: str, prompt: str, temper: Temper, draw: Draw) -> str:
    """The model's `text` in words that a model with this habit would choose; what it says stays."""
    about_image = "shown in" in prompt
    parts = text.split(", ")
    if text.startswith("NONE"):
        return pick(_NONES, draw) + text[4:]
    if len(parts) == 2 and text.replace(", ", "").isdigit():
        forms = _PAGES if about_image else _RECORDS
        return pick(forms if temper.habit.chatty else _SEVERAL, draw).format(*parts)
    if not text.isdigit():
        return text if len(text) > 60 else pick(_ALONE[:5], draw).format(text)
    if about_image and len(text) <= 6 and draw(12) == 0:
        return " ".join(text)
    return pick(_SEEN if about_image and temper.habit.chatty else _ALONE, draw).format(text)


def spelled(arguments: str, draw: Draw) -> str:
    """JSON arguments in another spelling: spaces, lines, or a code of digits as a number."""
    loose = arguments.replace('":"', '": "')
    bare = arguments.replace(':"', ":").replace('"}', "}") if arguments.count('"') == 4 else arguments
    return pick((arguments, loose, loose.replace("{", "{ ").replace("}", " }"), f"\n{loose}\n", bare), draw)
