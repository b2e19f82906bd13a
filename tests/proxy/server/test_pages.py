"""The pages of proxy/server/pages.py and the keys of proxy/server/keys.py, over HTTP."""

import json

import pytest
from doors import PROVIDER_KEY, asking

from llm_canaries.proxy.circuits import Change
from llm_canaries.wire.dialects import DIALECTS

HEALTHY = "mirror/healthy"
KEYS = ("ck-first-0123456789", "ck-second-0123456789")


async def page(client, url, status=200, **headers):
    async with client.get(url, headers=headers) as response:
        assert (response.status, response.content_type) == (status, "application/json"), url
        return await response.json()


@pytest.mark.parametrize("path", ["/health", "/healthz"])
async def test_alive(path, mirror_url, open_door, client):
    door = await open_door(mirror_url, keys=KEYS)
    assert await page(client, door.url + path) == {"status": "ok"}
    async with client.head(door.url + path) as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_models_in_every_form(mirror_url, open_door, client):
    door = await open_door(mirror_url, aliases={"gpt-5": HEALTHY})
    ours = await page(client, door.url + "/v1/models")
    claude = await page(client, door.url + "/v1/models", **{"anthropic-version": "2023-06-01"})
    google = await page(client, door.url + "/v1beta/models")
    ids = [each["id"] for each in ours["data"]]
    assert ours["object"] == "list" and "gpt-5" in ids and HEALTHY not in ids, "the alias replaces the name"
    assert [each["id"] for each in claude["data"]] == ids and claude["first_id"] == ids[0]
    assert [each["name"] for each in google["models"]] == [f"models/{each}" for each in ids]


async def test_one_model_in_every_form(mirror_url, open_door, client):
    door = await open_door(mirror_url)
    ours = await page(client, f"{door.url}/v1/models/{HEALTHY}")
    assert (ours["id"], ours["object"]) == (HEALTHY, "model")
    claude = await page(client, f"{door.url}/v1/models/{HEALTHY}", **{"anthropic-version": "2023-06-01"})
    assert (claude["id"], claude["type"]) == (HEALTHY, "model")
    assert (await page(client, f"{door.url}/v1beta/models/{HEALTHY}"))["name"] == f"models/{HEALTHY}"
    assert (await page(client, f"{door.url}/v1/models/absent", 404))["error"]["code"] == "model_not_found"
    assert (await page(client, f"{door.url}/v1beta/models/absent", 404))["error"]["status"] == "NOT_FOUND"


async def test_models_of_a_provider_that_is_down(free_port, open_door, client):
    door = await open_door(f"http://127.0.0.1:{free_port}")
    said = await page(client, door.url + "/v1/models", 502)
    assert "error" in said


async def test_metrics_tell_of_traffic(mirror_url, open_door, client):
    door = await open_door(mirror_url)
    before = await page(client, door.url + "/v1/metrics/providers")
    assert before["up"]["request_count"] == 0 and before["up"]["success_rate"] == 1.0
    assert not [key for key in before["up"] if key.startswith(("latency", "cost"))], "absent, not zero"
    for model in (HEALTHY, HEALTHY, "mirror/overloaded", "mirror/rate-limited"):
        path, ask = asking("openai_chat", model)
        async with client.post(door.url + path, json=ask) as response:
            await response.read()
    up = (await page(client, door.url + "/v1/metrics/providers"))["up"]
    assert (up["request_count"], up["success_count"], up["failure_count"], up["rate_limited_count"]) == (4, 2, 2, 1)
    assert up["success_rate"] == 0.5 and up["status_counts"]["200"] == 2 and up["status_counts"]["429"] == 1
    assert up["total_tokens"] == up["input_tokens"] + up["output_tokens"] > 0
    assert 0 < up["latency_p50_ms"] <= up["latency_p95_ms"] <= up["latency_p99_ms"]
    assert up["models"][HEALTHY]["usage_count"] == 2
    assert "cost_dollars" not in up, "the mirror has no price"


async def test_health_tells_of_breakers(mirror_url, open_door, client, clock):
    door = await open_door(mirror_url)
    said = await page(client, door.url + "/v1/health")
    assert said["status"] == "healthy"
    assert said["circuit_breakers"] == {"up": {"state": "closed", "failure_count": 0, "next_retry_time": None}}
    for _ in range(5):
        door.core.breakers.finished("up", "default", "m", Change.FAILURE, clock.monotonic())
    said = await page(client, door.url + "/v1/health")
    breaker = said["circuit_breakers"]["up"]
    assert (said["status"], said["providers"][0]["status"]) == ("unhealthy", "unhealthy")
    assert (breaker["state"], breaker["failure_count"]) == ("open", 5)
    assert breaker["next_retry_time"] == pytest.approx(clock.wall() + 30, abs=2)
    own = await page(client, door.url + "/v1/providers/up/status")
    assert own["provider"] == "up" and own["available"] is False
    assert own["circuit_breakers"].keys() == {"up"}


async def test_a_provider_that_there_is_not(mirror_url, open_door, client):
    door = await open_door(mirror_url)
    for path in ("/v1/providers/other/status", "/v1/providers/up", "/v1/providers/up/other", "/v1/nothing"):
        assert (await page(client, door.url + path, 404))["error"]["code"] == "not_found"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/embeddings"])
async def test_what_is_not_served(method, path, mirror_url, open_door, client):
    door = await open_door(mirror_url)
    async with client.request(method, door.url + path) as response:
        assert response.status == 404
        assert path in (await response.json())["error"]["message"]


WAYS = [
    ({"authorization": "Bearer {}"}, ""),
    ({"authorization": "bearer {}"}, ""),
    ({"x-api-key": "{}"}, ""),
    ({"x-goog-api-key": "{}"}, ""),
    ({}, "?key={}"),
    ({"authorization": "Bearer someone-elses", "x-api-key": "{}"}, ""),
]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("headers", "query"), WAYS)
async def test_a_key_opens_wherever_it_is_shown(headers, query, key, mirror_url, open_door, client):
    door = await open_door(mirror_url, keys=KEYS)
    shown = {name: value.format(key) for name, value in headers.items()}
    path, ask = asking("openai_chat", HEALTHY)
    async with client.post(door.url + path + query.format(key), json=ask, headers=shown) as response:
        assert response.status == 200
    async with client.get(door.url + "/v1/models" + query.format(key), headers=shown) as response:
        assert response.status == 200


@pytest.mark.parametrize("dialect", list(DIALECTS))
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {KEYS[0]}"},
        {"x-api-key": KEYS[0][:-1]},
        {"x-api-key": ""},
        {"authorization": f"Bearer {PROVIDER_KEY}"},
    ],
)
async def test_no_key_no_answer(headers, dialect, mirror_url, open_door, client):
    door = await open_door(mirror_url, keys=KEYS)
    path, ask = asking(dialect, HEALTHY)
    async with client.post(door.url + path, json=ask, headers=headers) as response:
        assert response.status == 401
        error = json.loads(await response.read())["error"]
    assert error.get("code", error.get("type")) in ("invalid_api_key", "authentication_error", 401)
    assert door.traffic.snapshot()["up"].requests == 0
    await page(client, door.url + DIALECTS[dialect].models_path, 401, **headers)


async def test_operators_pages_need_no_key_on_this_machine(mirror_url, open_door, client):
    """The runbook's commands send none; from elsewhere they must (tests/proxy/server/test_parts.py)."""
    door = await open_door(mirror_url, keys=KEYS)
    for path in ("/v1/metrics/providers", "/v1/health", "/v1/providers/up/status"):
        await page(client, door.url + path)
