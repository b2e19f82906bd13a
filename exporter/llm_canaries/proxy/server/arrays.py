"""A Gemini stream for clients that did not ask for events: the same values as one JSON array (protocols.md A4)."""

from collections.abc import AsyncIterator

from llm_canaries.wire.sse import Decoder


async def as_array(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of each event as an element, as soon as it is there."""
    decoder, opened = Decoder(), False
    async for chunk in chunks:
        for frame in decoder.feed(chunk):
            if frame.data:
                yield (b",\r\n" if opened else b"[") + frame.data.encode()
                opened = True
    for frame in decoder.close():
        if frame.data:
            yield (b",\r\n" if opened else b"[") + frame.data.encode()
            opened = True
    yield b"]" if opened else b"[]"
