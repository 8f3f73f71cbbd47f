"""Verification of one generation, or of a share of its players: the archive is folded from nothing, and what the generation
holds compared with that, row by row. Writes nothing."""

import asyncio
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from engine.digest import Digest, digest_of, says_nothing, total_of, whole_of
from engine.fold import Fold
from engine.rules import Game
from engine.shapes import Row
from engine.spread import owner
from engine.tables import Table, TableName
from projections import ledgers
from projections.archive import CHUNK, Archive, Progress
from projections.database import ARCHIVE_S, Connection, pieces, queries
from projections.ledgers import Kind
from projections.share import WHOLE, Share
from schemas.ruleset import parse

Q = queries("replay")
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


class Task(msgspec.Struct, frozen=True):
    """What is to be compared: a generation of a game, or of a part of one, as of an entry.

    `text` are its rules, `events` how many it has, `clock_ms` is when the last one came.
    """

    game_id: int
    generation_id: int
    text: str
    part: int
    parts: int
    upto: tuple[int, int, int]
    events: int
    clock_ms: int


class Found(NamedTuple):
    """What a comparison found. The first share tells the rows and the digest of all that is held, the others of none."""

    rows: int
    live_digest: str
    replayed_digest: str
    differences: list[Difference]
    kinds: list[Kind]


async def compare(connection: Connection, task: Task, progress: Progress, share: Share = WHOLE) -> Found:
    """Folds and compares. What the connection reads has to stand still meanwhile.

    PostgreSQL makes the digest of the standings that it holds, and their rows are read only if that is not the fold's. Of
    shares the first one asks for the digest of everything, and none reads rows: who has a share cannot tell what differs.
    """
    owns = owner(task.part, task.parts) if share is WHOLE else share.owns
    fold = Fold(Game(parse(task.text)), owns)
    await Archive(task.game_id, fold, task.events, progress, share=share).read(connection, task.upto)
    fold.pass_time(task.clock_ms)
    for _ in fold.settling():
        pass
    if share.number:
        live, replayed = Digest(), digest_of(fold)
    else:
        live, replayed = await _digests(connection, task.generation_id, fold)
    differences: list[Difference] = []
    if share is WHOLE and str(live) != str(replayed):
        differences = await _unlike(connection, task.generation_id, fold)
    kinds, unlike = await ledgers.compare(connection, task.generation_id, fold, DIFFERENCES_MAX, share)
    for kind, (board, period, player, key), stored, other in unlike:
        differences.append(Difference(board, period, "", player, stored, other, kind, key))
    return Found(live.rows, str(live), str(replayed), differences, kinds)


def together(each: Sequence[Found]) -> Found:
    """What the comparisons of all shares, or of all parts, found."""
    return Found(
        sum(found.rows for found in each),
        total_of(found.live_digest for found in each),
        total_of(found.replayed_digest for found in each),
        list(chain.from_iterable(found.differences for found in each))[:DIFFERENCES_MAX],
        ledgers.together([found.kinds for found in each]),
    )


async def _digests(connection: Connection, generation_id: int, fold: Fold) -> tuple[Digest, Digest]:
    """(live, replayed): PostgreSQL hashes the rows that it holds while those of the fold are hashed here."""
    statement = await connection.prepare(Q["digest"])
    # Prepared, it is sent at once.
    asked = asyncio.ensure_future(statement.fetch(generation_id, timeout=ARCHIVE_S))
    await asyncio.sleep(0)
    replayed = digest_of(fold)
    [row] = await asked
    return Digest(row["rows"], whole_of(int(row["high"]), int(row["low"]))), replayed


class _Ranking(NamedTuple):
    """A stored ranking, the one that was folded, and whose rows of that were met."""

    name: TableName
    folded: Table | None
    rows: dict[str, Row]
    met: set[str]


async def _unlike(connection: Connection, generation_id: int, fold: Fold) -> list[Difference]:
    """The first rows that differ."""
    differences: list[Difference] = []
    rankings: dict[int, _Ranking] = {}
    for ranking_id, board, period, segment in await connection.fetch(Q["rankings"], generation_id):
        name = (board, period, segment)
        table = fold.tables.get(name)
        rankings[ranking_id] = _Ranking(name, table, {} if table is None else table.rows, set())
    async for rows in pieces(connection, Q["standings"], generation_id, size=CHUNK):
        for ranking_id, player, prefix, extra, state, hidden in rows:
            if says_nothing(prefix, state, hidden):
                continue
            name, table, folded, met = rankings[ranking_id]
            mine = folded.get(player)
            if table is None or mine is None:
                _differ(differences, (*name, player), _words(prefix, hidden, state), "-")
                continue
            met.add(player)
            dumped = table.shape.dump(mine.state)
            if (prefix, extra, state, hidden) != (mine.prefix, mine.extra, dumped, mine.hidden):
                replayed = _words(mine.prefix, mine.hidden, dumped)
                _differ(differences, (*name, player), _words(prefix, hidden, state), replayed)
    stored = {ranking.name: ranking.met for ranking in rankings.values()}
    for table in fold.tables.values():
        for player in table.rows.keys() - stored.get(table.name, set()):
            mine = table.rows[player]
            dumped = table.shape.dump(mine.state)
            if not says_nothing(mine.prefix, dumped, mine.hidden):
                _differ(differences, (*table.name, player), "-", _words(mine.prefix, mine.hidden, dumped))
    return differences


def _differ(differences: list[Difference], where: tuple[str, str, str, str], live: str, replayed: str) -> None:
    if len(differences) < DIFFERENCES_MAX:
        differences.append(Difference(*where, live, replayed))


def _words(prefix: bytes | None, hidden: bytes | None, state: bytes) -> str:
    place = "not ranked" if prefix is None else prefix.hex()
    if hidden is not None:
        place = f"hidden {hidden.hex()}"
    return f"{place} {state.decode('utf-8', 'replace')[:200]}"
