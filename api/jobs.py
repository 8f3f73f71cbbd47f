"""Jobs over HTTP: work that takes longer than a client should wait. This process does it; every process tells of it.

`Jobs.start` begins one: `job = await jobs.start(game, "preview", work)`, where `work(progress)` returns a value for JSON and
calls `progress(done, total)` as it goes on; `accepted(job)` is the answer to the client.
"""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from api.params import parameters, target
from api.problems import RefusedError
from api.response import NO_STORE, Ready, json_response
from projections import jobs
from projections.database import AWAY
from projections.tasks import end
from schemas.errors import NotFound, RankfoldError, Unavailable

Progress = Callable[[int, int], None]
"""Called with (done, total) now and then."""

Work = Callable[[Progress], Awaitable[Any]]
AT_ONCE = 2
"""So many jobs does a process work on; others wait."""

HELD_MAX = 32
"""So many of a kind does it hold, with those that wait: each keeps a request, and tells the database every second that it is
there."""

BEAT_S = 1.0
_JOB = re.compile(r"[A-Za-z0-9_-]{24}")
_encode = msgspec.json.Encoder().encode
log = logging.getLogger("rankfold.api")


class Job(msgspec.Struct, frozen=True):
    """How a job is going: running, done or failed. `result` is what was asked for; `error` says why there is none."""

    job: str
    game: str
    kind: str
    state: jobs.State
    done: int
    total: int
    result: Any = None
    error: str | None = None


class Jobs:
    """The jobs of this process, and the handler that tells of all."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: Counter[str] = Counter()

    async def start(self, game: str, kind: str, work: Work) -> Job:
        """Begins a job; raises Unavailable when this process takes no more of the kind."""
        if self._held[kind] >= HELD_MAX:
            raise Unavailable(f"{HELD_MAX} jobs of this kind are under way or waiting; the same call may succeed later")
        self._held[kind] += 1
        try:
            job_id = await jobs.create(self._pool, game, kind)
        except BaseException:
            self._held[kind] -= 1
            raise
        task = asyncio.create_task(self._run(job_id, work))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, kind))
        return Job(job_id, game, kind, "running", 0, 0)

    def _ended(self, task: asyncio.Task[None], kind: str) -> None:
        self._tasks.discard(task)
        self._held[kind] -= 1

    async def stop(self) -> None:
        """Breaks off what is under way."""
        await end(self._tasks)

    async def job(self, request: web.Request) -> Ready:
        """GET /v1/jobs/{job}. Who knows a job's id has started it, or was told it."""
        (_, _, _, job_id), query = target(request)
        parameters(query)
        found = await jobs.find(self._pool, job_id) if _JOB.fullmatch(job_id) else None
        if found is None:
            raise NotFound("job", job_id)
        result = None if found.result is None else msgspec.Raw(found.result)
        job = Job(*found[:3], found.state, found.done, found.total, result, found.error)
        return json_response(job, headers=NO_STORE)

    async def _run(self, job_id: str, work: Work) -> None:
        counts = [0, 0]

        def progress(done: int, total: int) -> None:
            counts[:] = done, total

        beating = asyncio.create_task(self._beat(job_id, counts))
        try:
            async with self._slots:
                result = _encode(await work(progress))
            await end([beating])
            await jobs.beat(self._pool, job_id, *counts)
            await jobs.finish(self._pool, job_id, result)
        except (RankfoldError, RefusedError) as error:
            await jobs.fail(self._pool, job_id, str(error))
        except asyncio.CancelledError:
            await jobs.fail(self._pool, job_id, "the process that did it was stopped; ask again")
            raise
        except Exception:
            log.exception("job failed", extra={"job": job_id})
            await jobs.fail(self._pool, job_id, "an unexpected error; the log tells more")
        finally:
            await end([beating])

    async def _beat(self, job_id: str, counts: list[int]) -> None:
        """Says how far a job is, as long as it runs."""
        told = monotonic()
        while True:
            await asyncio.sleep(max(0.0, told + BEAT_S - monotonic()))
            told = monotonic()
            try:
                await jobs.beat(self._pool, job_id, *counts)
            except AWAY:
                # A job that nobody hears of for long is taken for dead; its result may still come.
                log.info("a job's progress is not told for now", extra={"job": job_id})


def accepted(job: Job) -> Ready:
    """The answer to who started a job: where to ask for it."""
    return json_response(job, status=202, headers=NO_STORE + b"Location: /v1/jobs/" + job.job.encode() + b"\r\n")
