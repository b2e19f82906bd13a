"""Asks through proxy/server/door.py: every dialect, whole and streamed, good and bad."""

import asyncio
import gzip
import json
import socket
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from doors import PROVIDER_KEY, asking, serving_one
from yarl import URL

from llm_canaries.proxy.breaker import State
from llm_canaries.proxy.gateway import Limits
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.fault_reading import read_fault
from llm_canaries.wire.sse import Decoder

HEALTHY = "mirror/healthy"
both_ways = pytest.mark.parametrize("dialect", list(DIALECTS))


def text_of(dialect: str, body: bytes) -> str:
    return DIALECTS[dialect].read_reply(body).text


@both_ways
@pytest.mark.parametrize("provider", list(DIALECTS))
async def test_every_dialect_to_every_dialect(dialect, provider, mirror_url, open_door, client):
    door = await open_door(mirror_url, dialects=(provider,))
    path, ask = asking(dialect, HEALTHY)
    async with client.post(door.url + path, json=ask) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        assert response.content_length is not None, "an answer that is whole says its length"
        assert text_of(dialect, await response.read()) == "42"
    passed = door.traffic.snapshot()["up"]
    assert (passed.requests, passed.successes, passed.tokens.answers) == (1, 1, 1)
    assert passed.tokens.input > 0 and passed.tokens.output > 0


@both_ways
@pytest.mark.parametrize("provider", list(DIALECTS))
async def test_streams(dialect, provider, mirror_url, open_door, client):
    door = await open_door(mirror_url, dialects=(provider,))
    path, ask = asking(dialect, HEALTHY, stream=True)
    async with client.post(door.url + path, json=ask) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        body = await response.read()
    decoder, reader = Decoder(), DIALECTS[dialect].reader()
    events = [event for frame in (*decoder.feed(body), *decoder.close()) for event in reader.feed(frame)]
    text = "".join(event.text for event in events if type(event).__name__ == "Delta")
    assert text == "42"
    assert door.traffic.snapshot()["up"].successes == 1


async def test_streams_are_counted_in_every_dialect(mirror_url, open_door, client):
    door = await open_door(mirror_url)
    for dialect in DIALECTS:
        path, ask = asking(dialect, HEALTHY, stream=True)
        more = {"stream_options": {"include_usage": True}} if dialect == "openai_chat" else {}
        async with client.post(door.url + path, json=ask | more) as response:
            await response.read()
    tokens = door.traffic.snapshot()["up"].tokens
    assert tokens.answers == len(DIALECTS) and tokens.input > 0 and tokens.output > 0


async def test_a_gemini_stream_without_events_is_an_array(mirror_url, open_door, client):
    door = await open_door(mirror_url)
    path, ask = asking("gemini", HEALTHY, stream=True)
    async with client.post(door.url + path.partition("?")[0], json=ask) as response:
        assert response.content_type == "application/json"
        values = json.loads(await response.read())
    parts = [part for value in values for each in value["candidates"] for part in each["content"].get("parts", ())]
    assert "".join(part["text"] for part in parts) == "42"


async def test_a_model_in_the_path_may_be_escaped(mirror_url, open_door, client):
    door = await open_door(mirror_url)
    path, ask = asking("gemini", "mirror%2Fhealthy")
    async with client.post(URL(door.url + path, encoded=True), json=ask) as response:
        assert text_of("gemini", await response.read()) == "42"


async def test_bytes_pass_untouched_and_only_listed_headers_do(open_door, client, echo):
    door = await open_door(echo.url, dialects=("openai_chat",))
    body = b'{ "model" : "m", "messages":[{"role":"user","content":"\\u00e9"}],\n "odd": 1e400 }'
    headers = {"authorization": "Bearer mine", "cookie": "c=1", "openai-beta": "x=v1", "x-api-key": "mine"}
    async with client.post(door.url + "/v1/chat/completions", data=body, headers=headers) as response:
        assert await response.read() == echo.answer
        got = {name.lower() for name in response.headers}
    assert echo.bodies == [body]
    assert echo.headers[0]["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert echo.headers[0]["openai-beta"] == "x=v1"
    assert not {"cookie", "x-api-key"} & {name.lower() for name in echo.headers[0]}
    passed = {"content-type", "x-request-id", "x-ratelimit-remaining-requests", "retry-after"}
    assert got == passed | {"content-length", "date", "server"}


@both_ways
async def test_a_providers_refusal_keeps_status_and_wait(dialect, mirror_url, open_door, client):
    door = await open_door(mirror_url)
    path, ask = asking(dialect, "mirror/rate-limited")
    async with client.post(door.url + path, json=ask) as response:
        assert response.status == 429
        assert response.headers["retry-after"] == "7"
        assert read_fault(429, (), await response.read(), 0.0).reason == "rate_limited"
    passed = door.traffic.snapshot()["up"]
    assert (passed.rate_limited, passed.failures, passed.last_reason) == (1, 1, "rate_limited")


@both_ways
@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 400), (b"\xff\xfe", 400)])
async def test_a_body_that_is_no_ask(dialect, body, status, mirror_url, open_door, client):
    door = await open_door(mirror_url, dialects=("openai_chat" if dialect != "openai_chat" else "gemini",))
    path, _ = asking(dialect, HEALTHY)
    async with client.post(door.url + path, data=body) as response:
        assert response.status == status
        assert "error" in json.loads(await response.read())
    assert door.traffic.snapshot()["up"].requests == 0, "nobody was asked"


@both_ways
async def test_a_body_over_the_limit(dialect, mirror_url, open_door, client):
    door = await open_door(mirror_url, limit=10_000)
    path, ask = asking(dialect, HEALTHY)
    large = json.dumps(ask | {"user": "x" * 50_000}).encode()

    async def slices():
        for at in range(0, len(large), 4096):
            yield large[at : at + 4096]

    for data in (large, slices()):
        async with client.post(door.url + path, data=data) as response:
            assert response.status == 413
            assert "10000 bytes" in json.dumps(json.loads(await response.read()))


async def test_a_model_that_nobody_serves(mirror_url, open_door, client):
    door = await open_door(mirror_url, models=("gpt-*",))
    path, ask = asking("anthropic_messages", "claude-x")
    async with client.post(door.url + path, json=ask) as response:
        assert response.status == 404
        assert (await response.json())["error"]["type"] == "not_found_error"


@both_ways
@pytest.mark.parametrize("stream", [False, True])
async def test_nobody_listens_at_the_provider(dialect, stream, free_port, open_door, client):
    door = await open_door(f"http://127.0.0.1:{free_port}")
    path, ask = asking(dialect, HEALTHY, stream=stream)
    async with client.post(door.url + path, json=ask) as response:
        assert response.status == 502
        body = await response.read()
    assert "error" in json.loads(body) and PROVIDER_KEY.encode() not in body
    assert door.core.breakers["up"].failures == 1


async def test_a_silent_provider_is_a_504(serve, open_door, client):
    server = await serve(["hang"])
    limits = Limits(connect=1, first_byte=0.2, idle=1, total=5)
    door = await open_door(f"http://127.0.0.1:{server.port}", limits=limits)
    path, ask = asking("openai_chat", HEALTHY)
    async with client.post(door.url + path, json=ask) as response:
        assert response.status == 504


@both_ways
async def test_a_stream_that_breaks_off_ends_with_an_error(dialect, mirror_url, open_door, client):
    door = await open_door(mirror_url)
    path, ask = asking(dialect, "mirror/stream-cut", stream=True)
    async with client.post(door.url + path, json=ask) as response:
        assert response.status == 200
        frames = Decoder().feed(await response.read())
    last = json.loads(frames[-1].data)
    assert "error" in (*last, last.get("type"))  # an object under that name, or Responses' event of that type
    assert door.core.breakers["up"].failures == 1


async def test_a_provider_that_repeats_our_key_is_silenced(serve, open_door, client):
    said = json.dumps({"error": {"message": f"Incorrect API key provided: {PROVIDER_KEY}.", "type": "x"}}).encode()
    head = b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(said)
    server = await serve([head + said])
    door = await open_door(f"http://127.0.0.1:{server.port}")
    for dialect in DIALECTS:
        path, ask = asking(dialect, HEALTHY)
        async with client.post(door.url + path, json=ask) as response:
            body = await response.read()
            assert response.status == 401
            assert b"Incorrect API key" in body and PROVIDER_KEY.encode() not in body
            assert PROVIDER_KEY not in str(response.headers)


async def test_events_leave_as_they_come(open_door, client):
    """The client has the first event while the provider still holds the second."""
    go = asyncio.Event()
    chunk = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'

    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(chunk)
        await go.wait()
        await response.write(b"data: [DONE]\n\n")
        return response

    async with serving_one(drip) as url:
        door = await open_door(url, dialects=("openai_chat",))
        path, ask = asking("openai_chat", "m", stream=True)
        async with client.post(door.url + path, json=ask) as response:
            assert await asyncio.wait_for(response.content.readany(), 1) == chunk
            go.set()
            assert await response.content.read() == b"data: [DONE]\n\n"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_ends_the_ask_and_is_no_failure(stream, open_door):
    gone, asked = asyncio.Event(), asyncio.Event()

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            if stream:
                await response.prepare(request)
            asked.set()
            while True:
                if stream:
                    await response.write(b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
                await asyncio.sleep(0.01)
        except (asyncio.CancelledError, ConnectionResetError):
            gone.set()
            raise

    async with serving_one(endless) as url:
        door = await open_door(url, dialects=("openai_chat",))
        path, ask = asking("openai_chat", "m", stream=stream)
        body = json.dumps(ask).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", int(door.url.rpartition(":")[2]))) as plug:
            plug.sendall(head + body)
            await asyncio.wait_for(asked.wait(), 2)
        await asyncio.wait_for(gone.wait(), 2)
        await asyncio.sleep(0.05)
        breaker = door.core.breakers["up"]
        assert (breaker.failures, breaker.state(0.0)) == (0, State.CLOSED)
        assert door.traffic.snapshot()["up"].failures == 0


async def test_a_client_that_waits_to_be_asked_for_its_body(mirror_url, open_door):
    door = await open_door(mirror_url)
    path, ask = asking("openai_chat", HEALTHY)
    body = json.dumps(ask).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode())
    assert (await asyncio.wait_for(reader.readline(), 2)).startswith(b"HTTP/1.1 100 ")
    await reader.readline()
    writer.write(body)
    assert (await asyncio.wait_for(reader.readline(), 2)).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await writer.wait_closed()


@both_ways
async def test_a_client_that_never_comes_to_the_end_of_its_body(dialect, mirror_url, open_door):
    door = await open_door(mirror_url, within=0.2)
    path, ask = asking(dialect, HEALTHY)
    body = json.dumps(ask).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(door.url).port)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body) + 1}\r\n\r\n"
    writer.write(head.encode() + body)
    said = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).lower()
    assert said.startswith(b"http/1.1 408 ") and b"connection: close" in said
    error = await reader.readexactly(int(said.partition(b"content-length: ")[2].split()[0]))
    assert "whole within 0.2 s" in json.loads(error)["error"]["message"]
    assert door.traffic.snapshot()["up"].requests == 0, "nobody was asked"
    writer.close()


@pytest.mark.parametrize("said", [b"", b"POST /v1/messages HTTP/1.1\r\nx-a: 1\r\n"], ids=["nothing", "half a head"])
async def test_a_client_that_never_comes_to_the_end_of_its_head(said, mirror_url, open_door):
    door = await open_door(mirror_url, within=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(door.url).port)
    writer.write(said)
    assert await asyncio.wait_for(reader.read(), 5) == b"", "the connection is closed"
    writer.close()


@both_ways
async def test_a_body_that_is_not_in_its_encoding(dialect, mirror_url, open_door, client, caplog):
    door = await open_door(mirror_url)
    path, ask = asking(dialect, HEALTHY)
    sent = {"content-type": "application/json", "content-encoding": "gzip"}
    async with client.post(door.url + path, data=json.dumps(ask).encode(), headers=sent) as response:
        assert response.status == 400
        assert "content-encoding" in json.dumps(json.loads(await response.read()))
    packed = gzip.compress(json.dumps(ask).encode())
    async with client.post(door.url + path, data=packed, headers=sent) as response:
        assert response.status == 200
    assert not caplog.records, "what a client says wrong is no line in our log"


@pytest.mark.parametrize("header", [b"x: " + b"a" * 10_000, b"content-length: many"], ids=["too long", "no number"])
async def test_what_is_no_http(header, mirror_url, open_door, caplog):
    door = await open_door(mirror_url)
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(door.url).port)
    writer.write(b"POST /v1/messages HTTP/1.1\r\n" + header + b"\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
    writer.close()
    assert not caplog.records
