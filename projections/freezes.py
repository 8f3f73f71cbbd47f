"""Freezes: what readers see of which boards only as it stood at a position of the log.

The events change nothing in the fold. The shard's writer keeps them in a table, in the version of a batch of their own, and
from then on leaves the rankings that they hold alone in Redis; readers see those as of that version.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from engine.tables import Table
from projections.database import Connection, columns, queries
from schemas.events import Close, Thaw
from schemas.events import Freeze as FreezeEvent
from schemas.position import Position

if TYPE_CHECKING:
    from projections.batch import LiveGame

Q = queries("freezes")


Held = dict[tuple[str, str, bool], int]
"""Since which versions a board (or every one, empty) is frozen, or (True) closed, in a period (or every one, empty)."""


class Freeze(NamedTuple):
    """One freeze: of a board in a period, empty for all of them. `until` is the position of the thaw that ended it.

    One that is `final` is a close.

    `generation_id` is the generation that was live then; None when its rows are gone.
    """

    game_id: int
    board: str
    period: str
    version: int
    position: Position
    until: Position | None
    final: bool
    generation_id: int | None

    def holds(self, board: str, period: str) -> bool:
        """Whether it is about a copy of a board."""
        return self.board in ("", board) and self.period in ("", period)


class Line(NamedTuple):
    """A freeze or thaw that a batch writes."""

    game_id: int
    event: FreezeEvent | Thaw | Close
    position: Position


async def write(connection: Connection, version: int, lines: Iterable[Line]) -> None:
    """Stores what the events of a batch say."""
    for game_id, event, position in lines:
        what = game_id, event.board or "", event.period or "", version, *position
        if isinstance(event, Thaw):
            await connection.execute(Q["thaw"], *what)
        else:
            await connection.execute(Q["freeze"], *what, isinstance(event, Close))


Closed = tuple[int, dict[tuple[str, str], Position]]
"""A generation, and all that is closed in it."""


def closes_of(live: "LiveGame") -> list[Closed]:
    """What is closed in a game, if that has changed since this was asked last."""
    closes = live.fold.closes
    changed, closes.changed = closes.changed, False
    return [(live.generation_id, dict(closes.held))] if changed else []


async def write_closes(connection: Connection, closes: Iterable[Closed]) -> None:
    """Stores what is closed in generations, whatever was so before."""
    for generation_id, held in closes:
        await connection.execute(Q["forget_closes"], generation_id)
        lines = [(generation_id, board, period, *position) for (board, period), position in held.items()]
        if lines:
            await connection.execute(Q["close"], *columns(lines, 7))


async def load(fetch: Any, games: "list[LiveGame]") -> None:
    """Makes present what is frozen of games as the writer holds them."""
    found: dict[int, Held] = {}
    rows = await fetch(Q["active"], [live.game_id for live in games]) if games else ()
    for game_id, board, period, final, version in rows:
        found.setdefault(game_id, {})[board, period, final] = version
    folds = {live.generation_id: live.fold for live in games}
    for live in games:
        live.frozen = {} if live.is_shadow else found.get(live.game_id, {})
    for generation_id, board, period, *place in await fetch(Q["closed"], list(folds)) if games else ():
        folds[generation_id].closes.held[board, period] = Position(*place)


def pinned(held: Held, tables: Iterable[Table]) -> set[int]:
    """The rankings that are frozen."""
    found = set()
    for table in tables:
        board, period, _ = table.name
        names = (board, period), (board, ""), ("", period), ("", "")
        if any((*name, final) in held for name in names for final in (False, True)):
            found.add(table.ranking_id)
    return found


def follow(held: Held, event: FreezeEvent | Thaw | Close, version: int) -> None:
    """Brings the freezes of a game up to date with an event."""
    board, period = event.board or "", event.period or ""
    if not isinstance(event, Thaw):
        held.setdefault((board, period, isinstance(event, Close)), version)
        return
    for one in [key for key in held if board in ("", key[0]) and period in ("", key[1])]:
        del held[one]


async def known(connection: Any) -> list[Freeze]:
    """All that hold, and those that ended a moment ago: what shows that may be behind the thaw."""
    return [_freeze(row) for row in await connection.fetch(Q["known"])]


def earliest(held: list[Freeze], board: str, period: str) -> Freeze | None:
    """Of several freezes of a copy of a board the first one tells what is shown."""
    return min((freeze for freeze in held if freeze.holds(board, period)), key=lambda each: each.version, default=None)


async def during(connection: Any, game_id: int, version: int) -> list[Freeze]:
    """Those of a game that held in a version."""
    return [_freeze(row) for row in await connection.fetch(Q["during"], game_id, version)]


async def token(connection: Any) -> int:
    """Another number whenever a freeze has begun or ended."""
    found: int = await connection.fetchval(Q["token"])
    return found


def _freeze(row: asyncpg.Record) -> Freeze:
    ended = row["to_version"] is not None
    until = Position(row["until_epoch"], row["until_shard"], row["until_ms"], row["until_seq"]) if ended else None
    position = Position(row["epoch"], row["shard"], row["ms"], row["seq"])
    return Freeze(
        row["game_id"],
        row["board"],
        row["period"],
        row["from_version"],
        position,
        until,
        row["final"],
        row["generation_id"],
    )
