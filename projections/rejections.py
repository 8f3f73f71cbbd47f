"""Rejections: events that were accepted into the log and do not count, with their reasons, newest first."""

from collections.abc import Sequence

import asyncpg
import msgspec

from engine.spread import part_of
from projections.database import queries
from schemas.position import SEQ_MAX, Position

Q = queries("contests")
_LAST = (2**31 - 1, SEQ_MAX, SEQ_MAX)


class RejectionLine(msgspec.Struct, frozen=True):
    """One event that does not count. `player` is None where it is nobody's own; `field` and `reason` say why."""

    position: Position
    event: str
    player: str | None
    field: str
    reason: str


async def of_parts(
    pool: asyncpg.Pool,
    generations: Sequence[int],
    player: str | None,
    before: Position | None,
    bounds: Sequence[Position | None],
    limit: int,
) -> list[RejectionLine]:
    """The same of the generations of a game's parts, in the order of the parts and so of their shards.

    What is nobody's own every part says; here the first one does. `bounds` are positions that each part's have to lie before.
    """
    found: list[RejectionLine] = []
    for part, (generation_id, bound) in enumerate(zip(generations, bounds, strict=True)):
        last = before if len(generations) == 1 else _last_in(part, before)
        if bound is not None and (last is None or _moment(bound) < _moment(last)):
            last = bound
        held: list[RejectionLine] = []
        while len(held) < limit:
            wanted = limit - len(held)
            lines = await rejections(pool, generation_id, player, last, wanted)
            held += (line for line in lines if _home(line, len(generations)) == part)
            if len(lines) < wanted:
                break
            last = lines[-1].position
        found += held
    return sorted(found, key=lambda line: (_moment(line.position), line.position.shard), reverse=True)[:limit]


def _home(line: RejectionLine, parts: int) -> int:
    return 0 if line.player is None else part_of(line.player, parts)


def _moment(position: Position) -> tuple[int, int, int]:
    return position.epoch, position.ms, position.seq


def _last_in(shard: int, before: Position | None) -> Position | None:
    """Before which position of a shard everything lies that comes before one of another: by time, then by shard."""
    if before is None or shard >= before.shard:
        return before
    return before._replace(seq=before.seq + 1)


async def rejections(
    pool: asyncpg.Pool, generation_id: int, player: str | None, before: Position | None, limit: int
) -> list[RejectionLine]:
    """At most `limit` rejections of a generation that lie before a position, the newest first; `player`: only his."""
    last = _LAST if before is None else (before.epoch, before.ms, before.seq)
    if player is None:
        rows = await pool.fetch(Q["rejections"], generation_id, *last, limit)
    else:
        rows = await pool.fetch(Q["rejections_of_player"], generation_id, *last, limit, player)
    return [
        RejectionLine(
            Position(row["epoch"], row["shard"], row["ms"], row["seq"]),
            row["event"],
            row["player"],
            row["field"],
            row["reason"],
        )
        for row in rows
    ]
