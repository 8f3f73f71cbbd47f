"""Previews: who would move if these events came, or these rules held. Nothing is written.

Events are folded on top of what is stored, by the steps of the shard's writer, in one read-only snapshot; what comes of them
is compared and forgotten. Rules are tried by folding the archive from nothing.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, groupby
from typing import Any, cast

import asyncpg
import msgspec

from engine.boards import BoardPlan
from engine.corrections import CORRECTIONS, Log
from engine.fold import Fold
from engine.movement import BEFORE
from engine.rules import Game, compile_ruleset
from engine.spread import goes_with, owner
from engine.tables import Change, Table, TableName
from projections.archive import Archive
from projections.batch import Batch, LiveGame
from projections.comparing import Line, Lines, Move, compare
from projections.database import Connection, queries
from projections.hashing import id_hash
from projections.store import Store
from projections.stretch import prepare, settling, stage
from schemas.errors import NotFound
from schemas.events import Event
from schemas.position import Position, Vector
from schemas.ruleset import parse

Q = queries("preview")
REPLAY = queries("replay")
Progress = Callable[[int, int], None]
"""Called with (events folded, events in all) now and then."""

Boards = Collection[str] | None
"""The boards that are looked at, by name; None for all."""

_Changes = dict[TableName, dict[str, Change]]
"""What becomes of rows, by ranking and player."""

ENDLESS = 1 << 62
ROWS_MAX = 200_000
"""Places, or events, that are looked at while a client waits; more is a job."""


class Doubt(msgspec.Struct, frozen=True):
    """An event that would not count, or would count only otherwise than it seems, and why."""

    event: str
    field: str
    rule: str


class Preview(msgspec.Struct, frozen=True):
    """Who would move, as of a position. `total` counts all who would, of whom `changes` lists the first."""

    position: str
    game: str
    changes: list[Move]
    total: int
    problems: list[Doubt] = []
    boards_added: list[str] = []
    boards_gone: list[str] = []


class TooMuch(Exception):
    """There is more to look at than a client should wait for."""


@asynccontextmanager
async def _snapshot(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield connection


class _OneConnection:
    """As much of a pool as a `Store` uses to read: every question goes to one connection, and sees one snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.fetch = connection.fetch
        self.fetchrow = connection.fetchrow
        self.fetchval = connection.fetchval

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """The connection; transactions on it are parts of the snapshot's."""
        yield self._connection


class _Reading(Store):
    """A store that gives new rankings numbers of its own: drawing them would be writing."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(cast("asyncpg.Pool", _OneConnection(connection)))
        self._drawn = 0

    async def fresh_ranking_ids(self, count: int) -> list[int]:
        self._drawn += count
        return [-number for number in range(self._drawn - count + 1, self._drawn + 1)]


async def of_events(
    pool: asyncpg.Pool, name: str, events: Sequence[Event], now_ms: int, *, boards: Boards, limit: int, rows_max: int
) -> Preview:
    """Who would move if these events came now. Raises NotFound, and TooMuch when more than `rows_max` places are compared."""
    doubts: list[Doubt] = []
    changes: list[_Changes] = []
    plans: dict[str, BoardPlan] = {}
    before: dict[TableName, Lines] = {}
    after: dict[TableName, Lines] = {}
    async with _snapshot(pool) as connection:
        store = _Reading(connection)
        parts = await _parts_of(connection, name)
        for row in parts:
            # Of what is about one player the other parts hear nothing.
            owns = owner(row["part"], row["parts"])
            heard = [each for each in events if owns is None or (who := goes_with(each)) is None or owns(who)]
            (live,) = await store.games([name], row["shard"])
            plans = live.fold.game.boards
            changes.append({})
            doubts += await _of_part(store, live, heard, now_ms, changes[-1])
        # A ranking that changes in one part is compared as a whole: its ranks are those among all players.
        concerned = [key for key in dict.fromkeys(chain.from_iterable(changes)) if _concerns(key, boards)]
        rankings = [await _rankings_of(connection, row) for row in parts]
        await _bounded(connection, [held[key] for held in rankings for key in concerned if key in held], rows_max)
        changed: dict[TableName, set[str]] = {key: set() for key in concerned}
        for key in concerned:
            before[key], after[key] = {}, {}
            for held, mine in zip(rankings, changes, strict=True):
                lines, moved = await _shown(connection, held.get(key, 0)), _after(mine.get(key, {}))
                before[key] |= lines
                after[key] |= _replaced(lines, moved)
                changed[key] |= moved.keys()
        pairs = [(key, plans[key[0]], before[key], after[key]) for key in concerned]
        moves, total = await compare(pairs, changed, limit)
        moves = await _named(connection, [row["live_generation"] for row in parts], moves)
    return Preview(_position(parts), name, moves, total, list(dict.fromkeys(doubts)))


async def _of_part(
    store: Store, live: LiveGame, events: Sequence[Event], now_ms: int, changed: _Changes
) -> list[Doubt]:
    """Folds the events on top of one part of a game, or of the whole of one that is not spread."""
    state = await store.shard(live.shard)
    doubts = await _used_before(store, live, events)
    if doubts:
        events = [event for event in events if event.id not in {doubt.event for doubt in doubts}]
    start_ms = max(now_ms, state.ms) + 1
    said = [(Position(state.epoch, live.shard, start_ms, seq), event) for seq, event in enumerate(events)]
    for part in _parts(said):
        batch = Batch(live.shard, state, (part[-1][0].ms, part[-1][0].seq))
        doubts += await _fold(store, live, part, said, batch, changed)
        state = batch.after_state
    return doubts


async def of_rules(
    pool: asyncpg.Pool,
    name: str,
    game: Game,
    progress: Progress,
    *,
    boards: Boards,
    limit: int,
    rows_max: int | None,
) -> Preview:
    """Who would move under other rules. Raises NotFound, and TooMuch when there are more than `rows_max` events."""
    before: dict[TableName, Lines] = {}
    after: dict[TableName, Lines] = {}
    async with _snapshot(pool) as connection:
        parts = await _parts_of(connection, name)
        totals = [await connection.fetchval(REPLAY["count"], row["game_id"]) for row in parts]
        if rows_max is not None and sum(totals) > rows_max:
            raise TooMuch
        now, folded = compile_ruleset(parse(parts[0]["text"])), 0
        for row in parts:
            fold = Fold(game, owner(row["part"], row["parts"]))
            archive = Archive(row["game_id"], fold, sum(totals), _behind(progress, folded))
            folded += await archive.read(connection, (row["epoch"], row["ms"], row["seq"]))
            fold.settle()
            found = await _rankings_of(connection, row)
            names = [key for key in found | fold.tables if key[0] in now.boards and key[0] in game.boards]
            for key in names:
                if _concerns(key, boards):
                    before.setdefault(key, {}).update(await _shown(connection, found.get(key, 0)))
                    after.setdefault(key, {}).update(_lines_of(fold.tables.get(key)))
        comparing = [(key, game.boards[key[0]], lines, after[key]) for key, lines in before.items()]
        moves, moved = await compare(comparing, {}, limit, plans_before=now.boards)
        moves = await _named(connection, [row["live_generation"] for row in parts], moves)
    return Preview(
        _position(parts),
        name,
        moves,
        moved,
        boards_added=sorted(game.boards.keys() - now.boards.keys()),
        boards_gone=sorted(now.boards.keys() - game.boards.keys()),
    )


def _behind(progress: Progress, folded: int) -> Progress:
    """Progress of a part whose events come behind so many."""
    return lambda done, total: progress(folded + done, total)


async def _parts_of(connection: Connection, name: str) -> list[asyncpg.Record]:
    """The parts of a game, which is one row for a game that is not spread. Raises NotFound."""
    rows = await connection.fetch(Q["parts"], name)
    if not rows:
        raise NotFound("game", name)
    return rows


def _position(parts: Sequence[asyncpg.Record]) -> str:
    return str(Vector(Position(row["epoch"], row["shard"], row["ms"], row["seq"]) for row in parts))


async def _used_before(store: Store, live: LiveGame, events: Sequence[Event]) -> list[Doubt]:
    known = await store.known_ids([(live.game_id, id_hash(event.id)) for event in events])
    return [
        Doubt(event.id, "id", "used before: an event with this id does nothing, or is refused")
        for event in events
        if (live.game_id, id_hash(event.id)) in known
    ]


async def _fold(
    store: Store,
    live: LiveGame,
    part: list[tuple[Position, Event]],
    said: list[tuple[Position, Event]],
    batch: Batch,
    changed: _Changes,
) -> list[Doubt]:
    """Folds a stretch, notes what moved, and returns what would not count."""
    await prepare(store, live, [event for _, event in part], batch)
    past = live.fold.corrections.past
    if isinstance(part[0][1], CORRECTIONS) and isinstance(past, Log):
        # They may correct what comes in front of them here, which no archive holds.
        for position, event in said[: said.index(part[0])]:
            past.add(position, event)
    for position, event in part:
        await stage(store, live, event, position, batch)
    async for table, changes in settling(store, live, part[-1][0].ms, batch):
        for change in changes:
            first = changed.setdefault(table.name, {}).get(change.player)
            changed[table.name][change.player] = change if first is None else _joined(first, change)
    doubts = [Doubt(one.event, one.field, one.reason) for one in live.fold.rejections]
    batch.take_rest(live)
    return doubts


def _joined(first: Change, last: Change) -> Change:
    """Two changes of one row as one."""
    return msgspec.structs.replace(
        last, before_prefix=first.before_prefix, before_extra=first.before_extra, before_hidden=first.before_hidden
    )


def _parts(said: list[tuple[Position, Event]]) -> Iterator[list[tuple[Position, Event]]]:
    """Stretches that can be folded together: corrections stand with others of their kind."""
    for _, part in groupby(said, lambda each: type(each[1]) if isinstance(each[1], CORRECTIONS) else None):
        yield list(part)


def _concerns(name: TableName, boards: Boards) -> bool:
    return not name[2].startswith(BEFORE) and (boards is None or name[0] in boards)


async def _rankings_of(connection: Connection, part: asyncpg.Record) -> dict[TableName, int]:
    """The ids of the rankings that a part of a game has."""
    rows = await connection.fetch(Q["rankings"], part["live_generation"])
    return {(row["board"], row["period"], row["segment"]): row["ranking_id"] for row in rows}


async def _bounded(connection: Connection, ranking_ids: list[int], rows_max: int) -> None:
    rows = await connection.fetch(Q["totals"], ranking_ids)
    if sum(row["total"] for row in rows) > rows_max:
        raise TooMuch


async def _shown(connection: Connection, ranking_id: int) -> Lines:
    rows = await connection.fetch(Q["shown"], ranking_id)
    return {row["player"]: (row["prefix"], row["extra"]) for row in rows}


def _after(changes: dict[str, Change]) -> dict[str, Line | None]:
    """The new places of the players whose rows changed; None for who has none to be shown."""
    return {
        player: (change.row.prefix, change.row.extra) if change.row.prefix is not None else None
        for player, change in changes.items()
        if (change.row.prefix, change.row.extra) != (change.before_prefix, change.before_extra)
    }


def _replaced(before: Lines, after: dict[str, Line | None]) -> Lines:
    kept = {player: line for player, line in before.items() if player not in after}
    return kept | {player: line for player, line in after.items() if line is not None}


def _lines_of(table: Table | None) -> Lines:
    rows = table.rows.items() if table is not None else ()
    return {player: (row.prefix, row.extra) for player, row in rows if row.prefix is not None}


async def _named(connection: Connection, generation_ids: list[int], moves: list[Move]) -> list[Move]:
    rows = await connection.fetch(Q["names"], generation_ids, list({move.player for move in moves}))
    names: dict[str, Any] = {row["player"]: row["name"] for row in rows}
    return [msgspec.structs.replace(move, name=names.get(move.player)) for move in moves]
