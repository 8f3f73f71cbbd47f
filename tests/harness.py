"""A consumer on real servers, for tests: in this process, batch by batch, or as a child process that may be killed.

`running` migrates an empty database and yields a `Harness`. `Harness.consuming` drives a shard consumer and its publisher
without FastStream; `Harness.child` runs `python -m cli.main consume`.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Set
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumers.crash import Crash
from consumers.parts import Limits
from consumers.publisher import Publisher
from consumers.shard import ShardConsumer
from engine.keys import member
from engine.rules import Game
from projections import generations, replay
from projections.answers import version_of
from projections.database import connect, queries
from projections.dead_letters import DeadLetter, list_
from projections.migrate import migrate
from projections.names import applied_key, epoch_key, ranking_keys, stream_key
from projections.rankings import RankingWriter
from projections.store import Store
from schemas.position import parse_entry
from schemas.ruleset import parse
from tests.child import Child
from tests.services import PATIENCE_S, eventually

ROOT = Path(__file__).parents[1]
READER = queries("reader")

RULES = """
game = "arcade"
time_zone = "Europe/Berlin"
[metrics.points]
[metrics.seconds]
scale = 1

[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[sources.race]
origin = "placements"
points = [25, 18, 15]

[boards.best]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc", "seconds asc", "reached"]
periods = ["all", "daily"]
[boards.best.metrics.points]
op = "max"
of = "points"
[boards.best.metrics.seconds]
op = "min"
of = "seconds"

[boards.total]
sources = ["score", "adjustment"]
rank_by = ["points desc"]
ranks = "dense"
[boards.total.metrics.points]
op = "sum"
of = "points"
[boards.total.metrics.runs]
op = "count"

[boards.cup]
sources = ["race"]
rank_by = ["points desc", { countback = "position", places = 3 }]
periods = ["all", "round"]
[boards.cup.metrics.points]
op = "sum"
of = "points"
"""


def event(type_: str, id_: str, game: str = "arcade", **fields: Any) -> dict[str, Any]:
    """An event as publishers write it."""
    return {"type": type_, "id": id_, "game": game, **fields}


def score(id_: str, player: str, points: Any, **fields: Any) -> dict[str, Any]:
    """A score."""
    return event("score", id_, **{"player": player, "values": {"points": points}, **fields})


def ruleset(text: str = RULES, version: int = 1, game: str = "arcade", **fields: Any) -> dict[str, Any]:
    """A version of a game's rules."""
    return event("ruleset", f"rules-{version}", game, **{"version": version, "text": text, **fields})


def renamed(game: str, text: str = RULES) -> str:
    """The same rules for another game."""
    return text.replace('game = "arcade"', f'game = "{game}"')


class Reader:
    """Hands the log to a shard consumer in this process, as the subscriber does in a consumer process."""

    def __init__(self, harness: "Harness", consumer: ShardConsumer, publisher: Publisher, batch: int) -> None:
        self.harness = harness
        self.consumer = consumer
        self.publisher = publisher
        self.batch = batch
        self.after = b"0-0"

    async def step(self) -> bool:
        """Reads and hands over one batch; False when there was none."""
        if self.consumer.rewound.is_set():
            self.consumer.rewound.clear()
            self.after = f"{self.consumer.state.ms}-{self.consumer.state.seq}".encode()
        key = stream_key(self.consumer.shard)
        for _, entries in await self.harness.log.xread({key: self.after}, count=self.batch) or ():
            self.after = entries[-1][0]
            await self.consumer.handle(entries)
            return True
        return False

    async def drain(self) -> None:
        """Hands over everything, and waits until it is committed and shown."""
        while await self.step():
            pass
        await self.harness.caught_up(self.consumer.shard)

    async def run(self) -> None:
        """Hands over whatever comes, until it is cancelled."""
        while True:
            try:
                if not await self.step():
                    await asyncio.sleep(0.01)
            except (RedisError, OSError):
                await asyncio.sleep(0.05)


class Harness:
    """Connections to the three servers, what goes into the log, and what came out of it."""

    def __init__(self, urls: tuple[str, str, str], pool: asyncpg.Pool, folder: Path) -> None:
        self.database_url, self.log_url, self.rankings_url = urls
        self.pool = pool
        self.store = Store(pool)
        self.log: Redis[bytes] = Redis.from_url(self.log_url)
        self.rankings: Redis[bytes] = Redis.from_url(self.rankings_url)
        self.folder = folder
        self.children: list[Child] = []

    async def close(self) -> None:
        """Ends the children and closes the connections."""
        for child in self.children:
            child.kill()
        await self.log.aclose()
        await self.rankings.aclose()
        await self.pool.close()

    async def publish(self, *bodies: Any, shard: int = 0) -> list[tuple[int, int]]:
        """Appends bodies (objects or bytes) to the log; returns their entry ids."""
        pipeline = self.log.pipeline(transaction=False)
        for body in bodies:
            data = body if isinstance(body, bytes) else msgspec.json.encode(body)
            pipeline.xadd(stream_key(shard), {"event": data})
        return [parse_entry(entry) for entry in await pipeline.execute()]

    @asynccontextmanager
    async def consuming(
        self, *, shard: int = 0, total: int = 1, batch: int = 1_000, **others: int
    ) -> AsyncIterator[Reader]:
        """A started shard consumer in this process. `others` are those of its limits that are not the usual ones."""
        publisher = Publisher(shard, self.store, RankingWriter(self.rankings), Crash(None))
        limits = Limits(batch_events_max=batch, **({"cache_rows": 100_000, "keep_log_s": 3_600} | others))
        consumer = ShardConsumer(shard, self.store, publisher, self.log, total=total, limits=limits)
        reader = Reader(self, consumer, publisher, batch)
        reader.after = (await consumer.start()).encode()
        try:
            yield reader
        finally:
            await consumer.stop()

    def child(self, crash_at: str | None = None, **settings: object) -> Child:
        """Starts a consumer process. `settings` are environment variables without RANKFOLD_, in lower case."""
        given = {"crash_at": crash_at, **settings}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RANKFOLD_")}
        environment |= {f"RANKFOLD_{name.upper()}": str(value) for name, value in given.items() if value is not None}
        environment |= {
            "REDIS_LOG_URL": self.log_url,
            "REDIS_RANKINGS_URL": self.rankings_url,
            "DATABASE_URL": self.database_url,
        }
        log = self.folder / f"consumer-{len(self.children)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "consume"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.children.append(Child(process, log))
        return self.children[-1]

    @contextmanager
    def living(self, **settings: object) -> Iterator[Child]:
        """A consumer process that is killed at the end."""
        child = self.child(**settings)
        try:
            yield child
        finally:
            child.kill()

    async def value(self, query: str, *arguments: Any) -> Any:
        """The first value that a query gives."""
        return await self.pool.fetchval(query, *arguments)

    async def reached(self, entry: tuple[int, int], shard: int = 0, seconds: float = PATIENCE_S) -> None:
        """Waits until the shard's committed position is at an entry or behind it."""

        async def there() -> bool:
            state = await self.store.shard(shard)
            return (state.ms, state.seq) >= entry

        await eventually(there, seconds, lambda: f"the position reaches {entry}: {self._logs()}")

    async def caught_up(self, shard: int = 0, seconds: float = PATIENCE_S) -> None:
        """Waits until everything in the log is committed and the rankings show it."""
        last: Any = await self.log.xrevrange(stream_key(shard), count=1)
        if last:
            await self.reached(parse_entry(last[0][0]), shard, seconds)
        await self.shown(shard, seconds)

    async def shown(self, shard: int = 0, seconds: float = PATIENCE_S) -> None:
        """Waits until the rankings show everything that is committed."""

        async def there() -> bool:
            raw: Any = await self.rankings.get(applied_key(shard))
            version = (await self.store.shard(shard)).version
            return raw is not None and int(raw.split()[0]) >= version and await self._versions_agree(shard)

        await eventually(there, seconds, lambda: f"the rankings show what is committed: {self._logs()}")

    async def _versions_agree(self, shard: int) -> bool:
        for row in await self.pool.fetch(READER["live_versions"], [shard]):
            raw: Any = await self.rankings.hget(ranking_keys(row["ranking_id"])[1], "")
            if raw is None or b">" in raw or version_of(raw) != row["version"]:
                return False
        return True

    def _logs(self) -> str:
        return "".join(f"\n--- child {child.process.pid}\n{child.log[-3000:]}" for child in self.children[-3:])

    async def verify(self, game: str = "arcade", generation: int | None = None, part: int = 0) -> replay.Verification:
        """Compares the live projections, or those of another generation, with a replay."""
        return await replay.verify(self.pool, game, silent, generation_id=generation, part=part)

    async def swap(self, game: str = "arcade", **options: Any) -> generations.Built:
        """Builds a new generation and makes it live."""
        return await self.build(game, to="live", **options)

    async def build(
        self, game: str = "arcade", *, to: generations.Part = "shadow", **options: Any
    ) -> generations.Built:
        """Builds a generation, or goes on with one that was broken off, and makes it a shadow."""
        redis = options.pop("redis", self.rankings)
        generation = await generations.begin(self.pool, game, **options)
        return await generations.build(self.pool, redis, generation, silent, to=to)

    async def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""
        return await list_(self.pool, None, 0, 1_000_000, None)

    async def assert_exact(self, *games: str) -> None:
        """Live equals replay for every game, and the rankings in Redis equal those in PostgreSQL, byte by byte."""
        for game, part in await self.pool.fetch("SELECT name, part FROM games ORDER BY game_id"):
            if games and game not in games:
                continue
            found = await self.verify(game, part=part)
            assert found.differences == []
            assert found.live_digest == found.replayed_digest
        await self.assert_rankings_agree()

    async def assert_rankings_agree(self, skipped: Set[int] = frozenset()) -> None:
        """Every live ranking in Redis holds what PostgreSQL holds: order, places, extras, hidden and distinct keys, version.

        But for those that are `skipped`.
        """
        for (generation,) in await self.pool.fetch("SELECT live_generation FROM games"):
            await self.assert_rankings_agree_of(generation, skipped)

    async def assert_rankings_agree_of(self, generation: int, skipped: Set[int] = frozenset()) -> None:
        """The same of one generation."""
        rows = await self.pool.fetch("SELECT ranking_id FROM rankings WHERE generation_id = $1", generation)
        for ranking_id in {row[0] for row in rows} - skipped:
            found = await self.store.ranking_lines(ranking_id)
            assert found is not None
            version, dense, lines, hidden = found
            shown = await self.redis_ranking(ranking_id)
            expected = (
                version,
                sorted(member(prefix, player) for player, prefix, _ in lines),
                {player: (prefix, extra) for player, prefix, extra in lines},
                sorted({prefix for _, prefix, _ in lines}) if dense else [],
                {player: (prefix, extra) for player, prefix, extra in hidden},
            )
            assert shown == expected, f"ranking {ranking_id}"

    async def redis_ranking(
        self, ranking_id: int
    ) -> tuple[int | None, list[bytes], dict[str, tuple[bytes, bytes]], list[bytes], dict[str, tuple[bytes, bytes]]]:
        """(version, members in order, places, distinct prefixes, hidden places) as the rankings' Redis holds them."""
        members, places, distinct, hidden = ranking_keys(ranking_id)
        held: Any = await self.rankings.hgetall(places)
        version = version_of(held.pop(b"", None))
        ordered: Any = await self.rankings.zrange(members, 0, -1)
        prefixes: Any = await self.rankings.zrange(distinct, 0, -1)
        veiled: Any = await self.rankings.hgetall(hidden)
        return version, ordered, _places(held), prefixes, _places(veiled)

    async def board(self, board: str, period: str = "all", game: str = "arcade") -> dict[str, dict[str, Any]]:
        """The metrics of the ranked players, best first, as PostgreSQL holds them."""
        row = await self.pool.fetchrow(
            "SELECT r.ranking_id, t.text FROM games g JOIN generations n ON n.generation_id = g.live_generation"
            " JOIN rulesets t ON t.game_id = g.game_id AND t.version = n.ruleset_version"
            " JOIN rankings r ON r.generation_id = n.generation_id"
            " WHERE g.name = $1 AND r.board = $2 AND r.period = $3 AND r.segment = ''",
            game,
            board,
            period,
        )
        if row is None:
            return {}
        plan = Game(parse(row["text"])).boards[board]
        lines = await self.pool.fetch(
            "SELECT player, prefix, extra FROM standings WHERE ranking_id = $1 AND prefix IS NOT NULL"
            " ORDER BY prefix, player",
            row["ranking_id"],
        )
        return {player: plan.decode(prefix, extra) for player, prefix, extra in lines}

    async def points(self, board: str = "total", game: str = "arcade") -> dict[str, Any]:
        """The points of the ranked players."""
        return {player: metrics["points"] for player, metrics in (await self.board(board, game=game)).items()}

    async def verdicts(self) -> dict[int, int]:
        """How many entries the archive holds of each verdict."""
        return dict(await self.pool.fetch("SELECT verdict, count(*) FROM log GROUP BY verdict"))


def _places(held: dict[bytes, bytes]) -> dict[str, tuple[bytes, bytes]]:
    found = {}
    for player, value in held.items():
        size = 2 + int.from_bytes(value[:2], "big")
        found[player.decode()] = (value[2:size], value[size:])
    return found


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


@asynccontextmanager
async def running(
    database_url: str, log_url: str, rankings_url: str, folder: Path, *, shards: int = 1
) -> AsyncIterator[Harness]:
    """A harness on an empty database; the shards' logs have their epochs."""
    await migrate(database_url)
    pool = await connect(database_url)
    harness = Harness((database_url, log_url, rankings_url), pool, folder)
    try:
        for shard in range(shards):
            await pool.execute(queries("writer")["new_shard"], shard)
            await harness.log.set(epoch_key(shard), 1)
        yield harness
    finally:
        await harness.close()
