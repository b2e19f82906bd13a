"""A provider that costs nearly nothing: one fixed answer to each POST, on as little HTTP as its clients need.

Run as a program it prints its port and answers until its standard input ends.
"""

import asyncio
import sys

from payloads import CHAT_REPLY

from llm_canaries.cli.loop import loop_factory

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(CHAT_REPLY),
    CHAT_REPLY,
)


class Answering(asyncio.Protocol):
    """One connection, kept alive; requests are counted by their framing and not otherwise read."""

    def __init__(self):
        self._held = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._held += data
        while (end := whole(self._held)) > 0:
            self._held = self._held[end:]
            self._transport.write(ANSWER)


def whole(held):
    """Where the first request in `held` ends, 0 where it has not come whole."""
    head = held.find(b"\r\n\r\n") + 4
    if head < 4:
        return 0
    fields = dict(line.partition(b":")[::2] for line in held[:head].lower().split(b"\r\n")[1:])
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        last = held.find(b"0\r\n\r\n", head)
        return last + 5 if last >= 0 else 0
    end = head + int(fields.get(b"content-length", b"0"))
    return end if end <= len(held) else 0


async def main():
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())
