"""Epochs of the log: how many shards it has. PostgreSQL is what counts; settings only say how many a new log begins with."""

from typing import NamedTuple

import asyncpg

from projections.database import Connection, queries

Q = queries("epochs")


class Epoch(NamedTuple):
    """`opened` is false while a change of the number of shards is under way: nothing is appended over HTTP then."""

    number: int
    shards: int
    opened: bool


async def latest(connection: Connection | asyncpg.Pool) -> Epoch | None:
    """The present epoch; None for a log that never had a consumer."""
    row = await connection.fetchrow(Q["latest"])
    return None if row is None else Epoch(*row)


async def begin(connection: Connection | asyncpg.Pool, shards: int) -> Epoch:
    """The present epoch, which is the first one when there is none yet: it has so many shards."""
    found = await latest(connection)
    if found is None:
        await connection.execute(Q["first"], shards)
        found = await latest(connection)
    assert found is not None
    return found


async def streams(connection: Connection | asyncpg.Pool, shards: int) -> int:
    """How many streams consumers read: all that ever were shards."""
    count: int = await connection.fetchval(Q["streams"], shards)
    return count
