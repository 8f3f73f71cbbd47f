"""What was displayed when: the publication that a time or a position stands for, and the generation that was live then."""

from datetime import datetime
from typing import NamedTuple

import asyncpg

from projections.database import queries
from schemas.position import Position

Q = queries("snapshots")
NOW = (1 << 62) - 1
"""Stands for a version behind all others."""


class Moment(NamedTuple):
    """A version of a shard's publications, the position that it shows, and when it was committed.

    `generation_id` is None for a game that did not exist then.
    """

    version: int
    position: Position
    committed_at: datetime
    generation_id: int | None


class Future(Exception):
    """The time or position has not come yet, or never will for this game."""


class Gone(Exception):
    """What was displayed then is kept no longer."""


async def moment_of(pool: asyncpg.Pool, game_id: int, when: datetime | Position) -> Moment | None:
    """The last publication up to and with `when`; None before the first one. Raises Future or Gone."""
    if isinstance(when, Position):
        row = await pool.fetchrow(Q["by_position"], game_id, when.epoch, when.ms, when.seq)
    else:
        row = await pool.fetchrow(Q["by_time"], game_id, when)
    if row is None or row["future"] or _elsewhere(when, row):
        raise Future
    if row["version"] is None or row["version"] < row["kept_from"]:
        if row["kept_from"]:
            raise Gone
        return None
    span = await pool.fetchrow(Q["span"], game_id, row["version"])
    if span is not None and span["generation_id"] is None:
        raise Gone
    position = Position(row["epoch"], row["shard"], row["ms"], row["seq"])
    return Moment(row["version"], position, row["committed_at"], None if span is None else span["generation_id"])


def _elsewhere(when: datetime | Position, row: asyncpg.Record) -> bool:
    """Whether a position lies on a shard on which the game did not live then."""
    return isinstance(when, Position) and when.epoch == row["epoch"] and when.shard != row["shard"]


async def moment_at(pool: asyncpg.Pool, game_id: int, version: int) -> Moment | None:
    """The publication of a version; None when it is kept no longer."""
    row = await pool.fetchrow(Q["by_version"], game_id, version)
    span = await pool.fetchrow(Q["span"], game_id, version)
    if row is None or span is None:
        return None
    position = Position(row["epoch"], row["shard"], row["ms"], row["seq"])
    return Moment(version, position, row["committed_at"], span["generation_id"])


async def rounds_of(pool: asyncpg.Pool, game_id: int, board: str, version: int) -> list[tuple[str, int]]:
    """The rounds that a board has displayed up to a version, each with the version that it began in; the newest first."""
    return [(row["period"], row["began"]) for row in await pool.fetch(Q["rounds"], game_id, board, version)]
