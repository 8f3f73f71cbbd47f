"""What the API is compared with: an aiohttp handler that returns bytes which it was given, and does nothing else.

`python -m bench.bare PORT` reads one line of JSON, {"answers": {path: {"status": 200, "headers": {...}, "body": text}}}, serves
each answer at its path, to GET and POST, whose body it reads, and prints {"ready": ...}. uvloop, no access log, no middleware.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from aiohttp import web


def handler(status: int, headers: dict[str, str], body: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Returns these bytes, whatever was asked."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            await request.read()
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def main(port: int, answers: dict[str, Any]) -> None:
    """Serves until the process is stopped."""
    app = web.Application()
    for path, answer in answers.items():
        respond = handler(answer["status"], answer["headers"], answer["body"].encode())
        app.router.add_get(path, respond)
        app.router.add_post(path, respond)
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
