"""The embedded core in its own process: translation beside LiteLLM's, streams beside bare parsing, asks beside aiohttp.

Who is compared takes turns, round after round; a figure is the ratio or the difference of the medians of the rounds.
Translation and streams are timed in CPU seconds, asks by the clock.
"""

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from contextlib import AsyncExitStack

import aiohttp
import msgspec
from bench_gateways import at_least, at_most, fact
from bench_sidecar import main
from payloads import CHAT_ASK, CHAT_REPLY, MODEL, chat_stream, messages_ask
from peers import CHAT, HERE, LITELLM, prepare, upstream

from llm_canaries.cli.loop import loop_factory
from llm_canaries.config.load import load
from llm_canaries.proxy.clock import Clock
from llm_canaries.proxy.streams import Crossing, Guarded
from llm_canaries.proxy.traffic import Traffic
from llm_canaries.proxy.translate import Pair, gather
from llm_canaries.service.assembly import client_core
from llm_canaries.service.settings import known
from llm_canaries.wire.dialects import DIALECTS
from llm_canaries.wire.event import Head
from llm_canaries.wire.exchange import Send
from llm_canaries.wire.profile import Profile
from llm_canaries.wire.sse import Decoder

ROUNDS = 10
CHUNKS = 1000
SLICE = 16 * 1024  # bytes of a stream that arrive at once where it is read as fast as it can be
PROFILE = Profile()
chat, messages = DIALECTS["openai_chat"], DIALECTS["anthropic_messages"]


def core():
    """Every row of build/bench/core.json."""
    prepare()
    return [*translation(), *streams(), *asks()]


def translation():
    """Bytes to bytes, ours in this process and LiteLLM's in its own."""
    stream = chat_stream(CHUNKS)
    payloads = {"10kb": messages_ask(10 << 10), "1mb": messages_ask(1 << 20), "reply": CHAT_REPLY}
    payloads["chunk"] = b"".join(stream)
    ours = {
        "10kb": lambda: translate_ask(payloads["10kb"]),
        "1mb": lambda: translate_ask(payloads["1mb"]),
        "reply": lambda: messages.write_reply(chat.read_reply(CHAT_REPLY)).body,
        "chunk": lambda: translate_stream(stream),
    }
    floors = {"10kb": 3, "1mb": 5, "reply": 8, "chunk": 20}
    found = []
    with subprocess.Popen(
        [LITELLM / "python", HERE / "litellm_child.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
    ) as litellm:
        tell(litellm, json.dumps({name: payload.decode() for name, payload in payloads.items()}))
        theirs = json.loads(litellm.stdout.readline())
        for name, call in ours.items():
            compare(name, call(), theirs[name].encode())
            fast, slow = [], []
            for _ in range(ROUNDS):
                fast.append(cpu(call, 0.05))
                count = max(1, int(0.1 / slow[-1])) if slow else 1
                tell(litellm, f"{name} {count}")
                slow.append(float(litellm.stdout.readline()))
            each = CHUNKS if name == "chunk" else 1
            us, them = (statistics.median(times[1:]) / each for times in (fast, slow))
            found.append(at_least(f"translate.{name}_vs_litellm", them / us, "ratio", floors[name]))
            found.append(fact(f"translate.{name}_us", us * 1e6, "us"))
            found.append(fact(f"translate.{name}_litellm_us", them * 1e6, "us"))
        litellm.stdin.close()
    return found


def tell(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()


def translate_ask(body):
    """A Messages request as a chat request."""
    return chat.write_ask(messages.read_ask(body, messages.path), PROFILE).body


def translate_stream(pieces):
    """A chat stream as a Messages stream, piece by piece as it arrives."""
    decoder, reader, writer = Decoder(), chat.reader(), messages.writer(Head(id="", model=""))
    out = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            for event in reader.feed(frame):
                out.append(writer.feed(event))  # noqa: PERF401  # a list for each frame would be half of the harness
    return b"".join(out)


def compare(name, ours, theirs):
    """Ends the bench where the two do not say the same."""
    if name == "chunk":
        said = [words(each) for each in (ours, theirs)]
    else:
        said = [meaning(json.loads(each)) for each in (ours, theirs)]
    if said[0] != said[1] or not said[0]:
        raise SystemExit(f"translate.{name}: {str(said)[:2000]}")


def meaning(said):
    """What both translations must say: the words, the call and the image."""
    if "messages" not in said:
        return [(part["type"], part["text"]) for part in said["content"]]
    text = json.dumps(said["messages"])
    image = text[text.index("data:image/png;base64,") :].partition('"')[0]
    calls = [call for message in said["messages"] for call in message.get("tool_calls") or ()]
    return image, [(call["id"], json.loads(call["function"]["arguments"])) for call in calls], said["tools"]


def words(stream):
    """The text of a Messages stream."""
    data = [json.loads(line[6:]) for line in stream.split(b"\n") if line[:6] == b"data: "]
    return "".join(each["delta"].get("text", "") for each in data if "delta" in each)


def cpu(call, seconds):
    """CPU seconds of one call, over as many as fit in about `seconds`."""
    gc.collect()
    count, started = 0, time.process_time()
    while (took := time.process_time() - started) < seconds:
        for _ in range(10):
            call()
        count += 10
    return took / count


class Piece(msgspec.Struct):
    """What a typed parser without a hub form would read of a delta."""

    role: str | None = None
    content: str | None = None


class Choice(msgspec.Struct):
    """What it would read of a choice."""

    index: int
    delta: Piece
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    """What it would read of a chunk."""

    id: str
    model: str
    created: int
    choices: list[Choice]
    usage: dict[str, int] | None = None


CHUNK = msgspec.json.Decoder(Chunk)


def bare(slices):
    """Framing by blank lines and typed decoding, nothing else."""
    rest = b""
    for piece in slices:
        frames = (rest + piece).split(b"\n\n")
        rest = frames.pop()
        for frame in frames:
            if frame != b"data: [DONE]":
                CHUNK.decode(frame[6:])


def streams():
    """Reading and writing a stream beside bare parsing of the same bytes, and what its length costs in memory."""
    whole = b"".join(chat_stream(10_000))
    slices = [whole[at : at + SLICE] for at in range(0, len(whole), SLICE)]
    fast, slow = [], []
    for _ in range(ROUNDS):
        fast.append(cpu(lambda: bare(slices), 0.1))
        slow.append(cpu(lambda: translate_stream(slices), 0.1))
    ratio = statistics.median(fast) / statistics.median(slow)
    pair = Pair("anthropic_messages", "openai_chat")
    headers = (("content-type", "text/event-stream"),)
    slope = max(
        growth(lambda: Crossing(pair, 1 << 40, raw=False)),
        growth(lambda: Guarded("openai_chat", 200, headers, 1 << 40, counted=True)),
    )
    return [
        at_least("stream.reader_writer", ratio, "ratio", 0.4),
        fact("stream.reader_writer_us", statistics.median(slow) / 10_000 * 1e6, "us/event"),
        at_most("stream.memory_slope", slope, "bytes/event", 1),
    ]


def growth(make):
    """Bytes of peak memory for each event that a stream is longer: 100,000 against 10,000."""

    def peak(count):
        first, *pieces, finish, usage, done = chat_stream(1000)
        streaming = make()
        gc.collect()
        tracemalloc.start()
        streaming.feed(first)
        for at in range(count):
            streaming.feed(pieces[at % len(pieces)])
        for last in (finish, usage, done):
            streaming.feed(last)
        streaming.close(0.0)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100)
    return (peak(100_000) - peak(10_000)) / 90_000


def asks():
    """The core in this process beside a bare aiohttp POST to the same upstream."""
    with upstream() as port, asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(side_by_side(port))


async def side_by_side(port):
    """One at a time for what is added, 64 at a time for what passes."""
    url = f"http://127.0.0.1:{port}"
    own = f"{{url: '{url}', dialects: [openai_chat]}}"
    text = f"gateways: {{it: {{kind: embedded, models: [{MODEL}], providers: {{up: {own}}}}}}}"
    send = Send(ask=CHAT_ASK, dialect="openai_chat")
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        config = load(text, known({}), file="bench", environ={}, read_file=str).gateways["it"]
        clock = Clock(time.monotonic, time.time)
        ours = await client_core(stack, config, clock, lambda below: below - 1, Traffic(("up",)))

        async def through_core():
            async with ours.open(send) as answer:
                body = answer.whole
                return body if body is not None else await gather(answer.chunks(), 1 << 20)

        async def bare_post():
            async with session.post(url + CHAT, data=CHAT_ASK, headers={"content-type": "application/json"}) as answer:
                return await answer.read()

        calls = (bare_post, through_core)
        for call in calls:
            if await call() != CHAT_REPLY:
                raise SystemExit("the upstream's answer did not come through")
            await many(call, 64, 2000)
        waits, rates = {call: [] for call in calls}, {call: [] for call in calls}
        for _ in range(ROUNDS):
            for call in calls:
                waits[call].append(await median_wait(call, 300))
            for call in calls:
                rates[call].append(await many(call, 64, 2000))
    added = statistics.median(waits[through_core]) - statistics.median(waits[bare_post])
    share = statistics.median(rates[through_core]) / statistics.median(rates[bare_post])
    return [
        at_most("core.added_p50_ms", added * 1000, "ms", 0.10),
        fact("core.bare_p50_ms", statistics.median(waits[bare_post]) * 1000, "ms"),
        at_least("core.throughput_64", share, "ratio", 0.6),
        fact("core.throughput_64.requests", statistics.median(rates[through_core]), "req/s"),
    ]


async def median_wait(call, count):
    """The median seconds of `count` asks, one after the other."""
    waits = []
    for _ in range(count):
        started = time.perf_counter()
        await call()
        waits.append(time.perf_counter() - started)
    return statistics.median(waits)


async def many(call, width, count):
    """Asks a second, `width` of them under way."""

    async def work():
        for _ in range(count // width):
            await call()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(width)))
    return count // width * width / (time.perf_counter() - started)


BENCHES = {"core": core}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], BENCHES))
