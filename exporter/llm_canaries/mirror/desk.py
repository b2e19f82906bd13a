"""Who may come in to the mirror, and what it tells about itself: records by mark, and scripts to answer with."""

import ipaddress

from aiohttp import web
from aiohttp.typedefs import Handler as Answer
from aiohttp.typedefs import Middleware

from llm_canaries.mirror.records import Records
from llm_canaries.mirror.scripts import MOST_BYTES, Scripts, read_script
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.server.keys import ClientKeys, shown_keys
from llm_canaries.proxy.server.paths import AskPaths
from llm_canaries.proxy.server.refusal import refusal
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import WireError

RECORDS, SCRIPTS = "/mirror/records/", "/mirror/scripts/"
_WRONG_KEY = Fault(reason=FaultReason.AUTH, message="not the key of this mirror; show it as any of the dialects do")
_NOT_FROM_HERE = Fault(
    reason=FaultReason.PERMISSION, message="records and scripts of a mirror without a key are for this machine alone"
)


class Desk:
    """`records` of what came and `scripts` of what to answer; with a `key` everything needs it."""

    def __init__(self, clock: Clock, key: str = "") -> None:
        self._clock = clock
        self._keys = ClientKeys((key,) if key else ())
        self.records = Records()
        self.scripts = Scripts()

    def add_routes(self, app: web.Application) -> None:
        """`GET` for what came under a mark, `PUT` for what to answer to it."""
        app.router.add_get(RECORDS + "{mark}", self._recorded)
        app.router.add_put(SCRIPTS + "{mark}", self._told)

    @property
    def door(self) -> Middleware:
        """The middleware that lets nobody in without the key, nor to the desk of a mirror without one from afar."""
        paths = AskPaths()

        @web.middleware
        async def admit(request: web.Request, handler: Answer) -> web.StreamResponse:
            if not self._keys.admit(shown_keys(request.headers, request.query)):
                return refusal(paths.dialect(request.path) or "openai_chat", _WRONG_KEY)
            if not self._keys and request.path.startswith((RECORDS, SCRIPTS)) and not _from_here(request):
                return refusal("openai_chat", _NOT_FROM_HERE)
            return await handler(request)

        return admit

    async def _recorded(self, request: web.Request) -> web.Response:
        seen = self.records.of(request.match_info["mark"])
        rows = [
            {
                "dialect": each.dialect,
                "path": each.path,
                "model": each.model,
                "stream": each.stream,
                "body": each.body.decode("utf-8", "replace"),
            }
            for each in seen
        ]
        return web.json_response({"seen": rows})

    async def _told(self, request: web.Request) -> web.Response:
        if (request.content_length or 0) > MOST_BYTES:
            return web.json_response({"error": f"a script has at most {MOST_BYTES} bytes"}, status=413)
        body = bytearray()
        async for chunk in request.content.iter_chunked(65536):
            body += chunk
            if len(body) > MOST_BYTES:
                return web.json_response({"error": f"a script has at most {MOST_BYTES} bytes"}, status=413)
        try:
            script = read_script(bytes(body))
        except WireError as error:
            return web.json_response({"error": str(error)[:200]}, status=400)
        self.scripts.tell(request.match_info["mark"], script, self._clock.monotonic())
        return web.Response(status=204)


def _from_here(request: web.Request) -> bool:
    """Whether a request comes from this machine, and was meant for it: a page in a browser may know our port."""
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback and _is_loopback(request.host)
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0].strip("[]") if host.rpartition(":")[2].isdecimal() else host.strip("[]")
    return name == "localhost" or ipaddress.ip_address(name).is_loopback
