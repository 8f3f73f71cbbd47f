"""What was true at an instant, out of the archive: folded from nothing in memory, in slices, and kept for a short while.

A truth is complete: every board, period and segment of the game can be asked of it, so pages, places and exports of the same
instant fold once. It knows up to which position it was made. Nothing is written.
"""

import asyncio
import gc
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, NamedTuple

import asyncpg

from engine.boards import BoardPlan
from engine.effective import Cut
from engine.erasure import erases
from engine.fold import Fold
from engine.leaderboard import Leaderboard
from engine.places import Answer, Lookup, Window
from engine.rules import Game
from engine.spread import owner
from engine.tables import TableName
from projections import past
from projections.archive import Archive, Progress
from projections.behind import Behind
from projections.database import Connection, queries
from projections.moments import Future
from schemas.codec import decode_archived
from schemas.errors import NotFound, Unavailable
from schemas.events import Player, Reinstate, Void
from schemas.position import Position
from schemas.ruleset import parse

Q = queries("replay")
EVENTS_MAX = 200_000
"""A game with more events than that is not folded while a client waits."""

KEPT_S = 30.0
WEIGHT_MAX = 500_000
"""So many rows of truths, and events of those that have an inside, does a process keep; the newest one stays in any case."""

WAITING_MAX = 16
SLICE = 200
"""Others have to wait while so many events are folded: a few milliseconds."""

Line = tuple[str, bytes | None, bytes, bytes | None]
"""(player, prefix, extra, hidden prefix)."""


class Asked(NamedTuple):
    """An instant (epoch milliseconds, or a position) of a generation of a game, by what the log said up to `upto` (None: by
    all of it). `inside` asks for what the places are made of, too."""

    game: str
    generation_id: int
    when: int | Position
    upto: Position | None = None
    inside: bool = False


class TooManyEvents(Exception):
    """There is too much to fold while a client waits: have a job call `Truths.make` with these and ask again."""

    def __init__(self, asked: Asked, at_least: Position | None = None) -> None:
        super().__init__(f"{asked.game} has too many events to fold them at once")
        self.asked = asked
        self.at_least = at_least


class Truth:
    """All rankings of a game as they truly were at `when`; `position` is the last event that was known, and `fold` what
    the places are made of, if that was asked for."""

    def __init__(
        self,
        when: int | Position,
        position: Position,
        lines: dict[TableName, list[Line]],
        fold: Fold | None = None,
        events: int = 0,
    ) -> None:
        self.when = when
        self.position = position
        self.fold = fold
        self.weight = sum(map(len, lines.values())) + (0 if fold is None else events)
        self.made_at = monotonic()
        self.version = position.ms << 24 | position.seq
        """Another one when another truth is made: entity tags go by it."""
        self._lines = lines
        self._boards: dict[TableName, Leaderboard] = {}

    @property
    def behind(self) -> Behind:
        """What the places are made of, if it was asked for."""
        assert self.fold is not None
        return Behind(self.fold, self.when, self.position)

    async def board(self, plan: BoardPlan, period: str, segment: str) -> Leaderboard:
        """One ranking; an empty one when nobody is in it."""
        name = (plan.name, period, segment)
        board = self._boards.get(name)
        if board is None:
            board = Leaderboard(plan.style)
            board.version = self.version
            for at, (player, prefix, extra, hidden) in enumerate(self._lines.get(name, ())):
                board.set(player, prefix, extra, hidden)
                if at % SLICE == 0:
                    await asyncio.sleep(0)
            self._boards[name] = board
        return board

    async def lookup(self, plan: BoardPlan, period: str, segment: str, lookups: list[Lookup]) -> Answer:
        """Answers in the order of the look-ups, as the stores do."""
        return (await self.board(plan, period, segment)).lookup(lookups)

    async def window(self, plan: BoardPlan, period: str, segment: str, first: int, count: int) -> Window:
        """A stretch of a ranking."""
        return (await self.board(plan, period, segment)).window(first, count)


class Truths:
    """The truths that were asked for lately. One at a time is made, each once however many ask."""

    def __init__(self, pool: asyncpg.Pool, events_max: int = EVENTS_MAX) -> None:
        self._pool = pool
        self._events_max = events_max
        self._kept: OrderedDict[Asked, Truth] = OrderedDict()
        self._slot = asyncio.Lock()
        self._waiting = 0

    async def get(self, asked: Asked, at_least: Position | None = None) -> Truth:
        """What was true then, by all that was known a moment ago, and with `at_least` up to and with that position.

        Raises NotFound, Unavailable, TooManyEvents, and Future for an instant that has not come.
        """
        truth = self._known(asked, at_least)
        if truth is not None:
            return truth
        if await self._pool.fetchval(Q["more_than"], asked.game, self._events_max):
            # Who waits for a job should not wait for a refusal.
            async with self._pool.acquire() as connection:
                await _begin(connection, asked)
            raise TooManyEvents(asked, at_least)
        return await self.make(asked, lambda done, total: None, at_least)

    async def make(self, asked: Asked, progress: Progress, at_least: Position | None = None) -> Truth:
        """The same, however long it takes."""
        if self._waiting >= WAITING_MAX:
            raise Unavailable(f"{WAITING_MAX} questions of this kind are waiting; the same call may succeed later")
        self._waiting += 1
        try:
            async with self._slot:
                truth = self._known(asked, at_least)
                if truth is None:
                    with _uncollected():
                        truth = await make(self._pool, asked, progress)
                    self._keep(asked, truth)
                return truth
        finally:
            self._waiting -= 1

    def _forget(self) -> None:
        while self._kept and next(iter(self._kept.values())).made_at + KEPT_S < monotonic():
            self._kept.popitem(last=False)

    def _known(self, asked: Asked, at_least: Position | None) -> Truth | None:
        self._forget()
        truth = self._kept.get(asked) or self._kept.get(asked._replace(inside=True))
        newer = at_least is not None and asked.upto is None and truth is not None and truth.position < at_least
        return None if newer else truth

    def _keep(self, asked: Asked, truth: Truth) -> None:
        self._kept.pop(asked, None)
        self._kept[asked] = truth
        while len(self._kept) > 1 and sum(each.weight for each in self._kept.values()) > WEIGHT_MAX:
            self._kept.popitem(last=False)
        asyncio.get_running_loop().call_later(KEPT_S + 1, self._forget)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: a fold makes millions of objects and no cycles, and a look at all of them stops everybody."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


async def _begin(connection: asyncpg.pool.PoolConnectionProxy, asked: Asked) -> tuple[asyncpg.Record, Position]:
    """The generation that is asked about, and up to where it is folded; raises NotFound, and Future."""
    row = await connection.fetchrow(Q["generation"], asked.game, asked.generation_id, 0)
    if row is None:
        raise NotFound("game", asked.game)
    position = Position(row["epoch"], row["shard"], row["ms"], row["seq"])
    if await _to_come(connection, asked.when, position):
        raise Future
    return row, position


async def make(pool: asyncpg.Pool, asked: Asked, progress: Progress) -> Truth:
    """Folds the archive, as of one snapshot."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        row, position = await _begin(connection, asked)
        if asked.upto is not None:
            position = min(position, asked.upto)
        total = await connection.fetchval(Q["count"], row["game_id"])
        fold = Fold(Game(parse(row["text"])), owner(row["part"], row["parts"]))
        archive = _Archive(row["game_id"], fold, total, progress, Cut(asked.when), connection)
        await archive.read(connection, (position.epoch, position.ms, position.seq))
    archive.cut.pass_time(fold, archive.cut.clock_ms)
    for _ in fold.settling(SLICE):
        await asyncio.sleep(0)
    lines: dict[TableName, list[Line]] = {}
    for table in fold.tables.values():
        lines[table.name] = [
            (player, row.prefix, row.extra, row.hidden)
            for player, row in table.rows.items()
            if row.prefix is not None or row.hidden is not None
        ]
        await asyncio.sleep(0)
    return Truth(asked.when, position, lines, fold if asked.inside else None, archive.events)


async def _to_come(connection: Connection, when: int | Position, position: Position) -> bool:
    """Whether an instant has not come yet, or is a position of a shard on which the game did not live then."""
    if isinstance(when, Position):
        return when > position or (when.epoch == position.epoch and when.shard != position.shard)
    return bool(await connection.fetchval(Q["to_come"], when))


class _Archive(Archive):
    """Reads only what counts, and lets others go on between slices."""

    def __init__(
        self, game_id: int, fold: Fold, total: int, progress: Progress, cut: Cut, connection: Connection
    ) -> None:
        super().__init__(game_id, fold, total, progress)
        self.cut = cut
        self._fetch = past.as_if(connection.fetch, cut.counts)
        cut.begin(fold)

    async def _stage(self, connection: Connection, rows: list[Any], ahead: "asyncio.Future[Any]") -> None:
        for start in range(0, len(rows), SLICE):
            for epoch, shard, ms, seq, body in rows[start : start + SLICE]:
                event, position = decode_archived(body), Position(epoch, shard, ms, seq)
                self.cut.pass_time(self.fold, ms)
                if not self.cut.counts(event, position):
                    continue
                if isinstance(event, Void | Reinstate):
                    # One thing at a time on a connection.
                    await asyncio.wait((ahead,))
                    await past.correct(self._fetch, self.game_id, self.fold, event, position)
                else:
                    self.fold.stage(event, position)
                    if isinstance(event, Player) and erases(event):
                        self.erased.append((event.player, position))
            await asyncio.sleep(0)
        for _ in self.fold.absorbing(stride=SLICE):
            await asyncio.sleep(0)
