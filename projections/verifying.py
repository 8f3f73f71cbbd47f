"""Verification of one generation, or of a share of its players: the archive is folded from nothing, and what the generation
holds compared with that, row by row. Writes nothing."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import msgspec

from engine.digest import Digest, digest_of, says_nothing, total_of
from engine.fold import Fold
from engine.rules import Game
from engine.shapes import Row
from engine.spread import owner
from engine.tables import Table, TableName
from projections import ledgers
from projections.archive import CHUNK, Archive, Progress
from projections.database import Connection, pieces, queries
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
    """What a comparison found."""

    rows: int
    live_digest: str
    replayed_digest: str
    differences: list[Difference]
    kinds: list[Kind]


async def compare(connection: Connection, task: Task, progress: Progress, share: Share = WHOLE) -> Found:
    """Folds and compares. What the connection reads has to stand still meanwhile."""
    owns = owner(task.part, task.parts) if share is WHOLE else share.owns
    fold = Fold(Game(parse(task.text)), owns)
    await Archive(task.game_id, fold, task.events, progress, share=share).read(connection, task.upto)
    fold.pass_time(task.clock_ms)
    for _ in fold.settling():
        pass
    digest, differences = await _standings(connection, task.generation_id, fold, share)
    kinds, unlike = await ledgers.compare(connection, task.generation_id, fold, DIFFERENCES_MAX, share)
    replayed = digest_of(fold) if differences else digest
    for kind, (board, period, player, key), live, other in unlike:
        differences.append(Difference(board, period, "", player, live, other, kind, key))
    return Found(digest.rows, str(digest), str(replayed), differences, kinds)


def together(each: Sequence[Found]) -> Found:
    """What the comparisons of all shares, or of all parts, found."""
    return Found(
        sum(found.rows for found in each),
        total_of(found.live_digest for found in each),
        total_of(found.replayed_digest for found in each),
        list(chain.from_iterable(found.differences for found in each))[:DIFFERENCES_MAX],
        ledgers.together([found.kinds for found in each]),
    )


class _Ranking(NamedTuple):
    """A stored ranking, the one that was folded, and whose rows of that were met."""

    name: TableName
    folded: Table | None
    rows: dict[str, Row]
    met: set[str]


async def _standings(
    connection: Connection, generation_id: int, fold: Fold, share: Share
) -> tuple[Digest, list[Difference]]:
    """The live digest, and the first rows that differ. Rows that are equal byte by byte are hashed only once."""
    digest = Digest()
    differences: list[Difference] = []
    rankings: dict[int, _Ranking] = {}
    for ranking_id, board, period, segment in await connection.fetch(Q["rankings"], generation_id):
        name = (board, period, segment)
        table = fold.tables.get(name)
        rankings[ranking_id] = _Ranking(name, table, {} if table is None else table.rows, set())
    async for rows in pieces(connection, Q["standings"], generation_id, size=CHUNK):
        for ranking_id, player, prefix, extra, state, hidden in rows:
            name, table, folded, met = rankings[ranking_id]
            mine = folded.get(player)
            if mine is None and not share.owns(player):
                continue
            if says_nothing(prefix, state, hidden):
                continue
            digest.add(name, player, (prefix, extra, state, hidden))
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
        met = stored.get(table.name, set())
        if len(met) != len(table.rows):
            for player in table.rows.keys() - met:
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
