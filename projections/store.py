"""What the shard writer reads and writes in PostgreSQL: rows in bulk, and one transaction a batch.

Exactly once rests on `commit`: it moves the shard's position from exactly the value that the batch was read after, or
changes nothing. Everything is set-based.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import asyncpg

from engine.rules import compile_ruleset
from engine.shapes import Row
from engine.tables import Table
from projections import contests, copies, epochs, freezes, past, surrogates
from projections.batch import Batch, LiveGame, ShardState
from projections.clock import Q as CLOCK
from projections.clock import load_due, resume
from projections.commit import advance, extend, write, write_feed, write_rules
from projections.database import columns, queries
from schemas.events import Reinstate, Void
from schemas.position import Position
from schemas.ruleset import parse

Q = queries("writer")


LEAP = 1_000_000
"""More than the publications between two marks of how far the archive is."""

RankingLine = tuple[str, bytes, bytes]
"""(player, prefix, extra)."""


class Store:
    """The writer's access to PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self._partitions: set[str] = set()

    async def shard(self, shard: int) -> ShardState:
        """The committed state of a shard, which is created when it is new."""
        row = await self.pool.fetchrow(Q["shard"], shard)
        if row is None:
            await self.pool.execute(Q["new_shard"], shard)
            row = await self.pool.fetchrow(Q["shard"], shard)
        assert row is not None
        return ShardState(*row)

    async def log_shards(self, otherwise: int) -> int:
        """How many shards the log has; `otherwise` while nobody has said so."""
        epoch = await epochs.latest(self.pool)
        return otherwise if epoch is None else epoch.shards

    async def leap(self, shard: int, state: ShardState, seen: int) -> ShardState:
        """Has the versions of a shard's publications go on behind `seen`, the last that readers may have been shown.

        For a database that was restored to an earlier time: what readers keep by version must not look current.
        """
        await self.pool.execute(Q["leap"], shard, state.version, max(seen, state.version) + LEAP)
        return await self.shard(shard)

    async def games(self, names: Iterable[str], shard: int) -> list[LiveGame]:
        """The games among `names` that exist, as `resumed` has them; of spread ones what lives on a shard."""
        found = await self.resumed(await self.pool.fetch(Q["game"], list(names), shard))
        games = {live.game_id: live for live in found if not live.is_shadow}
        for shadow in found:
            if shadow.is_shadow:
                games[shadow.game_id].shadows += (shadow,)
        return list(games.values())

    async def resumed(self, rows: Iterable[asyncpg.Record]) -> list[LiveGame]:
        """Generations with folds that go on where they are, and nothing loaded but sanctions, voids and who takes part.

        The number of queries does not depend on the number of games.
        """
        found: dict[int, LiveGame] = {}
        for row in rows:
            game = compile_ruleset(parse(row["text"]))
            live = LiveGame(
                row["game_id"],
                row["name"],
                row["shard"],
                row["generation_id"],
                row["ruleset_version"],
                game,
                row["parts"],
            )
            live.erased = row["erased"]
            live.is_shadow = row["status"] == "shadow"
            resume(live.fold, row["clock_ms"])
            found[live.generation_id] = live
            # Rulesets are compiled by the thousand when a shard starts: leases are renewed meanwhile.
            await asyncio.sleep(0)
        folds = {generation_id: live.fold for generation_id, live in found.items()}
        for row in await self.pool.fetch(Q["sanctions"], list(folds)) if folds else ():
            folds[row["generation_id"]].sanctions[row["player"]] = row["status"]
        await contests.load_joined(self.pool.fetch, folds)
        await past.load_voided(self.pool.fetch, folds)
        await freezes.load(self.pool.fetch, list(found.values()))
        return list(found.values())

    async def load_contests(self, live: LiveGame, events: list[Any]) -> None:
        """Makes present what these events of fixtures, picks and results need of contests."""
        recent = [line for lines in live.uncommitted.values() for line in lines]
        await contests.load(self._by_index, live.generation_id, live.fold, events, recent)

    async def load_past(self, live: LiveGame, events: list[Void | Reinstate], upto: Position) -> None:
        """Makes present what these corrections look up. Everything before them must have been committed."""
        targets = await past.load(self._by_index, live.game_id, live.fold, events, upto)
        if targets:
            await self.load_contests(live, targets)

    async def refold(self, live: LiveGame, upto: Position) -> None:
        """Folds the rows anew from which a mark could not be taken back."""
        await past.refold(self._by_index, live.game_id, live.fold, upto)

    async def load_player(self, live: LiveGame, player: str) -> None:
        """Makes everything present that names a player, but for the rows that `load_rows` finds."""
        fold, generation_id = live.fold, live.generation_id
        named = await surrogates.load_contests_naming(self._by_index, generation_id, fold, player)
        results = [contest.result for contest in named if contest.result is not None]
        if results:
            await contests.load(self._by_index, generation_id, fold, results, [])

    async def due_games(self, shard: int, now_ms: int) -> list[str]:
        """The games of a shard in which a place should have changed by now, although no event came."""
        return [name for (name,) in await self._by_index(CLOCK["due_games"], shard, now_ms)]

    async def load_rows(self, live: LiveGame, batch: Batch) -> None:
        """Makes every row that the staged steps need present; the others are new."""
        fold = live.fold
        await self.name_rankings(live, batch)
        if await load_due(self._by_index, _put, live.generation_id, fold, batch.version):
            batch.clock.take_clock(live.generation_id, fold)
        if fold.restated:
            for row in await self._by_index(Q["rows_of_players"], live.generation_id, list(fold.restated)):
                table = fold.table(row["board"], row["period"], row["segment"])
                table.ranking_id = row["ranking_id"]
                _put(table, row)
        completed = await copies.complete(self._by_index, _put, live.generation_id, fold)
        wanted = [(table.ranking_id, entrant) for table, entrants in fold.missing().items() for entrant in entrants]
        if wanted:
            by_id = {table.ranking_id: table for table in fold.tables.values()}
            for row in await self._by_index(Q["rows"], *columns(wanted, 2)):
                _put(by_id[row["ranking_id"]], row)
        if fold.game.traits or completed:
            await self._load_copies(live, batch, completed)

    async def _load_copies(self, live: LiveGame, batch: Batch, completed: set[Table]) -> None:
        """Makes the rows of segments by players' attributes present that are settled with the staged steps."""
        needed = await copies.learn(self._by_index, live.generation_id, live.fold, completed, batch.version)
        await self.name_rankings(live, batch)
        await copies.load(self._by_index, _put, needed)

    async def name_rankings(self, live: LiveGame, batch: Batch) -> None:
        """Gives new tables the id of their ranking, from the database or fresh."""
        unnamed = {table.name: table for table in live.fold.tables.values() if not table.ranking_id}
        if not unnamed:
            return
        rows = await self.pool.fetch(Q["rankings"], live.generation_id, *columns(list(unnamed), 3))
        for row in rows:
            unnamed.pop((row["board"], row["period"], row["segment"])).ranking_id = row["ranking_id"]
        fresh = await self.fresh_ranking_ids(len(unnamed)) if unnamed else []
        for (name, table), ranking_id in zip(unnamed.items(), fresh, strict=True):
            # Nobody else has rows of it: there is nothing to load.
            table.ranking_id, table.whole = ranking_id, True
            batch.new_rankings.append((ranking_id, live.generation_id, *name, batch.version))

    async def fresh_ranking_ids(self, count: int) -> list[int]:
        """Ids for new rankings."""
        return [ranking_id for (ranking_id,) in await self.pool.fetch(Q["next_ranking_ids"], count)]

    async def known_ids(self, ids: list[tuple[int, bytes]]) -> dict[tuple[int, bytes], asyncpg.Record]:
        """Which (game id, id hash) pairs were used before, and where."""
        if not ids:
            return {}
        rows = await self._by_index(Q["known_ids"], *columns(ids, 2))
        return {(row["game_id"], row["id_hash"]): row for row in rows}

    async def _by_index(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        async with self.pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(Q["by_index"])
            return await connection.fetch(query, *arguments)

    async def ensure_partitions(self, first_ms: int, last_ms: int) -> None:
        """Makes the archive's monthly partitions for this stretch of recorded time."""
        day = datetime.fromtimestamp(first_ms / 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        while day.timestamp() * 1000 <= last_ms:
            following = day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1)
            name = _partition(day)
            if name not in self._partitions:
                start, end = (int(moment.timestamp()) * 1000 for moment in (day, following))
                # Several shards come to a new month at once; whether the table exists is asked before it is waited for.
                with contextlib.suppress(asyncpg.DuplicateTableError, asyncpg.UniqueViolationError):
                    await self.pool.execute(
                        f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF log FOR VALUES FROM ({start}) TO ({end})"
                    )
                self._partitions.add(name)
            day = following

    def covers(self, ms: int) -> bool:
        """Whether the archive is known to have a partition for this time: none can be made while a batch is written."""
        return _partition(datetime.fromtimestamp(ms / 1000, UTC)) in self._partitions

    async def dead_letter(self, lines: list[tuple[Any, ...]]) -> None:
        """Records entries that cannot be folded, outside a batch; those that are recorded already stay as they are."""
        await self.pool.execute(Q["dead_letter"], *columns(lines, 8))

    async def latest_ruleset(self, game_id: int) -> int:
        """The newest version of a game's rules."""
        version: int = await self.pool.fetchval(Q["latest_ruleset"], game_id)
        return version

    async def parts_of(self, game: str) -> int | None:
        """Over how many shards a game is spread (1: not spread); None where no part of it is there yet."""
        parts: int | None = await self.pool.fetchval(Q["parts_of"], game)
        return parts

    async def ruleset_elsewhere(self, game: str, version: int, text: str) -> bool:
        """Whether another part of a spread game has a version of the rules with another text."""
        found: bool = await self.pool.fetchval(Q["ruleset_elsewhere"], game, version, text)
        return found

    async def ruleset_text(self, game_id: int, version: int) -> str | None:
        """The text of a version, or None when there is none."""
        text: str | None = await self.pool.fetchval(Q["ruleset_text"], game_id, version)
        return text

    async def ranking_lines(self, ranking_id: int) -> tuple[int, bool, list[RankingLine], list[RankingLine]] | None:
        """(version, whether its ranks are dense, lines, hidden lines) of a ranking in one snapshot; None when unknown."""
        async with (
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            row = await connection.fetchrow(Q["ranking"], ranking_id)
            if row is None:
                return None
            lines = await connection.fetch(Q["lines"], ranking_id)
        style = parse(row["text"]).boards[row["board"]].ranks
        shown: list[RankingLine] = []
        veiled: list[RankingLine] = []
        for player, prefix, extra, hidden in lines:
            (veiled if hidden else shown).append((player, prefix, extra))
        return row["version"], style == "dense", shown, veiled

    async def commit(self, batch: Batch, inside: Callable[[], None]) -> None:
        """Writes a batch in one transaction, or raises ConcurrentWriter and changes nothing.

        A batch with a feed still grows meanwhile. `inside` is called when everything is written and nothing committed yet.
        """
        await self.ensure_partitions(batch.state.ms or batch.upto[0], batch.upto[0])
        try:
            await self._commit(batch, inside)
        except asyncpg.CheckViolationError:
            # A month that was there has been dropped since; the next attempt makes it anew.
            self._partitions.clear()
            raise

    async def _commit(self, batch: Batch, inside: Callable[[], None]) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await advance(connection, batch)
            if batch.feed is not None:
                await write_feed(connection, batch.feed)
                await extend(connection, batch)
            if batch.rules is not None:
                await write_rules(connection, batch)
            await write(connection, batch)
            inside()


def _partition(month: datetime) -> str:
    return f"log_{month:%Y_%m}"


def _put(table: Table, row: asyncpg.Record) -> None:
    """A row as it is committed, unless memory holds it: a later batch may have changed it already."""
    if row["player"] in table.rows:
        return
    held = Row(table.shape.load(row["state"]), row["prefix"], row["extra"], row["since"])
    held.hidden = row["hidden"]
    held.stored = True
    table.rows[row["player"]] = held
