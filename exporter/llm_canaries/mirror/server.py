"""The mirror on HTTP: a provider that anyone may call, with a model for every fault."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from llm_canaries.mirror import model
from llm_canaries.mirror.carry import answer_frames, scripted_frames, whole_body
from llm_canaries.mirror.desk import Desk
from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS, Misbehaviour, Refusal, Service
from llm_canaries.mirror.records import marks_in
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.server.listening import listening
from llm_canaries.proxy.server.log import server_log
from llm_canaries.proxy.server.refusal import refusal
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Dialect, Seen
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError, encode
from llm_canaries.wire.message import Ask, Models, Reply
from llm_canaries.wire.script import Script

PREFIX = "mirror/"
SLOW_SECONDS = 2.0
MOST_REQUEST_BYTES = 32 * 1024 * 1024
_PER_MINUTE = 100_000  # requests, as its rate-limit headers say
_QUICK, _PACE = 16, 0.001  # a short answer is quick, a long one takes its time: frames, seconds for each after them
_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Please sign in</form></body></html>"
_BUSINESS = {"status": "439", "msg": "Your API Token has expired.", "body": None}
_BIG = 50 * 1024 * 1024


class Mirror:
    """The provider that is us; `desk` holds what it was sent, and what it has been told to answer.

    With a `key` it answers nobody who does not show it, and no ask that is not a canary's.
    """

    def __init__(self, clock: Clock, key: str = "") -> None:
        self._clock = clock
        self._count = 0
        self._keyed = bool(key)
        self.desk = Desk(clock, key)

    def app(self) -> web.Application:
        """The routes: every dialect's ask path, the model list, and the desk of records and scripts."""
        app = web.Application(client_max_size=MOST_REQUEST_BYTES, middlewares=[self.desk.door])
        for name, dialect in DIALECTS.items():
            app.router.add_post(dialect.path, self.asks(name))
        for path in {dialect.models_path for dialect in DIALECTS.values()}:
            app.router.add_get(path, self._list)
        self.desk.add_routes(app)
        return app

    async def tell(self, mark: str, script: Script) -> None:
        """The ask that carries `mark` is answered with `script`."""
        self.desk.scripts.tell(mark, script, self._clock.monotonic())

    async def seen(self, mark: str) -> tuple[Seen, ...]:
        """What came under `mark`, in order of arrival."""
        return self.desk.records.of(mark)

    def asks(self, name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """What answers asks in the dialect `name`."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await self._answer(name, request)
            except ConnectionResetError:  # the client has heard enough
                return web.Response(status=499)

        return handle

    async def _list(self, request: web.Request) -> web.Response:
        """The form of the path's dialect: OpenAI's, or Anthropic's for a client that sends its version header."""
        spoken = [name for name, dialect in DIALECTS.items() if dialect.models_path == request.path]
        name = "anthropic_messages" if "anthropic-version" in request.headers and len(spoken) > 1 else spoken[0]
        ids = tuple(PREFIX + each for each, row in MISBEHAVIOURS.items() if row.listed)
        return web.Response(body=DIALECTS[name].write_models(Models(ids)), content_type="application/json")

    async def _answer(self, name: str, request: web.Request) -> web.StreamResponse:
        dialect, body = DIALECTS[name], await request.read()
        try:
            ask = dialect.read_ask(body, request.path)
        except WireError as error:
            return refusal(name, Fault(reason=FaultReason.BAD_REQUEST, message=str(error)))
        marks = marks_in(body)
        if self._keyed and not marks:
            return refusal(name, _NO_CANARY)
        seen = Seen(dialect=name, model=ask.model, stream=ask.stream, ask=ask, body=body, path=request.path)
        self.desk.records.add(seen)
        if (script := self.desk.scripts.play(marks, self._clock.monotonic())) is not None:
            return await self._scripted(dialect, request, ask, script)
        row = MISBEHAVIOURS.get(ask.model.removeprefix(PREFIX))
        if row is None:
            message = f"The model `{ask.model}` does not exist or you do not have access to it."
            return refusal(name, Fault(reason=FaultReason.MODEL_NOT_FOUND, message=message))
        if row.refuse is not None and (refused := row.refuse(ask)) is not None:
            return _refusal(refused)
        return await self._serve(dialect, request, ask, row)

    async def _scripted(
        self, dialect: Dialect, request: web.Request, ask: Ask, script: Script
    ) -> web.StreamResponse:
        """What it was told to answer."""
        if script.reply is None:
            assert script.fault is not None, "a script without either is refused when it is told"
            return refusal(dialect.name, script.fault)
        if not ask.stream:
            return web.Response(body=whole_body(dialect, script.reply), content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for frame in scripted_frames(dialect, script, usage=ask.include_usage):
            await response.write(frame)
            await asyncio.sleep(0)
        return response

    async def _serve(
        self, dialect: Dialect, request: web.Request, ask: Ask, row: Misbehaviour
    ) -> web.StreamResponse:
        service = row.service
        if service is Service.HANG:
            await asyncio.sleep(3600)
        if service is Service.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        if (canned := _CANNED.get(service)) is not None:
            return web.Response(body=canned[1], content_type=canned[0])
        if service is Service.BIG_BODY:
            return await self._flood(request)
        reply = self._think(ask, row)
        streams = ask.stream if service is not Service.UNEXPECTED_STREAM else True
        if streams and service is not Service.NOT_A_STREAM:
            return await self._stream(dialect, request, ask, reply, row)
        body = whole_body(dialect, reply, row)
        if service is Service.HALF_JSON:
            body = body[: len(body) // 2]
        return web.Response(body=body, content_type="application/json", headers=self._allowance(dialect))

    def _think(self, ask: Ask, row: Misbehaviour) -> Reply:
        self._count += 1
        seen = row.see(ask) if row.see is not None else ask
        reply = model.answer(seen, id=f"mirror-{self._count}", created=int(self._clock.wall()))
        return row.say(ask, reply) if row.say is not None else reply

    async def _stream(
        self, dialect: Dialect, request: web.Request, ask: Ask, reply: Reply, row: Misbehaviour
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"} | self._allowance(dialect))
        await response.prepare(request)
        frames = answer_frames(dialect, reply, row, usage=ask.include_usage)
        if row.service is Service.BUFFERED:
            await asyncio.sleep(len(frames) * _PACE)
            frames = [b"".join(frames)]
        for at, frame in enumerate(frames):
            if at == len(frames) // 2 and row.service in (Service.CUT, Service.HANG_MIDWAY):
                if row.service is Service.HANG_MIDWAY:
                    await asyncio.sleep(3600)
                return response
            await response.write(frame)
            await asyncio.sleep(0 if at < _QUICK else _PACE)  # frames leave one by one, as a model's do
        return response

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        """One JSON string of 50 MB, slice by slice: the mirror's own memory stays small."""
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"id":"big","choices":[{"message":{"content":"')
        slice_ = b"x" * 65536
        for _ in range(_BIG // len(slice_)):
            await response.write(slice_)
        await response.write(b'"}}]}')
        return response

    def _allowance(self, dialect: Dialect) -> dict[str, str]:
        """Rate-limit headers as each dialect's own provider sends them (protocols.md A7)."""
        left = str(max(0, _PER_MINUTE - self._count))
        if dialect.name == "gemini":  # Google says none
            return {}
        if dialect.name == "anthropic_messages":
            head = "anthropic-ratelimit-requests-"
            return {head + "limit": str(_PER_MINUTE), head + "remaining": left}
        head = "x-ratelimit-"
        return {
            head + "limit-requests": str(_PER_MINUTE),
            head + "remaining-requests": left,
            head + "reset-requests": "1m0s",
        }


@asynccontextmanager
async def serving(mirror: Mirror, host: str, port: int) -> AsyncIterator[str]:
    """The mirror listening; the value is its base URL. Raises OSError where the address is taken."""
    # aiohttp waits that long twice: for answers under way, then for those it cancelled
    app, log = mirror.app(), server_log()
    runner = web.AppRunner(app, access_log=None, logger=log, handler_cancellation=True, shutdown_timeout=0.3)
    async with listening(runner, host, port) as url:
        yield url


_CANNED = {
    Service.HTML: ("text/html", _HTML),
    Service.BUSINESS_ERROR: ("application/json", encode(_BUSINESS)),
    Service.ERROR_IN_200: (
        "application/json",
        encode({"error": {"message": "upstream said no", "type": "server_error", "code": None}}),
    ),
    Service.EMPTY: ("application/json", b""),
}


_NO_CANARY = Fault(  # a 403 would have the gateway set our credential aside: CLIProxyAPI does so for half an hour
    reason=FaultReason.BAD_REQUEST,
    message="this mirror answers canaries alone: the ask holds no mark of theirs (cnry- and ten letters)",
)


def _refusal(refusal: Refusal) -> web.Response:
    return web.Response(
        status=refusal.status, body=encode(refusal.body), content_type="application/json", headers=refusal.headers
    )
