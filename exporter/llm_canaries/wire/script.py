"""What the mirror shall answer to one ask: a value that travels to it ahead of the ask."""

from msgspec import Struct

from llm_canaries.wire.fault import Fault
from llm_canaries.wire.message import Reply


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to the ask that carries a mark; a `reply` comes whole or streamed, as it is asked for.

    A `fault` without a reply is an HTTP error with its status and Retry-After. `after` events of a streamed reply the
    stream ends: in the fault's error event where there is a `fault`, without a word where there is none.
    """

    reply: Reply | None = None
    fault: Fault | None = None
    after: int | None = None


class MirrorGone(Exception):
    """The mirror could not be told, or asked, what passed it; the message says where it was sought."""
