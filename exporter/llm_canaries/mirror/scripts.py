"""What the mirror has been told to answer, by mark; bounded in number, size and time, and forgotten once used up."""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from llm_canaries.wire.json import WireError
from llm_canaries.wire.script import Script

MOST_BYTES = 256 * 1024  # of one script, as JSON
MOST_SCRIPTS = 256
LASTS = 300.0  # seconds
MOST_USES = 16  # answers: a gateway that retries gets the same one again

_DECODER = msgspec.json.Decoder(Script)


class _Told(Struct):
    """One script, until when it lasts (monotonic), and how often it has been played."""

    script: Script
    until: float
    uses: int = 0


class Scripts:
    """The scripts told and not yet used up."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, _Told] = OrderedDict()

    def tell(self, mark: str, script: Script, now: float) -> None:
        """The ask with `mark` is answered with `script`, from now on; the oldest script makes room."""
        self._told[mark] = _Told(script, now + LASTS)
        self._told.move_to_end(mark)
        while len(self._told) > MOST_SCRIPTS:
            self._told.popitem(last=False)

    def play(self, marks: Iterable[str], now: float) -> Script | None:
        """The script for an ask that carries `marks`, None where there is none, or no more."""
        for mark in marks:
            if (told := self._told.get(mark)) is None:
                continue
            told.uses += 1
            if told.uses >= MOST_USES or told.until <= now:
                del self._told[mark]
            if told.until > now:
                return told.script
        return None


def read_script(body: bytes) -> Script:
    """The script that JSON is. Raises WireError."""
    try:
        script = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise WireError(f"not a script: {error}") from None
    if script.reply is None and script.fault is None:
        raise WireError("not a script: it has neither `reply` nor `fault`")
    return script


def write_script(script: Script) -> bytes:
    """`script` as JSON."""
    return msgspec.json.encode(script)
