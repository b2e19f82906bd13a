"""The pages of the door: health, model lists, and what operators' commands read of providers and breakers."""

import ipaddress
from collections.abc import Callable, Mapping

from aiohttp import web

from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.core import Core
from llm_canaries.proxy.gateway import Unanswered
from llm_canaries.proxy.server.keys import ClientKeys, shown_keys
from llm_canaries.proxy.server.paths import list_dialect
from llm_canaries.proxy.server.refusal import WRONG_KEY, no_page, refusal
from llm_canaries.proxy.server.status import Page, circuit_breakers, health, metrics, provider_status
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.proxy.translate import gather
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.exchange import Look
from llm_canaries.wire.fault import Fault, FaultReason
from llm_canaries.wire.json import decode_object, encode
from llm_canaries.wire.message import Models

MOST_LISTED = 16 * 1024 * 1024  # bytes of the core's own model list
PROVIDERS = "/v1/providers/"
_LISTING = DIALECTS["openai_chat"]  # the form in which the core lists its models


class Pages:
    """Everything that is read with GET."""

    def __init__(self, core: Core, traffic: Traffic, clock: Clock) -> None:
        self._core, self._traffic, self._clock = core, traffic, clock
        self._operators: Mapping[str, Callable[[], Page]] = {
            "/v1/metrics/providers": lambda: metrics(traffic.snapshot()),
            "/v1/health": self._health,
        }

    async def answer(self, request: web.BaseRequest, path: str, keys: ClientKeys) -> web.Response:
        """The page at `path`; what is not served is the client's 404, or its 405."""
        root, _, model = path.partition("/models/")
        listed = list_dialect(f"{root}/models" if model else path, request.headers)
        dialect = listed or ("anthropic_messages" if "anthropic-version" in request.headers else "openai_chat")
        if request.method not in ("GET", "HEAD"):
            return refusal(dialect, no_page(request.method, path))
        if path in ("/healthz", "/health"):
            return _json({"status": "ok"})
        if path == "/":
            return _json({"message": "llm-canaries proxy", "endpoints": [each.path for each in DIALECTS.values()]})
        known = keys.admit(shown_keys(request.headers, request.query))
        if listed is not None:
            return await self._models(listed, model) if known else refusal(dialect, WRONG_KEY)
        page = self._operator_page(path)
        if page is None:
            return refusal(dialect, no_page(request.method, path))
        return _json(page) if known or _from_here(request) else refusal(dialect, WRONG_KEY)

    async def _models(self, dialect: str, model: str) -> web.Response:
        """The models that clients may ask for, all or one, in the client's form."""
        try:
            async with self._core.look(Look(path=_LISTING.models_path)) as answer:
                ids = _LISTING.read_models(await gather(answer.chunks(), MOST_LISTED)).ids
        except Unanswered as error:
            return refusal(dialect, error.fault)
        if not model:
            return web.Response(body=DIALECTS[dialect].write_models(Models(ids)), content_type="application/json")
        if model not in ids:
            message = f"the model {model[:200]} is not listed here"
            return refusal(dialect, Fault(reason=FaultReason.MODEL_NOT_FOUND, status=404, message=message))
        page = decode_object(DIALECTS[dialect].write_models(Models((model,))))
        return _json(next(value[0] for value in page.values() if isinstance(value, list)))

    def _operator_page(self, path: str) -> Page | None:
        if (read := self._operators.get(path)) is not None:
            return read()
        provider, _, rest = path.removeprefix(PROVIDERS).partition("/")
        passed = self._traffic.snapshot().get(provider) if path.startswith(PROVIDERS) and rest == "status" else None
        return None if passed is None else provider_status(provider, passed, self._breakers(), self._clock.wall())

    def _health(self) -> Page:
        return health(self._traffic.snapshot(), self._breakers(), self._clock.wall())

    def _breakers(self) -> Page:
        return circuit_breakers(self._core.breakers, self._clock.monotonic(), self._clock.wall())


def _json(page: Page) -> web.Response:
    return web.Response(body=encode(page), content_type="application/json")


def _from_here(request: web.BaseRequest) -> bool:
    """Whether the client is on this machine: runbooks' commands send no key there."""
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
