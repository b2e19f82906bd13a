"""`/api/v1/query` in the shape that Prometheus answers it in: what an expression is now, over what the rules see."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from llm_canaries.rules.humanize import go_value
from llm_canaries.rules.promql.parse import Refused
from llm_canaries.rules.promql.problem import EvaluationError
from llm_canaries.rules.vector import Vector

Ask = Callable[[str], Awaitable[tuple[float, Vector]]]


def answering(ask: Ask) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that answers with what `ask` says of the parameter `query`."""

    async def answer(request: web.Request) -> web.Response:
        expression = request.query.get("query", "")
        try:
            at, vector = await ask(expression)
        except Refused as refused:
            return _error("bad_data", str(refused), 400)
        except EvaluationError as error:
            return _error("execution", str(error), 422)
        return web.json_response({"status": "success", "data": vector_json(at, vector)})

    return answer


def vector_json(at: float, vector: Vector) -> dict[str, Any]:
    """A vector as Prometheus writes it; values are text, because JSON has no NaN."""
    result = [
        {"metric": dict(labels), "value": [at, go_value(value)]}
        for labels, value in zip(vector.labels, vector.values.tolist(), strict=True)
    ]
    return {"resultType": "vector", "result": result}


def _error(kind: str, message: str, status: int) -> web.Response:
    return web.json_response({"status": "error", "errorType": kind, "error": message}, status=status)
