"""Replay: folds the archive of a game from nothing, and compares all that a generation holds with that. Writes nothing."""

import time
from contextlib import nullcontext
from typing import NamedTuple

import asyncpg

from projections import verifying
from projections.archive import Progress
from projections.database import ARCHIVE_S, Connection, queries
from projections.ledgers import Kind
from projections.verifying import Difference, Task
from projections.workers import Workers
from schemas.errors import NotFound
from schemas.position import Position, Vector

Q = queries("replay")
PEERS = queries("generations")["peers"]


class Verification(NamedTuple):
    """What `verify` found. The digests of the standings, and of each of the other `kinds`, are equal exactly when there are no
    differences in them."""

    events: int
    position: Position | Vector
    seconds: float
    rows: int
    live_digest: str
    replayed_digest: str
    differences: list[Difference]
    kinds: list[Kind]


async def verify(
    pool: asyncpg.Pool,
    name: str,
    progress: Progress,
    *,
    generation_id: int | None = None,
    part: int = 0,
    workers: Workers | None = None,
) -> Verification:
    """Compares a generation (None: the live one) with a fold of the archive from nothing, both as of one snapshot.

    Of a spread game that is one `part`. `workers` take shares of a large archive, if its rules allow that.

    One that follows the log is compared as of where it is now, any other as of where it stopped. Raises NotFound.
    """
    started = time.monotonic()
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        row = await connection.fetchrow(Q["generation"], name, generation_id, part)
        if row is None:
            raise NotFound("game", name) if generation_id is None else NotFound("generation", str(generation_id))
        crew = workers if workers is not None and await workers.may_share(connection, name, row) else None
        found = None
        # They start while the events are counted.
        async with nullcontext() if crew is None else crew.standing_by():
            task, apart = await _task(connection, row)
            if crew is not None and await crew.take(connection, task, apart):
                found = await crew.compare(connection, task, progress)
        if found is None or found.live_digest != found.replayed_digest:
            # Which rows differ tells only who has folded everything.
            found = await verifying.compare(connection, task, progress)
    position = Position(row["epoch"], row["shard"], row["ms"], row["seq"])
    return Verification(task.events, position, time.monotonic() - started, *found)


async def _task(connection: Connection, row: asyncpg.Record) -> tuple[Task, int]:
    """What is to be compared, and how many of its events are found by no subject."""
    upto = row["epoch"], row["ms"], row["seq"]
    [told] = await connection.fetch(Q["told"], row["game_id"], *upto, timeout=ARCHIVE_S)
    what = row["game_id"], row["generation_id"], row["text"], row["part"], row["parts"]
    return Task(*what, upto, told["events"], told["ms"] or 0), told["apart"]


async def verify_all(
    pool: asyncpg.Pool,
    name: str,
    progress: Progress,
    *,
    generation_id: int | None = None,
    workers: Workers | None = None,
) -> Verification:
    """`verify` of all parts of a game, with the digests of all rows together. Each part is compared where it is."""
    if generation_id is None:
        live = await pool.fetchrow(Q["live"], name, 0)
        generation_id = None if live is None else live["live_generation"]
    parts = await pool.fetch(PEERS, generation_id)
    if len(parts) < 2:
        return await verify(pool, name, progress, generation_id=generation_id, workers=workers)
    each = [await verify(pool, name, progress, generation_id=row["generation_id"]) for row in parts]
    position = Vector(part.position for part in each if isinstance(part.position, Position))
    found = verifying.together([verifying.Found(*part[3:]) for part in each])
    return Verification(sum(part.events for part in each), position, sum(part.seconds for part in each), *found)
