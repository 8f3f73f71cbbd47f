"""Replay: folds the archive of a game from nothing, and compares all that a generation holds with that. Writes nothing."""

import time
from typing import NamedTuple

import asyncpg

from engine.digest import Digest, digest_of, row_hash, says_nothing, total_of
from engine.fold import Fold
from engine.rules import Game
from engine.spread import owner
from engine.tables import Table
from projections import ledgers
from projections.archive import CHUNK, Archive, Progress
from projections.database import Connection, queries
from projections.ledgers import Kind
from schemas.errors import NotFound
from schemas.position import Position, Vector
from schemas.ruleset import parse

Q = queries("replay")
PEERS = queries("generations")["peers"]
DIFFERENCES_MAX = 20


class Difference(NamedTuple):
    """A row that the live projections hold otherwise than a replay; "-" where it is missing. `key` tells rows apart that are
    of no player, or of which he has several."""

    board: str
    period: str
    segment: str
    player: str
    live: str
    replayed: str
    kind: str = "standings"
    key: str = ""


class Verification(NamedTuple):
    """What `verify` found. The digests of the standings, and of each of the other `kinds`, are equal exactly when there are no
    differences in them."""

    events: int
    rows: int
    position: Position | Vector
    live_digest: str
    replayed_digest: str
    differences: list[Difference]
    seconds: float
    kinds: list[Kind]


async def verify(
    pool: asyncpg.Pool, name: str, progress: Progress, *, generation_id: int | None = None, part: int = 0
) -> Verification:
    """Compares a generation (None: the live one) with a fold of the archive from nothing, both as of one snapshot.

    Of a spread game that is one `part`.

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
        generation_id = row["generation_id"]
        total = await connection.fetchval(Q["count"], row["game_id"])
        fold = Fold(Game(parse(row["text"])), owner(row["part"], row["parts"]))
        archive = Archive(row["game_id"], fold, total, progress)
        await archive.read(connection, (row["epoch"], row["ms"], row["seq"]))
        fold.settle()
        digest, differences = await _compare(connection, generation_id, fold)
        kinds, unlike = await ledgers.compare(connection, generation_id, fold, DIFFERENCES_MAX)
    position = Position(row["epoch"], row["shard"], row["ms"], row["seq"])
    digests = str(digest), str(digest_of(fold) if differences else digest)
    for kind, (board, period, player, key), live, replayed in unlike:
        differences.append(Difference(board, period, "", player, live, replayed, kind, key))
    seconds = time.monotonic() - started
    return Verification(archive.events, digest.rows, position, *digests, differences, seconds, kinds)


async def verify_all(
    pool: asyncpg.Pool, name: str, progress: Progress, *, generation_id: int | None = None
) -> Verification:
    """`verify` of all parts of a game, with the digests of all rows together. Each part is compared where it is."""
    if generation_id is None:
        live = await pool.fetchrow(Q["live"], name, 0)
        generation_id = None if live is None else live["live_generation"]
    parts = await pool.fetch(PEERS, generation_id)
    if len(parts) < 2:
        return await verify(pool, name, progress, generation_id=generation_id)
    found = [await verify(pool, name, progress, generation_id=row["generation_id"]) for row in parts]
    return Verification(
        sum(each.events for each in found),
        sum(each.rows for each in found),
        Vector(each.position for each in found if isinstance(each.position, Position)),
        total_of(each.live_digest for each in found),
        total_of(each.replayed_digest for each in found),
        [difference for each in found for difference in each.differences][:DIFFERENCES_MAX],
        sum(each.seconds for each in found),
        ledgers.together([each.kinds for each in found]),
    )


async def _compare(connection: Connection, generation_id: int, fold: Fold) -> tuple[Digest, list[Difference]]:
    """The live digest, and the first rows that differ. Rows that are equal byte by byte are hashed only once."""
    digest = Digest()
    differences: list[Difference] = []
    seen: dict[Table, set[str]] = {table: set() for table in fold.tables.values()}
    async for row in connection.cursor(Q["rows"], generation_id, prefetch=CHUNK):
        board, period, segment, player, prefix, extra, state, hidden = row
        name = (board, period, segment)
        if says_nothing(prefix, state, hidden):
            continue
        digest.add_hashes((row_hash(name, player, prefix, extra, state, hidden),))
        table = fold.tables.get(name)
        mine = table.rows.get(player) if table is not None else None
        if table is None or mine is None:
            _differ(differences, (*name, player), _words(prefix, hidden, state), "-")
            continue
        seen[table].add(player)
        dumped = table.shape.dump(mine.state)
        if (prefix, extra, state, hidden) != (mine.prefix, mine.extra, dumped, mine.hidden):
            replayed = _words(mine.prefix, mine.hidden, dumped)
            _differ(differences, (*name, player), _words(prefix, hidden, state), replayed)
    for table, players in seen.items():
        if len(players) != len(table.rows):
            for player in table.rows.keys() - players:
                mine = table.rows[player]
                if says_nothing(mine.prefix, table.shape.dump(mine.state), mine.hidden):
                    continue
                replayed = _words(mine.prefix, mine.hidden, table.shape.dump(mine.state))
                _differ(differences, (*table.name, player), "-", replayed)
    return digest, differences


def _differ(differences: list[Difference], where: tuple[str, str, str, str], live: str, replayed: str) -> None:
    if len(differences) < DIFFERENCES_MAX:
        differences.append(Difference(*where, live, replayed))


def _words(prefix: bytes | None, hidden: bytes | None, state: bytes) -> str:
    place = "not ranked" if prefix is None else prefix.hex()
    if hidden is not None:
        place = f"hidden {hidden.hex()}"
    return f"{place} {state.decode('utf-8', 'replace')[:200]}"
