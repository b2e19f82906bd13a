"""The least that a gateway on aiohttp and uvloop does: a body in, the same body out. Nothing is asked of it.

Arguments: the port to listen on, the upstream's port.
"""

import asyncio
import gc
import sys

import aiohttp
from aiohttp import web

from llm_canaries.cli.loop import loop_factory


async def main(port, upstream):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def passed(request):
            if request.method == "GET":
                return web.Response()  # it is up
            url, body = f"http://127.0.0.1:{upstream}{request.path}", await request.read()
            async with session.post(url, data=body, headers={"content-type": request.content_type}) as answer:
                kind = {"content-type": answer.headers["content-type"]}
                return web.Response(status=answer.status, body=await answer.read(), headers=kind)

        runner = web.ServerRunner(web.Server(passed, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        gc.collect()
        gc.freeze()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main(*sys.argv[1:]))
