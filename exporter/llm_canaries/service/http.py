"""What the sidecar serves: metrics, health, reload, and the numbers for people and scripts.

On an address that is not loopback only metrics and health are open (DESIGN 5.16).
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from llm_canaries.alerts.incident import Incident
from llm_canaries.alerts.text import Facts
from llm_canaries.service.app import Sidecar
from llm_canaries.service.board import Board
from llm_canaries.service.exposition import negotiate
from llm_canaries.service.kept import kept_json, read_kept, rows_json
from llm_canaries.service.page import cases_json, index_page

Reload = Callable[[], Awaitable[str]]
Alerts = Callable[[], list[dict[str, Any]]]
Incidents = Callable[[], list[tuple[Incident, Facts]] | None]

MOST_LISTED = 100  # runs that /api/v1/runs tells
PAUSE = 0.001  # seconds after each slice of a page: 10,000 series take 0.3 s, and delay nobody by more than a slice
_OPEN = frozenset({"/metrics", "/-/healthy", "/-/ready"})


class Web:
    """The routes; `ready` turns true once the first sample was taken."""

    def __init__(self, sidecar: Sidecar, *, reload: Reload, alerts: Alerts, incidents: Incidents) -> None:
        self._sidecar = sidecar
        self._reload = reload
        self._alerts, self._incidents = alerts, incidents
        self.ready = False

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(middlewares=[_guard])
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._is_ready)
        app.router.add_post("/-/reload", self._reloaded)
        app.router.add_get("/", self._index)
        app.router.add_get("/api/v1/cases", self._cases)
        app.router.add_get("/api/v1/runs", self._runs)
        app.router.add_get("/api/v1/runs/{id}", self._run)
        app.router.add_get("/api/v1/alerts", self._alerting)
        return app

    async def _metrics(self, request: web.Request) -> web.Response:
        self._sidecar.refresh()
        return await _page(self._sidecar.board, request)

    async def _healthy(self, request: web.Request) -> web.Response:
        return web.Response(text="healthy\n")

    async def _is_ready(self, request: web.Request) -> web.Response:
        if self.ready:
            return web.Response(text="ready\n")
        return web.Response(text="not ready yet\n", status=503)

    async def _reloaded(self, request: web.Request) -> web.Response:
        problems = await self._reload()
        return web.Response(text=problems or "reloaded\n", status=422 if problems else 200)

    async def _index(self, request: web.Request) -> web.Response:
        pending = sum(alert["state"] == "pending" for alert in self._alerts())
        text = index_page(self._sidecar, self._incidents(), pending, self._sidecar.clock.wall())
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return web.Response(text=text, content_type="text/html", headers={"content-security-policy": policy})

    async def _cases(self, request: web.Request) -> web.Response:
        return web.json_response({"cases": cases_json(self._sidecar, self._sidecar.clock.wall())})

    async def _alerting(self, request: web.Request) -> web.Response:
        return web.json_response({"alerts": self._alerts()})

    async def _runs(self, request: web.Request) -> web.Response:
        rows = await self._sidecar.store.unsettled(MOST_LISTED)
        return web.Response(body=rows_json(rows), content_type="application/json")

    async def _run(self, request: web.Request) -> web.Response:
        number = request.match_info["id"]
        found = None
        if number.isdecimal() and len(number) < 16:
            found = await self._sidecar.store.run(int(number))
        if found is None:
            where = "/api/v1/cases names the last run of each case, /api/v1/runs the last failures"
            raise web.HTTPNotFound(text=f"no run {number[:20]!r}; {where}\n")
        kept = await asyncio.to_thread(lambda: kept_json(read_kept(*found)))
        return web.Response(body=kept, content_type="application/json")


def standby_app(board: Board) -> web.Application:
    """While another instance is active: metrics that say so, and health; never ready."""

    async def metrics(request: web.Request) -> web.Response:
        return await _page(board, request)

    async def healthy(request: web.Request) -> web.Response:
        return web.Response(text="healthy\n")

    async def standing_by(request: web.Request) -> web.Response:
        return web.Response(text="standing by: another instance holds the state\n", status=503)

    app = web.Application(middlewares=[_guard])
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", standing_by)
    app.router.add_get("/", standing_by)
    return app


async def _page(board: Board, request: web.Request) -> web.Response:
    slices, content_type = negotiate(request.headers.get("accept"))
    return web.Response(body=await paced(slices(board)), headers={"content-type": content_type})


async def paced(slices: Iterator[bytes]) -> bytes:
    """The whole of a page, made slice by slice with a pause after each, so that the probes' clocks go on meanwhile."""
    body = bytearray()
    for piece in slices:
        body += piece
        await asyncio.sleep(PAUSE)
    return bytes(body)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Keeps everything but metrics and health to this machine, and foreign web pages out of it."""
    if request.path not in _OPEN and not _from_here(request):
        raise web.HTTPForbidden(text="only metrics and health are open to other machines\n")
    return await handler(request)


def _from_here(request: web.Request) -> bool:
    """Whether both ends are this machine, and the host is named as such (a page elsewhere cannot rebind a name)."""
    try:
        if not ipaddress.ip_address(request.remote or "").is_loopback:
            return False
    except ValueError:
        return False
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdecimal() else request.host
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
