"""Previews: who would move if these events came, or these rules held. Nothing is written.

Events are folded on top of what is stored, by the steps of the shard's writer, in one read-only snapshot; what comes of them
is compared and forgotten. Rules are tried by folding the archive from nothing.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any, cast

import asyncpg
import msgspec

from engine.corrections import CORRECTIONS, Log
from engine.fold import Fold
from engine.movement import BEFORE
from engine.rules import Game, compile_ruleset
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
from schemas.position import Position
from schemas.ruleset import parse

Q = queries("preview")
REPLAY = queries("replay")
Progress = Callable[[int, int], None]
"""Called with (events folded, events in all) now and then."""

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
    pool: asyncpg.Pool, name: str, events: Sequence[Event], now_ms: int, *, board: str | None, limit: int, rows_max: int
) -> Preview:
    """Who would move if these events came now. Raises NotFound, and TooMuch when more than `rows_max` places are compared."""
    async with _snapshot(pool) as connection:
        live_row = await _live(connection, name)
        store = _Reading(connection)
        (live,) = await store.games([name])
        state = await store.shard(live.shard)
        doubts = await _used_before(store, live, events)
        if doubts:
            events = [event for event in events if event.id not in {doubt.event for doubt in doubts}]
        start_ms = max(now_ms, state.ms) + 1
        said = [(Position(state.epoch, live.shard, start_ms, seq), event) for seq, event in enumerate(events)]
        changed: dict[TableName, dict[str, Change]] = {}
        for part in _parts(said):
            batch = Batch(live.shard, state, (part[-1][0].ms, part[-1][0].seq))
            doubts += await _fold(store, live, part, said, batch, changed)
            state = batch.after_state
        tables = [table for key in changed if _concerns(table := live.fold.tables[key], board)]
        await _bounded(connection, tables, rows_max)
        comparing = [
            (table, await _shown(connection, table.ranking_id), _after(changed[table.name])) for table in tables
        ]
        moves, total = await compare(
            [(table.name, table.plan, before, _replaced(before, after)) for table, before, after in comparing],
            {table.name: set(after) for table, _, after in comparing},
            limit,
        )
        moves = await _named(connection, live.generation_id, moves)
    position = Position(live_row["epoch"], live_row["shard"], live_row["ms"], live_row["seq"])
    return Preview(str(position), name, moves, total, doubts)


async def of_rules(
    pool: asyncpg.Pool,
    name: str,
    game: Game,
    progress: Progress,
    *,
    board: str | None,
    limit: int,
    rows_max: int | None,
) -> Preview:
    """Who would move under other rules. Raises NotFound, and TooMuch when there are more than `rows_max` events."""
    async with _snapshot(pool) as connection:
        live = await _live(connection, name)
        total = await connection.fetchval(REPLAY["count"], live["game_id"])
        if rows_max is not None and total > rows_max:
            raise TooMuch
        fold = Fold(game)
        upto = (live["epoch"], live["ms"], live["seq"])
        await Archive(live["game_id"], fold, total, progress).read(connection, upto)
        fold.settle()
        now = compile_ruleset(parse(live["text"]))
        found = {
            (row["board"], row["period"], row["segment"]): row["ranking_id"]
            for row in await connection.fetch(Q["rankings"], live["live_generation"])
        }
        names = [key for key in found | fold.tables if key[0] in now.boards and key[0] in game.boards]
        names = [key for key in names if not key[2].startswith(BEFORE) and board in (None, key[0])]
        comparing = [
            (key, game.boards[key[0]], await _shown(connection, found.get(key, 0)), _lines_of(fold.tables.get(key)))
            for key in names
        ]
        moves, moved = await compare(comparing, {}, limit, plans_before=now.boards)
        moves = await _named(connection, live["live_generation"], moves)
    return Preview(
        str(Position(live["epoch"], live["shard"], live["ms"], live["seq"])),
        name,
        moves,
        moved,
        boards_added=sorted(game.boards.keys() - now.boards.keys()),
        boards_gone=sorted(now.boards.keys() - game.boards.keys()),
    )


async def _live(connection: Connection, name: str) -> asyncpg.Record:
    row = await connection.fetchrow(REPLAY["live"], name)
    if row is None:
        raise NotFound("game", name)
    return row


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
    changed: dict[TableName, dict[str, Change]],
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


def _concerns(table: Table, board: str | None) -> bool:
    return not table.name[2].startswith(BEFORE) and board in (None, table.name[0])


async def _bounded(connection: Connection, tables: list[Table], rows_max: int) -> None:
    rows = await connection.fetch(Q["totals"], [table.ranking_id for table in tables])
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


async def _named(connection: Connection, generation_id: int, moves: list[Move]) -> list[Move]:
    rows = await connection.fetch(Q["names"], generation_id, list({move.player for move in moves}))
    names: dict[str, Any] = {row["player"]: row["name"] for row in rows}
    return [msgspec.structs.replace(move, name=names.get(move.player)) for move in moves]
