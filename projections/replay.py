"""Replay: folds the archive of a game from nothing, to check the live projections or to replace them.

`verify` writes nothing: it folds what was archived up to one position and compares every row. `swap` writes a new generation
beside the live one, follows the log until it has caught up, and makes it live in one transaction; readers go on.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.digest import Digest, digest_of, row_hash, says_nothing
from engine.fold import Fold
from engine.rules import Game
from engine.tables import Table
from projections import badges, past
from projections.clock import ClockLines
from projections.clock import Q as CLOCK
from projections.commit import STANDINGS
from projections.contests import no_lines
from projections.database import AWAY, Connection, columns, queries
from projections.profiles import profile_rows
from projections.rankings import RankingWriter
from projections.store import Q as WRITER
from schemas.codec import decode_archived
from schemas.errors import NotFound, RankfoldError
from schemas.events import Reinstate, Score, Void
from schemas.position import Position
from schemas.ruleset import parse

Q = queries("replay")
ERASURE = queries("erasure")
Progress = Callable[[int, int], None]
"""Called with (events folded, events in all) now and then."""

CHUNK = 5_000
ABSORB = 100_000
"""Staged events before they are absorbed: the more, the more of them meet the same row while it is at hand."""

DIFFERENCES_MAX = 20
TAIL_EVENTS_MAX = 2_000
"""A swap holds the shard's writer up only for this many events at most."""


class Difference(NamedTuple):
    """A row that the live projections hold otherwise than a replay; "-" where it is missing."""

    board: str
    period: str
    segment: str
    player: str
    live: str
    replayed: str


class Verification(NamedTuple):
    """What `verify` found. The digests are equal exactly when there are no differences."""

    events: int
    rows: int
    position: Position
    live_digest: str
    replayed_digest: str
    differences: list[Difference]
    seconds: float


class Swapped(NamedTuple):
    """What `swap` did."""

    generation_id: int
    events: int
    position: Position
    seconds: float


class _Archive:
    """The accepted events of one game, in log order, folded as they come."""

    def __init__(self, game_id: int, fold: Fold, total: int, progress: Progress) -> None:
        self.game_id = game_id
        self.fold = fold
        self.total = total
        self.events = 0
        self.upto = (0, 0, 0)
        self._progress = progress

    async def read(self, connection: Connection, upto: tuple[int, int, int]) -> int:
        """Folds the events behind the last one up to and with `upto` (epoch, ms, seq); returns how many."""
        before, staged = self.events, 0
        fold = self.fold
        await connection.execute(Q["in_order"])
        cursor = connection.cursor(Q["events"], self.game_id, *self.upto, *upto)
        ahead: asyncio.Task[Any] | None = None
        reader = await cursor
        rows = await reader.fetch(CHUNK)
        while rows:
            # The server prepares the next rows while these are folded.
            ahead = asyncio.ensure_future(reader.fetch(CHUNK))
            await asyncio.sleep(0)
            for epoch, shard, ms, seq, body in rows:
                event = decode_archived(body)
                if type(event) is Score and not fold.game.badged:
                    fold.stage_score(event, ms, seq)
                elif isinstance(event, Void | Reinstate):
                    # One thing at a time on a connection.
                    await asyncio.wait((ahead,))
                    await past.correct(connection.fetch, self.game_id, fold, event, Position(epoch, shard, ms, seq))
                else:
                    fold.stage(event, Position(epoch, shard, ms, seq))
            fold.pass_time(max(row[2] for row in rows))
            staged += len(rows)
            if staged >= ABSORB:
                fold.absorb()
                staged = 0
            self.events += len(rows)
            self._progress(self.events, max(self.total, self.events))
            rows = await ahead
        fold.absorb()
        await connection.execute(Q["any_order"])
        self.upto = upto
        return self.events - before


async def _live(connection: Connection, name: str) -> asyncpg.Record:
    row = await connection.fetchrow(Q["live"], name)
    if row is None:
        raise NotFound("game", name)
    return row


async def verify(pool: asyncpg.Pool, name: str, progress: Progress) -> Verification:
    """Compares the live projections with a fold of the archive from nothing, both as of one snapshot."""
    started = time.monotonic()
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        live = await _live(connection, name)
        total = await connection.fetchval(Q["count"], live["game_id"])
        fold = Fold(Game(parse(live["text"])))
        archive = _Archive(live["game_id"], fold, total, progress)
        upto = (live["epoch"], live["ms"], live["seq"])
        await archive.read(connection, upto)
        fold.settle()
        digest, differences = await _compare(connection, live["live_generation"], fold)
        for award, held, replayed_badge in await badges.differing(connection, live["live_generation"], fold.awards):
            _differ(differences, (award.board, award.period, "", award.player), held, replayed_badge)
    position = Position(live["epoch"], live["shard"], live["ms"], live["seq"])
    replayed = digest_of(fold) if differences else digest
    seconds = time.monotonic() - started
    return Verification(archive.events, digest.rows, position, str(digest), str(replayed), differences, seconds)


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


async def swap(
    pool: asyncpg.Pool, redis: Redis, name: str, progress: Progress, *, version: int | None = None
) -> Swapped:
    """Builds a generation with the newest version of the rules (or `version`) and makes it live.

    Raises NotFound for a game or version that does not exist. When it fails, nothing has changed for readers.
    """
    started = time.monotonic()
    async with pool.acquire() as connection:
        live = await _live(connection, name)
        rules = await connection.fetchrow(Q["ruleset"], live["game_id"], version)
        if rules is None:
            raise NotFound("version of the ruleset", str(version))
        generation_id: int = await connection.fetchval(Q["new_generation"], live["game_id"], rules["version"])
        try:
            build = _Build(generation_id, Game(parse(rules["text"])), live, progress)
            build.rewritten = await connection.fetchval(ERASURE["rewritten_count"], live["game_id"])
            await build.catch_up(connection)
            await build.write(connection)
            await build.show(connection, redis)
            position = await build.go_live(connection)
        except BaseException:
            with contextlib.suppress(*AWAY):
                await _abandon(connection, generation_id)
            raise
        with contextlib.suppress(RedisError, OSError):
            # It is live whatever happens here: the shard's writer notices, and shows what is missing.
            await build.show(connection, redis)
    return Swapped(generation_id, build.archive.events, position, time.monotonic() - started)


async def _abandon(connection: Connection, generation_id: int) -> None:
    """Drops a generation that is being built, but never one that went live although the answer was lost."""
    if await connection.fetchval(Q["fail_generation"], generation_id) is not None:
        await connection.execute(CLOCK["drop_dues"], generation_id)
        await connection.execute(Q["drop_generation_rows"], generation_id)


class _Build:
    """One generation while it is built."""

    def __init__(self, generation_id: int, game: Game, live: asyncpg.Record, progress: Progress) -> None:
        self.generation_id = generation_id
        self.live = live
        self.fold = Fold(game)
        self.archive = _Archive(live["game_id"], self.fold, 0, progress)
        self.version = 0
        self.rewritten = 0
        self.upto = (0, 0, 0)
        self.stale: list[Table] = []

    async def catch_up(self, connection: Connection) -> None:
        """Folds the archive until only a short tail can be left."""
        game_id = self.live["game_id"]
        while True:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                row = await _live(connection, await self._name(connection))
                self.archive.total = await connection.fetchval(Q["count"], game_id)
                self.upto, self.version = (row["epoch"], row["ms"], row["seq"]), row["version"]
                if await self.archive.read(connection, self.upto) <= TAIL_EVENTS_MAX:
                    break

    async def _name(self, connection: Connection) -> str:
        name: str = await connection.fetchval("SELECT name FROM games WHERE game_id = $1", self.live["game_id"])
        return name

    async def write(self, connection: Connection) -> None:
        """Stores everything that was folded so far."""
        self.fold.settle()
        async with connection.transaction():
            await self._name_rankings(connection)
            records = (
                (table.ranking_id, player, row.prefix, row.extra, table.shape.dump(row.state), self.version, row.hidden)
                for table in self.fold.tables.values()
                for player, row in table.rows.items()
            )
            await connection.copy_records_to_table("standings", records=records, columns=STANDINGS)
            clock = ClockLines()
            clock.take_all(self.generation_id, self.fold)
            await self._write_rest(connection, clock)
        for table in self.fold.tables.values():
            for row in table.rows.values():
                row.stored = True
        self.stale = [table for table in self.fold.tables.values() if table.ranking_id]
        await connection.execute(Q["generation_status"], self.generation_id, "building", *self.upto[1:])

    async def _name_rankings(self, connection: Connection) -> None:
        fresh = [table for table in self.fold.tables.values() if not table.ranking_id and not table.idle]
        ids = await connection.fetch(WRITER["next_ranking_ids"], len(fresh)) if fresh else []
        lines = []
        for table, (ranking_id,) in zip(fresh, ids, strict=True):
            table.ranking_id = ranking_id
            lines.append((ranking_id, self.generation_id, *table.name, self.version))
        if lines:
            await connection.execute(WRITER["insert_rankings"], *columns(lines, 6))

    async def _write_rest(self, connection: Connection, clock: ClockLines) -> None:
        await clock.write(connection)
        lines = no_lines()
        lines.add(self.generation_id, self.fold)
        await lines.write(connection)
        players = profile_rows(self.generation_id, self.fold, self.version)
        if players:
            await connection.execute(WRITER["upsert_players"], *columns(players, 6))
        self.fold.profiles.clear()
        await badges.write(connection, badges.award_lines(self.generation_id, self.fold.awards))
        self.fold.awards.clear()
        await past.write(connection, self.generation_id, self.fold.corrections.fresh)
        self.fold.corrections.fresh.clear()

    async def show(self, connection: Connection, redis: Redis) -> None:
        """Fills the rankings in Redis, before the swap and for its tail, so that the first reads are fast ones."""
        writer = RankingWriter(redis)
        tables, self.stale = self.stale, []
        for table in tables:
            lines = [(player, row.prefix, row.extra) for player, row in table.rows.items() if row.prefix is not None]
            hidden = [(player, row.hidden, row.extra) for player, row in table.rows.items() if row.hidden is not None]
            dense = table.plan.style == "dense"
            await writer.rebuild(table.ranking_id, self.version, lines, hidden, dense=dense)

    async def go_live(self, connection: Connection) -> Position:
        """Holds the shard's writer up, folds the tail, and turns the switch."""
        live = self.live
        async with connection.transaction():
            row: Any = await connection.fetchrow(Q["lock_shard"], live["shard"])
            upto = (row["epoch"], row["ms"], row["seq"])
            if row["epoch"] != live["epoch"]:
                raise RankfoldError("the shard began a new epoch while the generation was built; start again")
            await connection.execute(ERASURE["lock_game"], live["game_id"])
            if await connection.fetchval(ERASURE["rewritten_count"], live["game_id"]) != self.rewritten:
                raise RankfoldError("players were erased from the archive while the generation was built; start again")
            await self.archive.read(connection, upto)
            version = await connection.fetchval(Q["swap_shard"], live["shard"])
            await self._write_tail(connection, version)
            await connection.execute(Q["retire"], live["game_id"])
            await connection.execute(Q["generation_status"], self.generation_id, "live", *upto[1:])
            await connection.execute(WRITER["go_live"], live["game_id"], self.generation_id)
            await connection.execute(WRITER["publish"], live["shard"], version, *upto)
        return Position(upto[0], live["shard"], *upto[1:])

    async def _write_tail(self, connection: Connection, version: int) -> None:
        changes = self.fold.settle()
        self.version = version
        await self._name_rankings(connection)
        new: list[tuple[Any, ...]] = []
        changed: list[tuple[Any, ...]] = []
        touched: dict[int, Table] = {}
        clock = ClockLines()
        clock.take_clock(self.generation_id, self.fold)
        for change in changes:
            table, row = change.table, change.row
            clock.take(table, (change,))
            state = table.shape.dump(row.state)
            line = (table.ranking_id, change.player, row.prefix, row.extra, state, version, row.hidden)
            (changed if row.stored else new).append(line)
            if change.moved:
                touched[table.ranking_id] = table
        if new:
            await connection.copy_records_to_table("standings", records=new, columns=STANDINGS)
        if changed:
            await connection.execute(WRITER["update_standings"], *columns(changed, 7))
        if touched:
            await connection.execute(WRITER["touch_rankings"], list(touched), version)
            self.stale = list(touched.values())
        await self._write_rest(connection, clock)
