"""What explains a player's row on a board: his marks, and the events that these come from, in one snapshot of PostgreSQL.

Boards that keep their marks have them in the row's state; of the others they are made anew from the player's events in the
archive. What is listed mark by mark is looked up in a few queries, however long the list is. At an instant of the past the
state is that of a fold up to then.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.badges import bare
from engine.clock import FAR
from engine.contests import Contest
from engine.corrections import Log, Said, corrections_of, identity_of, marks_of, results_of, subject_number
from engine.erasure import erases
from engine.explain import Explained, costly, explain, in_order, marks_said
from engine.fold import Fold
from engine.kept import Kept
from engine.marks import Mark
from engine.rules import Game
from engine.tables import Table, TableName
from engine.windows import BucketedWindow, KeptWindow
from projections.behind import LAST, Behind, Filter, erased_since
from projections.coldguard import refuse
from projections.contests import stored_pick
from projections.database import Connection, queries
from projections.hashing import id_hash
from schemas.codec import decode_archived
from schemas.events import Adjustment, Pick, Result, Score, Void
from schemas.position import Position

Q = queries("explain")
PAST, CONTESTS = queries("past"), queries("contests")
VOIDED_MAX = 100
VOIDS_MAX = 5_000
LOOKS_MAX = 1_000_000
"""So many looks at marks an answer may take where each listed mark has all before it looked at."""

_CHUNK = 1_000
"""After so many events others are answered."""

_STATUSES_GONE = ("banned", "erased")
_decode_contest = msgspec.json.Decoder(Contest).decode


class Asked(NamedTuple):
    """Whose row of which ranking. `home` is the segment in which his marks are kept; marks from number `before` on are left
    out, and of the rest the last `limit` are listed."""

    game_id: int
    generation_id: int
    ranking_id: int
    table: TableName
    home: str
    player: str
    before: int | None
    limit: int
    version: int | None = None
    """Only a row that has been shown as it is since then, if not None."""

    @property
    def name(self) -> TableName:
        """The ranking in which his marks are kept."""
        return (*self.table[:2], self.home)


class Revision(NamedTuple):
    """A result of a fixture, where it stands in the log, and whether it is void."""

    position: Position
    result: Result
    void: bool


class Settled(NamedTuple):
    """A contest, its results in the order of their revisions, and the ids of the player's accepted picks on it."""

    contest: Contest
    revisions: list[Revision]
    picks: list[str]


class Voided(NamedTuple):
    """An event of the player that does not count, and by which one and why, as far as the archive tells."""

    position: Position
    event: Score | Adjustment | Pick
    by: Void | None


class Row(NamedTuple):
    """A row of the standings with what explains it. `prefix` is None for who does not qualify to be ranked."""

    prefix: bytes | None
    extra: bytes
    explained: Explained
    said: dict[str, Said]
    contests: dict[str, Settled]
    voided: list[Voided]


async def explained_row(pool: asyncpg.Pool, game: Game, asked: Asked) -> Row | None:
    """The row and all that explains it; None for who has none, or is banned, or erased and not shown."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(queries("writer")["by_index"])
        return await _Reading(connection, game, asked).row()


async def has_row(pool: asyncpg.Pool, asked: Asked) -> bool:
    """Whether he has ever been in the ranking; rows stay."""
    return bool(await pool.fetchval(Q["has_row"], asked.ranking_id, asked.generation_id, asked.player))


async def explained_then(
    pool: asyncpg.Pool, game: Game, asked: Asked, behind: Behind, place: tuple[bytes, bytes] | None
) -> Row | None:
    """The same as of an instant. `place` is the player's (prefix, extra) then, of who had one."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(queries("writer")["by_index"])
        if await erased_since(connection.fetch, asked.game_id, asked.player, behind.upto):
            return None
        return await _PastReading(connection, game, asked, behind, place).row()


class _Held(NamedTuple):
    """A row: its place, its state as its shape holds it, and how late it is (epoch milliseconds)."""

    prefix: bytes | None
    extra: bytes
    state: Any
    clock_ms: int


class _Reading:
    """One answer in the making."""

    def __init__(self, connection: Connection, game: Game, asked: Asked) -> None:
        self._connection = connection
        self._game = game
        self._asked = asked
        self._plan = game.boards[asked.table[0]]
        self._home = Table(asked.name, self._plan)
        self._log = Log()
        self._voids: set[str] = set()

    async def row(self) -> Row | None:
        asked = self._asked
        _, period, _ = asked.table
        held = await self._held()
        if held is None:
            return None
        await self._load_about([identity_of(asked.player)])
        clock = min(held.clock_ms, self._plan.end_of(period) - 1)
        explained = self._explained(await self._marks(held.state, clock), clock)
        listed = [part.mark for part in explained.parts]
        await self._load([mark.origin for mark in listed if mark.ms or mark.seq])
        said = {mark.origin: found for mark in listed if (found := self._log.find(mark.origin)) is not None}
        contests = await self._contests({mark.origin for mark in listed if not (mark.ms or mark.seq)})
        return Row(held.prefix, held.extra, explained, said, contests, await self._voided())

    async def _held(self) -> _Held | None:
        """His row, if he has one, and what counts for it."""
        asked = self._asked
        row: Any = await self._connection.fetchrow(
            Q["row"], asked.ranking_id, asked.generation_id, *asked.table[:2], asked.home, asked.player
        )
        if row is None or (asked.version is not None and row["since"] > asked.version):
            return None
        prefix = row["hidden"] if row["prefix"] is None else row["prefix"]
        if prefix is None and row["status"] in _STATUSES_GONE:
            return None
        voids = await self._connection.fetch(PAST["voided"], [asked.generation_id])
        self._voids = {row["event"] for row in voids}
        state = None if row["state"] is None else self._home.shape.load(row["state"])
        return _Held(prefix, row["extra"], state, -FAR if row["clock_ms"] is None else row["clock_ms"])

    def _explained(self, marks: list[Mark], clock: int) -> Explained:
        limit = self._asked.limit
        if costly(self._plan):
            limit = max(1, min(limit, LOOKS_MAX // max(1, len(marks))))
        last = len(marks) if self._asked.before is None else min(len(marks), self._asked.before)
        return explain(self._plan, marks, max(0, last - limit), last, clock)

    async def _marks(self, state: Any, clock: int) -> list[Mark]:
        shape = self._home.shape
        if isinstance(self._plan.windows.get(self._asked.table[1], self._plan.shape), Kept):
            marks: list[Mark] = [] if state is None else list(bare(state))
        else:
            marks = await self._marks_said(self._home.name)
        return shape.inside(marks, clock) if isinstance(shape, KeptWindow | BucketedWindow) else marks

    async def _marks_said(self, table: TableName) -> list[Mark]:
        await self._load_about([marks_of(self._asked.player)])
        counted = [said for said in self._about_him() if said[1].id not in self._voids]
        fold, found = Fold(self._game), list[Mark]()
        for at in range(0, len(counted), _CHUNK):
            found += marks_said(fold, counted[at : at + _CHUNK], self._asked.player, table)
            await asyncio.sleep(0)
        return in_order(found)

    def _about_him(self) -> list[Said]:
        """His scores and adjustments; what was said under his id of somebody who was erased is another's."""
        subject = self._asked.player
        since = [at for at, event in self._log.about(identity_of(subject)) if erases(event)]
        return [said for said in self._log.about(marks_of(subject)) if not since or said[0] > since[-1]]

    async def _contests(self, fixtures: set[str]) -> dict[str, Settled]:
        names = sorted(fixtures)
        if not names:
            return {}
        await self._load_about([results_of(name) for name in names])
        contests, picks = await self._contests_of(names)
        return {
            contest.fixture: Settled(contest, self._revisions(contest.fixture), picks.get(contest.fixture, []))
            for contest in contests
        }

    async def _contests_of(self, names: list[str]) -> tuple[list[Contest], dict[str, list[str]]]:
        """Contests, and the ids of his picks on each."""
        asked, picks = self._asked, dict[str, list[str]]()
        rows = await self._connection.fetch(CONTESTS["fixtures"], asked.generation_id, names)
        for row in await self._connection.fetch(
            CONTESTS["picks_of_players"], asked.generation_id, names, [asked.player]
        ):
            line = stored_pick(row)
            picks.setdefault(line.fixture, []).append(line.pick.event)
        return [_decode_contest(state) for _, state in rows], picks

    def _revisions(self, fixture: str) -> list[Revision]:
        found = [
            Revision(at, event, event.id in self._voids)
            for at, event in self._log.about(results_of(fixture))
            if isinstance(event, Result)
        ]
        return sorted(found, key=lambda each: (each.result.revision, each.position))

    async def _voided(self) -> list[Voided]:
        """His voided events that would concern the ranking, the latest first."""
        if len(self._voids) <= VOIDS_MAX:
            await self._load(self._voids)
        fold, since = Fold(self._game), {event.id for _, event in self._about_him()}
        found = [said for event in self._voids if (said := self._log.find(event)) is not None]
        his = sorted(
            (each for each in found if self._concerns(fold, *each, since)), reverse=True, key=lambda one: one[0]
        )
        await self._load_about([corrections_of(event.id) for _, event in his[:VOIDED_MAX]])
        return [Voided(at, event, self._by(event.id)) for at, event in his[:VOIDED_MAX]]  # type: ignore[arg-type]

    def _concerns(self, fold: Fold, position: Position, event: object, his: set[str]) -> bool:
        home, player = self._home.name, self._asked.player
        if isinstance(event, Score | Adjustment):
            return event.id in his and bool(marks_said(fold, [(position, event)], player, home))
        takes_picks = any(self._plan in plans for _, plans in self._game.pick_routes)
        return isinstance(event, Pick) and event.player == player and takes_picks

    def _by(self, event: str) -> Void | None:
        voids = [said for _, said in self._log.about(corrections_of(event)) if isinstance(said, Void)]
        return voids[-1] if voids else None

    async def _load(self, events: Iterable[str]) -> None:
        """Takes events with these ids into the log."""
        hashes = [id_hash(event) for event in events if self._log.find(event) is None]
        if hashes:
            await refuse(self._connection.fetch, "away_by_id", self._asked.game_id, hashes)
            await self._take(await self._connection.fetch(PAST["events_by_id"], self._asked.game_id, hashes))

    async def _load_about(self, subjects: list[str]) -> None:
        """Takes what is said about subjects into the log."""
        numbers = [subject_number(subject) for subject in subjects]
        if numbers:
            await refuse(self._connection.fetch, "away_about", self._asked.game_id, numbers)
            await self._take(await self._connection.fetch(PAST["events_about"], self._asked.game_id, numbers, *LAST))

    async def _take(self, rows: list[asyncpg.Record]) -> None:
        for at in range(0, len(rows), _CHUNK):
            for position, event in self._counted(rows[at : at + _CHUNK]):
                self._log.add(position, event)
            await asyncio.sleep(0)

    def _counted(self, rows: list[asyncpg.Record]) -> Iterable[Said]:
        return ((Position(*row[:4]), decode_archived(row[4])) for row in rows)


class _PastReading(_Reading):
    """One as of an instant: of a fold, and of what counted then."""

    def __init__(
        self, connection: Connection, game: Game, asked: Asked, behind: Behind, place: tuple[bytes, bytes] | None
    ) -> None:
        super().__init__(connection, game, asked)
        self._fold = behind.fold
        self._filter = Filter(behind)
        self._place = place

    async def _held(self) -> _Held | None:
        tables, player = self._fold.tables, self._asked.player
        row, own = (
            tables[name].rows.get(player) if name in tables else None for name in (self._asked.name, self._asked.table)
        )
        if row is None or (self._place is None and (own is None or self._fold.sanctions.get(player) in _STATUSES_GONE)):
            return None
        self._voids = self._fold.corrections.voided
        prefix, extra = self._place or (None, row.extra)
        return _Held(prefix, extra, row.state, self._fold.clock)

    async def _contests_of(self, names: list[str]) -> tuple[list[Contest], dict[str, list[str]]]:
        fold, player = self._fold, self._asked.player
        book, markets = fold.settlement.book, fold.game.markets.sources
        picks = {
            name: [pick.event for market in markets for pick in book.of(name, market).get(player, ())] for name in names
        }
        return [fold.contests[name] for name in names if name in fold.contests], picks

    async def _take(self, rows: list[asyncpg.Record]) -> None:
        await super()._take(sorted(rows, key=lambda row: tuple(row[:4])))

    def _counted(self, rows: list[asyncpg.Record]) -> Iterable[Said]:
        return self._filter.take(rows)
