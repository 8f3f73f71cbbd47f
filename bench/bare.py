"""What the API is compared with: an aiohttp handler that returns bytes which it was given, and does nothing else.

`python -m bench.bare PORT` reads one line of JSON, {"answers": {path: {"headers": {...}, "body": text}}}, serves each
answer at its path, and prints {"ready": ...}. uvloop, no access log, no middleware.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from aiohttp import web


def handler(headers: dict[str, str], body: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Returns these bytes, whatever was asked."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    return answer


async def main(port: int, answers: dict[str, Any]) -> None:
    """Serves until the process is stopped."""
    app = web.Application()
    for path, answer in answers.items():
        app.router.add_get(path, handler(answer["headers"], answer["body"].encode()))
    # The same as the API does for itself.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    print(json.dumps({"ready": list(answers)}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), json.loads(sys.stdin.readline())["answers"]))
