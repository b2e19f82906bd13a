"""One ask with all that came of it: the value that scenarios judge and reports show."""

from collections.abc import Generator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from llm_canaries.wire.event import Event, Head
from llm_canaries.wire.fault import Fault
from llm_canaries.wire.headers import Headers
from llm_canaries.wire.message import Ask, Models, Reply, Thinking
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.quota import Quota
from llm_canaries.wire.script import Script
from llm_canaries.wire.sse import Frame

Via: TypeAlias = Literal["gateway", "direct", "mirror", "client", "wrong_key"]


class Send(Struct, frozen=True, kw_only=True):
    """A request to make: an Ask, or raw bytes that are sent as they are; `mark` finds it in the mirror's records.

    `path` is where bytes go, empty for the dialect's own; an Ask is written with its path. `script` is what the mirror
    shall answer, where it is behind the gateway.
    """

    ask: Ask | bytes
    dialect: str
    stream: bool = False
    headers: Mapping[str, str] = {}
    via: Via = "gateway"
    profile: Profile = Profile()
    mark: str = ""
    path: str = ""
    script: Script | None = None

    @property
    def rehearsed(self) -> bool:
        """Whether the fault that comes back was ordered: it says nothing of who answers, and is held against nobody."""
        return self.script is not None and (self.script.fault is not None or self.script.after is not None)


class Look(Struct, frozen=True, kw_only=True):
    """A page to read with GET, such as the model list."""

    path: str
    via: Via = "gateway"


class Both(Struct, frozen=True):
    """Steps carried out together; the answers come back in the same order."""

    steps: "tuple[Send | Look, ...]"


class Loss(Struct, frozen=True):
    """Something the target dialect could not say: where it stood and what it was."""

    where: str
    what: str


class Request(Struct, frozen=True, kw_only=True):
    """An ask written in a dialect, ready for a transport; `path` is relative to the provider's root."""

    path: str
    headers: Headers
    body: bytes
    losses: tuple[Loss, ...] = ()


class Written(Struct, frozen=True):
    """A reply written in a dialect."""

    body: bytes
    losses: tuple[Loss, ...] = ()


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at one provider: nothing is hidden by a retry. `credential` is an alias, never the key.

    `request` is what the provider was sent, but for the credential; only of a canary's ask it is kept.
    """

    provider: str
    credential: str
    status: int | None
    duration: float
    reason: str = ""
    request: Request | None = None


class Seen(Struct, frozen=True, kw_only=True):
    """What the mirror recorded of one request that carried the mark; `path` is without its query."""

    dialect: str
    model: str
    stream: bool
    ask: Ask
    body: bytes
    path: str = ""


class Page(Struct, frozen=True, kw_only=True):
    """A page as it came; `status` is None and `fault` set when none came.

    `broke` and `at` are as in Exchange.
    """

    look: Look
    status: int | None
    headers: Headers
    body: bytes
    fault: Fault | None
    duration: float
    broke: Fault | None = None
    at: float = 0.0


class Reasoning(Struct, frozen=True, kw_only=True):
    """How much reasoning was asked for, what the gateway asked the provider for, and the level said to be applied.

    None is "not said": a deployed gateway does not tell what it translated, most dialects not what they applied.
    """

    requested: Thinking | None = None
    translated: Thinking | None = None
    applied: str | None = None


class Exchange(Struct, frozen=True, kw_only=True):
    """One ask and its answer as received; `arrivals` are seconds since sending with the bytes so far.

    `broke` is why the transport heard no more, None where the answer ended by itself; `at` is when it was read (Unix
    time).
    """

    send: Send
    sent: bytes
    status: int | None
    headers: Headers
    body: bytes
    cut: bool
    arrivals: tuple[tuple[float, int], ...]
    duration: float
    first_content: float | None
    reply: Reply | None
    events: tuple[Event, ...]
    objections: tuple[str, ...]
    fault: Fault | None
    quota: tuple[Quota, ...]
    attempts: tuple[Attempt, ...]
    losses: tuple[Loss, ...]
    upstream: tuple[Seen, ...] = ()
    thinking: Reasoning = Reasoning()
    broke: Fault | None = None
    at: float = 0.0


class Reader(Protocol):
    """Frames of one stream in, events out."""

    def feed(self, frame: Frame) -> Sequence[Event]: ...
    def close(self) -> Sequence[Event]: ...


class Writer(Protocol):
    """Events of one stream in, the dialect's bytes out; `losses` are those declared so far."""

    @property
    def losses(self) -> tuple[Loss, ...]: ...
    def feed(self, event: Event) -> bytes: ...
    def close(self) -> bytes: ...


class Dialect(Protocol):
    """One wire format, both ways. Readers raise WireError and nothing else.

    `path` is where asks go, as a route with `{name:pattern}` where the dialect keeps the model in it.
    `with_model` is the same ask for another model: every other top-level value keeps its bytes.
    """

    name: str
    path: str
    models_path: str

    def auth(self, key: str) -> Headers: ...
    def read_ask(self, body: bytes, path: str) -> Ask: ...
    def write_ask(self, ask: Ask, profile: Profile) -> Request: ...
    def with_model(self, body: bytes, path: str, model: str) -> tuple[bytes, str]: ...
    def read_reply(self, body: bytes) -> Reply: ...
    def write_reply(self, reply: Reply) -> Written: ...
    def write_fault(self, fault: Fault) -> tuple[int, bytes]: ...
    def read_models(self, body: bytes) -> Models: ...
    def write_models(self, models: Models) -> bytes: ...
    def reader(self) -> Reader: ...
    def writer(self, head: Head) -> Writer: ...


Step: TypeAlias = Send | Look | Both
Answer: TypeAlias = Exchange | Page | tuple[Exchange | Page, ...]
T = TypeVar("T")
Play: TypeAlias = Generator[Step, Answer, T]


def send(step: Send) -> Play[Exchange]:
    """Makes one request; the value is its Exchange."""
    answer = yield step
    assert isinstance(answer, Exchange), "a Send is answered with an Exchange"
    return answer


def look(step: Look) -> Play[Page]:
    """Reads one page; the value is the Page."""
    answer = yield step
    assert isinstance(answer, Page), "a Look is answered with a Page"
    return answer


def both(first: Send, second: Send) -> Play[tuple[Exchange, Exchange]]:
    """Makes two requests together; the value is their Exchanges in order."""
    answer = yield Both((first, second))
    assert isinstance(answer, tuple)
    one, two = answer
    assert isinstance(one, Exchange) and isinstance(two, Exchange)
    return one, two
