"""Epochs of the log: how many shards it has. PostgreSQL is what counts; settings only say how many a new log begins with."""

from typing import NamedTuple

import asyncpg

from projections.database import Connection, queries
from schemas.errors import RankfoldError

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


async def lock_home(connection: Connection, game_id: int, shard: int) -> asyncpg.Record:
    """Holds the writer of a game's shard up until the transaction's end; the shard's state.

    Raises RankfoldError when the game does not live there any more.
    """
    row = await connection.fetchrow(Q["lock_shard"], shard)
    if row is None or await connection.fetchval(Q["home"], game_id) != shard:
        raise RankfoldError("the game has moved to another shard meanwhile; start again")
    return row
