"""The stores that the contract is for, filled and asked in the same way, and the naive model that says what is right."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg
import msgspec
from redis.asyncio import Redis

from engine.boards import BoardPlan
from engine.keys import split
from engine.leaderboard import Leaderboard
from engine.merging import merged
from engine.numbers import encode_int
from engine.places import Answer, Entry, Lookup, Place, Window
from engine.spread import owner
from projections.fallback import PostgresRankings
from projections.rankings import Pending, RankingWriter, RedisRankings
from projections.snapshots import Snapshots
from schemas.language import Board, Metric, MetricType, Ruleset

Places = dict[str, tuple[bytes | None, bytes]]
"""Prefix (None: not ranked) and extra by player."""

NOBODY: Places = {}


def plan(style: str, *, extra: bool = False, reached: bool = False) -> BoardPlan:
    """A board by points; with `extra` another metric, which the sort key does not hold, with `reached` ties are broken."""
    metrics = {name: Metric(op="sum", of=name) for name in (["points", "coins"] if extra else ["points"])}
    rules = Ruleset(game="g", boards={}, metrics={name: MetricType() for name in metrics})
    by = ["points desc", "reached"] if reached else ["points desc"]
    return BoardPlan("b", Board(rank_by=by, metrics=metrics, ranks=style), rules)  # type: ignore[arg-type]


def place(points: int | None, coins: int | None = None) -> tuple[bytes | None, bytes]:
    """Where somebody with so many points stands; None takes him out."""
    return (None if points is None else encode_int(-points)), (b"" if coins is None else encode_int(coins))


class Store(Protocol):
    """A ranking that can be filled and asked."""

    async def fill(self, plan: BoardPlan, places: Places, version: int, hidden: Places = NOBODY) -> None:
        """Shows exactly these places, as this version, and knows the places that the hidden would have."""

    async def lookup(self, lookups: list[Lookup]) -> Answer | None:
        """Answers in the order of the look-ups, or None when there is no ranking."""


class MemoryStore:
    """The ranking in memory."""

    def __init__(self) -> None:
        self.board: Leaderboard | None = None

    async def fill(self, plan: BoardPlan, places: Places, version: int, hidden: Places = NOBODY) -> None:
        if self.board is None:
            self.board = Leaderboard(plan.style)
        for player in [*(self.board._places.keys() | self.board._hidden.keys()) - places.keys() - hidden.keys()]:
            self.board.set(player, None)
        for player, (prefix, extra) in places.items():
            self.board.set(player, prefix, extra)
        for player, (prefix, extra) in hidden.items():
            self.board.set(player, None, extra, hidden=prefix)
        self.board.version = version
        self.board.check()

    async def lookup(self, lookups: list[Lookup]) -> Answer | None:
        return None if self.board is None else self.board.lookup(lookups)


class RedisStore:
    """The ranking in Redis: updates and rebuilds take turns."""

    def __init__(self, redis: Redis, ranking_id: int = 7) -> None:
        self.ranking_id = ranking_id
        self.writer = RankingWriter(redis)
        self.reader = RedisRankings(redis)
        self.shown: Places = {}
        self.hidden: Places = {}
        self.version = 0
        self.plan = plan("competition")

    async def fill(self, plan: BoardPlan, places: Places, version: int, hidden: Places = NOBODY) -> None:
        self.plan = plan
        dense = plan.style == "dense"
        if version % 3 == 0:
            await self.writer.rebuild(self.ranking_id, version, _lines(places), _lines(hidden), dense=dense)
        else:
            pending = Pending(self.version, dense=dense)
            pending.version = version
            pending.places = _changes(self.shown, places)
            pending.hidden = _changes(self.hidden, hidden)
            assert await self.writer.update({self.ranking_id: pending}) == []
        self.shown, self.hidden, self.version = places, hidden, version

    async def lookup(self, lookups: list[Lookup]) -> Answer | None:
        return await self.reader.lookup(self.ranking_id, self.plan, lookups)


def _lines(places: Places) -> list[tuple[str, bytes, bytes]]:
    return [(player, prefix, extra) for player, (prefix, extra) in places.items() if prefix is not None]


def _changes(before: Places, after: Places) -> Places:
    gone: Places = dict.fromkeys(before.keys() - after.keys(), (None, b""))
    return gone | {player: line for player, line in after.items() if before.get(player) != line}


class PostgresStore:
    """The ranking in PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.reader = PostgresRankings(pool)
        self.ranking_id = 0
        self.plan = plan("competition")

    async def fill(self, plan: BoardPlan, places: Places, version: int, hidden: Places = NOBODY) -> None:
        self.plan = plan
        async with self.pool.acquire() as connection, connection.transaction():
            if not self.ranking_id:
                self.ranking_id = await self._new(connection)
            await connection.execute("UPDATE rankings SET version = $2 WHERE ranking_id = $1", self.ranking_id, version)
            await connection.execute("DELETE FROM standings WHERE ranking_id = $1", self.ranking_id)
            lines = [(self.ranking_id, player, *line, b"", version, None) for player, line in places.items()]
            lines += [
                (self.ranking_id, player, None, extra, b"", version, prefix)
                for player, (prefix, extra) in hidden.items()
            ]
            columns = ["ranking_id", "player", "prefix", "extra", "state", "since", "hidden"]
            await connection.copy_records_to_table("standings", records=lines, columns=columns)

    async def _new(self, connection: Any) -> int:
        game: int = await connection.fetchval(
            "INSERT INTO games (name, part, shard) SELECT 'g', count(*), count(*) FROM games RETURNING game_id"
        )
        await connection.execute(
            "INSERT INTO rulesets (game_id, version, mode, text, position, recorded_ms) VALUES ($1, 1, '', '', '', 0)",
            game,
        )
        generation = await connection.fetchval(
            "INSERT INTO generations (game_id, ruleset_version, status) VALUES ($1, 1, 'live') RETURNING generation_id",
            game,
        )
        insert = "INSERT INTO rankings (generation_id, board, period, version) VALUES ($1, $2, 'all', 0) RETURNING ranking_id"
        ranking: int = await connection.fetchval(insert, generation, "b")
        # Another ranking, whose lines must never show.
        other = await connection.fetchval(insert, generation, "c")
        await connection.execute("INSERT INTO standings VALUES ($1, 'ghost', '\\x00', '', '', 1)", other)
        return ranking

    async def lookup(self, lookups: list[Lookup]) -> Answer | None:
        return await self.reader.lookup(self.ranking_id, self.plan, lookups)


class PastStore(PostgresStore):
    """The ranking as it was, out of the history: everybody has moved since, and others came."""

    version = 0

    async def fill(self, plan: BoardPlan, places: Places, version: int, hidden: Places = NOBODY) -> None:
        await super().fill(plan, places, version, hidden)
        self.version = version
        columns = "ranking_id, player, prefix, extra, hidden"
        moved = "ranking_id = $1 AND length(player) % 2 = 0"
        await self.pool.execute("DELETE FROM standings_history WHERE ranking_id = $1", self.ranking_id)
        await self.pool.execute(
            f"INSERT INTO standings_history ({columns}, from_version, to_version)"
            f" SELECT {columns}, since, since + 1 FROM standings WHERE {moved}",
            self.ranking_id,
        )
        await self.pool.execute(
            f"UPDATE standings SET prefix = '\\x01', since = since + 1, hidden = NULL WHERE {moved}", self.ranking_id
        )
        await self.pool.execute(
            "INSERT INTO standings VALUES ($1, 'too late', '\\x00', '', '', $2)", self.ranking_id, version + 1
        )

    async def lookup(self, lookups: list[Lookup]) -> Answer | None:
        if not self.ranking_id:
            return None
        return await self.reader.lookup(self.ranking_id, self.plan, lookups, self.version)


class SnapshotStore(PastStore):
    """The same, out of a snapshot in Redis."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis) -> None:
        super().__init__(pool)
        self.snapshots = Snapshots(pool, redis)
        self.past = RedisRankings(redis)

    async def fill(self, plan: BoardPlan, places: Places, version: int, hidden: Places = NOBODY) -> None:
        await super().fill(plan, places, version, hidden)
        await self.snapshots.build(self.ranking_id, version, dense=plan.style == "dense")

    async def lookup(self, lookups: list[Lookup]) -> Answer | None:
        return await self.past.lookup(self.ranking_id, self.plan, lookups, self.version)


class MergedStore:
    """One ranking of which each of several stores holds its part."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self.stores = stores
        self.plan = plan("competition")

    async def fill(self, plan: BoardPlan, places: Places, version: int, hidden: Places = NOBODY) -> None:
        self.plan = plan
        for part, store in enumerate(self.stores):
            owns = owner(part, len(self.stores))
            assert owns is not None
            mine = [{player: line for player, line in held.items() if owns(player)} for held in (places, hidden)]
            await store.fill(plan, mine[0], version, mine[1])

    async def lookup(self, lookups: list[Lookup]) -> Answer | None:
        merging = merged(self.plan.style, len(self.stores), lookups)
        asked = next(merging)
        while True:
            answers = [await store.lookup(each) for store, each in zip(self.stores, asked, strict=True)]
            known = [answer for answer in answers if answer is not None]
            if len(known) < len(answers):
                return None
            try:
                asked = merging.send(known)
            except StopIteration as stop:
                answer: Answer = stop.value
                return answer._replace(version=answer.version // len(self.stores))


class Naive:
    """The definitions, by counting."""

    def __init__(self, plan: BoardPlan, places: Places, version: int, hidden: Places = NOBODY) -> None:
        self.plan, self.places, self.hidden = plan, places, hidden
        self.style = plan.style
        self.version = version
        held = [(prefix, player, extra) for player, (prefix, extra) in places.items() if prefix is not None]
        self.lines = sorted(held, key=lambda line: (line[0], line[1].encode()))
        self.groups = Counter(prefix for prefix, _, _ in held)

    def rank(self, at: int) -> int:
        """1224: one more than are better; 1223: one more than better groups; 1334: as many as are not worse."""
        mine = self.lines[at][0]
        better = [count for prefix, count in self.groups.items() if prefix < mine]
        ranks = {
            "competition": sum(better) + 1,
            "dense": len(better) + 1,
            "ordinal": at + 1,
            "modified": sum(better) + self.groups[mine],
        }
        return ranks[self.style]

    def tied(self, at: int) -> int:
        """How many share the place, himself included."""
        return self.groups[self.lines[at][0]]

    def window(self, first: int, limit: int) -> Window:
        """`limit` entries from an ordinal on."""
        ordinals = range(len(self.lines))[first : first + max(0, limit)]
        entries = []
        for at in ordinals:
            prefix, player, extra = self.lines[at]
            entries.append(Entry(player, prefix, extra, at, self.rank(at), self.tied(at) > 1))
        return Window(first, len(self.lines), entries)

    def place(self, player: str, around: int) -> Place | None:
        """A player's place; a hidden one's in the ranking that would show him and no other hidden one."""
        if player in self.hidden:
            return self.absent(player, self.hidden[player], around)
        for at, (prefix, name, extra) in enumerate(self.lines):
            if name == player:
                first = max(0, at - around)
                window = self.window(first, at + around + 1 - first) if around else None
                return Place(player, prefix, extra, at, self.rank(at), self.tied(at), len(self.lines), window)
        return None

    def absent(self, player: str, line: tuple[bytes | None, bytes], around: int) -> Place:
        """The place of somebody who is not shown."""
        found = Naive(self.plan, {**self.places, player: line}, self.version).place(player, 0)
        assert found is not None
        first = max(0, found.ordinal - around)
        window = self.window(first, found.ordinal + around - first) if around else None
        return msgspec.structs.replace(found, hidden=True, around=window)

    def find(self, lookup: Lookup) -> Place | Window | None:
        """The answer to one look-up."""
        kind, what, count = lookup
        if kind == "player":
            return self.place(str(what), count)
        if isinstance(what, int):
            return self.window(what if kind == "at" else 0, count)
        assert isinstance(what, bytes)
        prefix, player = split(what)
        if kind == "guest":
            return self.absent(player, (prefix, b""), count)
        mine = (prefix, player.encode())
        keys = [(held, name.encode()) for held, name, _ in self.lines]
        if kind == "after":
            return self.window(sum(key <= mine for key in keys), count)
        before = sum(key < mine for key in keys)
        first = max(0, before - count)
        return self.window(first, before - first)

    def lookup(self, lookups: list[Lookup]) -> Answer:
        """The answer to all of them."""
        return Answer(self.version, len(self.lines), [self.find(lookup) for lookup in lookups])
