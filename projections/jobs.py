"""Jobs: long work that one process does and every process can tell of. Their state is in PostgreSQL, an hour long."""

import secrets
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import asyncpg

from projections.database import queries

Q = queries("jobs")
KEPT = timedelta(hours=1)
SILENT = timedelta(seconds=30)
"""A running job that has not been heard of for so long has lost its process."""

State = Literal["running", "done", "failed"]


class JobState(NamedTuple):
    """A job as it is. `result` is JSON; `error` says in words why it failed."""

    job_id: str
    game: str
    kind: str
    state: State
    done: int
    total: int
    result: bytes | None
    error: str | None
    created_at: datetime


async def create(pool: asyncpg.Pool, game: str, kind: str) -> str:
    """A new job, and its id, which nobody can guess. Jobs that have been kept for long enough go."""
    await forget(pool)
    job_id = secrets.token_urlsafe(18)
    await pool.execute(Q["new"], job_id, game, kind)
    return job_id


async def forget(pool: asyncpg.Pool) -> None:
    """Jobs that have been kept for long enough go: what came of them may name players who have been erased since."""
    await pool.execute(Q["forget"], KEPT)


async def running(pool: asyncpg.Pool, game: str, kind: str) -> str | None:
    """The id of a job of this kind that is under way for a game; None when there is none."""
    found: str | None = await pool.fetchval(Q["running"], game, kind, SILENT)
    return found


async def beat(pool: asyncpg.Pool, job_id: str, done: int, total: int) -> None:
    """Says that it goes on, and how far it is."""
    await pool.execute(Q["beat"], job_id, done, total)


async def finish(pool: asyncpg.Pool, job_id: str, result: bytes) -> None:
    """Stores the result, JSON."""
    await pool.execute(Q["finish"], job_id, result)


async def fail(pool: asyncpg.Pool, job_id: str, error: str) -> None:
    """Says why there is no result."""
    await pool.execute(Q["fail"], job_id, error)


async def find(pool: asyncpg.Pool, job_id: str) -> JobState | None:
    """A job by its id; None when there is none, or none any more."""
    row = await pool.fetchrow(Q["find"], job_id, SILENT)
    if row is None:
        return None
    state, error = row["state"], row["error"]
    if state == "running" and row["silent"]:
        state, error = "failed", "the process that did it is gone; ask again"
    return JobState(
        job_id, row["game"], row["kind"], state, row["done"], row["total"], row["result"], error, row["created_at"]
    )
