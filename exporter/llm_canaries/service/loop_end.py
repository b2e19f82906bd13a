"""The mirror behind `loopback` models: ours where it is to `listen`, somebody else's at a `url`."""

from contextlib import AsyncExitStack

import aiohttp

from llm_canaries.canary.run import Mirrored
from llm_canaries.config.loopback import MirrorConfig
from llm_canaries.mirror.remote import RemoteMirror
from llm_canaries.mirror.server import Mirror, serving
from llm_canaries.proxy.clock import Clock
from llm_canaries.wire.script import MirrorGone

NO_MARK = "cnry-nobody"  # under which no mirror has anything: to ask whether there is one


class LoopEnd:
    """Serves one mirror for as long as the program wants the same one; a reload finds it where it was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stack = AsyncExitStack()
        self._own: tuple[str, str, Mirror] | None = None  # where it listens, its key, and it

    async def at(self, config: MirrorConfig | None, session: aiohttp.ClientSession) -> Mirrored | None:
        """The mirror of `config`; the one already there is taken where it answers with this key.

        Raises OSError where something else has taken the address.
        """
        key = config.key.get_secret_value() if config is not None else ""
        listen = config.listen if config is not None else None
        if self._own is not None and self._own[:2] != (listen, key):
            await self.close()
        if config is None:
            return None
        if listen is None:
            return RemoteMirror(session, str(config.url), key)
        if self._own is not None:
            return self._own[2]
        return await self._serve(listen, key, session)

    async def close(self) -> None:
        """Stops serving."""
        self._own = None
        await self._stack.aclose()

    async def _serve(self, listen: str, key: str, session: aiohttp.ClientSession) -> Mirrored:
        host, _, port = listen.rpartition(":")
        mirror = Mirror(self._clock, key)
        try:
            await self._stack.enter_async_context(serving(mirror, host.strip("[]"), int(port)))
        except OSError as taken:
            there = RemoteMirror(session, f"http://{_ANY.get(host, host)}:{port}", key)
            try:
                await there.seen(NO_MARK)
            except MirrorGone as gone:
                message = f"`mirror.listen`: {listen} cannot be listened at ({taken.strerror or taken}); {gone}"
                raise OSError(message) from None
            return there
        self._own = (listen, key, mirror)
        return mirror


_ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 # nobody can be reached at "any address"
