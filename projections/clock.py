"""Clocks of games and places that change as time passes, in PostgreSQL. Boards that do not go by the clock have no line here.

The clock of a generation is stored when it comes to another local day, in the transaction of the batch that took it there.
Every row that is due by then is settled in that batch, so after each commit all that is due lies in the future.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg

from engine.clock import FAR
from engine.fold import Fold
from engine.tables import Change, Table
from projections.database import Connection, columns, queries

Q = queries("clock")
Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]


class ClockLines:
    """What one transaction writes of clocks, and of when rows are due."""

    def __init__(self) -> None:
        self._dues: list[tuple[int, str, int | None]] = []
        self._clocks: list[tuple[int, int]] = []

    def take(self, table: Table, changes: Iterable[Change]) -> None:
        """Collects when changed rows are due, if their board goes by the clock. Needs the table's ranking id."""
        if table.shape.clocked:
            self._dues += [(table.ranking_id, change.player, change.row.due) for change in changes]

    def take_clock(self, generation_id: int, fold: Fold) -> None:
        """Collects the clock of a generation."""
        if fold.game.clocked and fold.clock > -FAR:
            self._clocks.append((generation_id, fold.clock))

    def take_all(self, generation_id: int, fold: Fold) -> None:
        """Collects everything of a generation whose rows are all in memory."""
        self.take_clock(generation_id, fold)
        for table in fold.tables.values():
            if table.shape.clocked:
                rows = table.rows.items()
                self._dues += [(table.ranking_id, player, row.due) for player, row in rows if row.due is not None]

    async def write(self, connection: Connection) -> None:
        """Writes what was collected."""
        if self._dues:
            await connection.execute(Q["set_dues"], *columns(self._dues, 3))
        if self._clocks:
            await connection.execute(Q["set_clocks"], *columns(self._clocks, 2))


async def load_due(
    fetch: Fetch, put: Callable[[Table, asyncpg.Record], None], generation_id: int, fold: Fold, batch: int
) -> bool:
    """When another local day has begun in a game: has the rows that are due settled. Returns whether one has.

    `fetch` runs a query, `put` makes a row of `standings` present in its table.
    """
    if not fold.new_day():
        return False
    for row in await fetch(Q["due_rows"], generation_id, fold.clock):
        table = fold.table(row["board"], row["period"], row["segment"])
        table.ranking_id = row["ranking_id"]
        if row["player"] not in table.rows:
            put(table, row)
        fold.expire(table, row["player"], batch)
    return True


def resume(fold: Fold, clock_ms: Any) -> None:
    """Gives a fold whose rows are stored the clock that was stored with them."""
    if clock_ms is not None:
        fold.pass_time(clock_ms)
        fold.new_day()
