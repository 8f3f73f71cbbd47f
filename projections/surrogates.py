"""The erasing of a player as the shard writer does it: the live rows get his surrogate in the erasing event's transaction.

What archived events say of him stays until `projections.erasure` rewrites them.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

import asyncpg
import msgspec

from engine.contests import Contest
from engine.erasure import takes_part, without_in_text
from engine.fold import Fold
from engine.tables import Table
from projections.database import Connection, columns, queries
from projections.rankings import Places
from schemas.position import Position

Q = queries("erasure")
Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
_RENAMES = (
    "rename_standings",
    "rename_history",
    "rename_dues",
    "rename_picks",
    "rename_badges",
    "rename_player",
)
_decode_contest = msgspec.json.Decoder(Contest).decode


class Erasing(NamedTuple):
    """One erasing event: of which game and generation, of whom, where in the log, and who he is from then on."""

    game_id: int
    generation_id: int
    player: str
    position: Position
    surrogate: str


async def load_contests_naming(fetch: Fetch, generation_id: int, fold: Fold, player: str) -> list[Contest]:
    """Makes the contests present in which a player takes part, and returns them."""
    needle = msgspec.json.encode(player)
    for fixture, state in await fetch(Q["contests_naming"], generation_id, needle):
        if fixture not in fold.contests:
            fold.contests[fixture] = _decode_contest(state)
    return [contest for contest in fold.contests.values() if takes_part(contest, player)]


def places(fold: Fold, erasing: Erasing) -> Iterator[tuple[Table, Places, Places]]:
    """What each ranking of a player has to show now: (table, places, hidden places)."""
    after = erasing.surrogate
    for table in fold.tables.values():
        row = table.rows.get(after)
        if row is not None:
            gone: Places = {erasing.player: (None, b"")}
            yield table, {**gone, after: (row.prefix, row.extra)}, {**gone, after: (row.hidden, row.extra)}


async def rename(connection: Connection, erasing: Erasing) -> None:
    """Renames the stored rows of a player in one generation."""
    after = erasing.surrogate
    for name in _RENAMES:
        await connection.execute(Q[name], erasing.generation_id, erasing.player, after)
    await connection.execute(Q["renamed"], erasing.generation_id, erasing.player)
    rows = await connection.fetch(Q["rejections_of"], erasing.generation_id, erasing.player)
    if rows:
        names = {erasing.player: after}
        lines = [(*place, without_in_text(reason, names)) for *place, reason in map(tuple, rows)]
        await connection.execute(Q["rename_rejections"], erasing.generation_id, after, *columns(lines, 5))


async def write(connection: Connection, erasings: list[Erasing]) -> None:
    """Renames the stored rows of a player in each generation, and remembers what is left to do.

    Generations that do not follow the log keep them as they are, and catch up from there; readers are shown the surrogate.
    """
    for erasing in erasings:
        await rename(connection, erasing)
    first = erasings[0]
    await connection.execute(Q["record"], first.game_id, *first.position, first.player, first.surrogate)
