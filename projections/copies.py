"""What the fold needs of PostgreSQL for boards with segments by players' attributes: the attributes, and the segments' rows."""

from collections.abc import Awaitable, Callable

import asyncpg
import msgspec

from engine.fold import Fold
from engine.tables import Table
from projections.database import columns, queries
from schemas.events import Attributes

Q = queries("copies")
WRITER = queries("writer")
Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
Put = Callable[[Table, asyncpg.Record], None]
_decode = msgspec.json.Decoder(Attributes).decode


async def complete(fetch: Fetch, put: Put, generation_id: int, fold: Fold) -> set[Table]:
    """Loads what is left of the touched tables that can only be settled as a whole, and of all their copies."""
    names = {table.name[:2] for table in fold.incomplete()}
    if not names:
        return set()
    for row in await fetch(Q["rows_of_boards"], generation_id, *columns(list(names), 2)):
        table = fold.table(row["board"], row["period"], row["segment"])
        table.ranking_id = row["ranking_id"]
        put(table, row)
    completed = {table for table in fold.tables.values() if table.name[:2] in names}
    for table in completed:
        table.whole = True
    return completed


async def learn(
    fetch: Fetch, generation_id: int, fold: Fold, completed: set[Table], batch: int
) -> dict[Table, set[str]]:
    """Makes the attributes of the players who will be settled present; returns their rows in segments, by table."""
    settled = fold.settled(completed)
    unknown = fold.copies.traits.unknown(set().union(*settled.values()), batch)
    if unknown:
        rows = await fetch(Q["attributes"], generation_id, list(unknown))
        stored = {row["player"]: row["attributes"] for row in rows}
        for player in unknown:
            fold.copies.traits.learn(player, _decode(stored.get(player, "{}")))
    return fold.copies.wanted(settled)


async def load(fetch: Fetch, put: Put, needed: dict[Table, set[str]]) -> None:
    """Makes rows present, as far as memory lacks them; the tables have their ranking ids."""
    lacking = [
        (table.ranking_id, player)
        for table, players in needed.items()
        if not table.whole
        for player in players - table.rows.keys()
    ]
    by_id = {table.ranking_id: table for table in needed}
    for row in await fetch(WRITER["rows"], *columns(lacking, 2)) if lacking else ():
        put(by_id[row["ranking_id"]], row)


def leave_idle(fold: Fold, fresh: set[int]) -> set[int]:
    """Copies without a row are no rankings yet: takes the ids of those among `fresh` back, and returns them."""
    idle = [table for table in fold.tables.values() if table.idle and table.ranking_id in fresh]
    taken = {table.ranking_id for table in idle}
    for table in idle:
        table.ranking_id = 0
    return taken
