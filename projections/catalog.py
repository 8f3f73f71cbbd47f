"""The reader's view of what exists: games, their live generations, compiled rulesets and rankings.

Kept in memory and refreshed on a timer, and at once when something is asked for that it does not know; so an ordinary read
costs no query, a swap of generations is seen within the poll interval, and a new game at its first request.
"""

import asyncio
import contextlib
import copy
import itertools
import logging
import time
from collections.abc import Sequence

import asyncpg

from engine.rules import Game, compile_ruleset
from projections import freezes
from projections.database import AWAY, queries
from projections.epochs import Epoch, latest
from projections.freezes import Freeze
from projections.tasks import end
from schemas.errors import NotFound, Unavailable
from schemas.position import Position
from schemas.ruleset import parse

log = logging.getLogger("rankfold.api")
Q = queries("reader")
PAST = queries("snapshots")
PEERS = queries("generations")["peers"]
POLL_S = 0.5
START_S = 2.0
"""So long whoever starts waits for the database."""

MISS_INTERVAL_S = 0.02
"""At most this often a miss asks the database again, however many requests miss."""


class GameInfo:
    """A game as readers see it: `rankings` maps (board, period, segment) to a ranking id. `retired`: as they saw it once.

    A spread game is known by its first part; each part has rankings of its own.
    """

    __slots__ = (
        "folded",
        "game",
        "game_id",
        "generation_id",
        "name",
        "part",
        "parts",
        "rankings",
        "retired",
        "ruleset_version",
        "shard",
        "since",
    )

    def __init__(self, row: asyncpg.Record, game: Game) -> None:
        self.game_id: int = row["game_id"]
        self.name: str = row["name"]
        self.shard: int = row["shard"]
        self.part: int = row["part"]
        self.parts: tuple[GameInfo, ...] = (self,)
        """All parts of a spread game in the order of their shards; of any other game itself."""
        self.generation_id: int = row["live_generation"]
        self.ruleset_version: int = row["ruleset_version"]
        self.game = game
        self.retired = False
        self.folded: Position | None = None
        """Up to where a generation is folded that does not follow the log."""
        self.rankings: dict[tuple[str, str, str], int] = {}
        self.since: dict[int, int] = {}
        """The versions in which rankings were made."""


_NEVER = (-1, 0)
RETIRED_MAX = 64
"""So many generations that are live no longer are remembered."""


class Catalog:
    """`start` it before use, `stop` it afterwards."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self._games: dict[str, GameInfo] = {}
        self.begun: dict[str, int] = {}
        """Spread games of which parts are missing still, and how many there are to be."""
        self._by_generation: dict[int, GameInfo] = {}
        self._retired: dict[int, GameInfo] = {}
        self.freezes: dict[int, list[Freeze]] = {}
        """By game; also those that ended a moment ago."""
        self.freezes_token = 0
        self._last_ranking = 0
        self.epoch: Epoch | None = None
        """The log's epoch, as of which the games' shards are; None while it never had a consumer."""
        self._told: dict[int, tuple[int, int]] = {}
        """By shard: the last change of generations, and of profiles, as of which the games are known."""
        self._lock = asyncio.Lock()
        self._refreshed = 0.0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads everything, and keeps it fresh from now on. While the database is away it is loaded when that comes."""
        try:
            async with asyncio.timeout(START_S):
                await self.refresh()
        except AWAY as error:
            log.warning("the database is away; games are loaded when it answers: %s", type(error).__name__)
        self._task = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Ends the refreshing."""
        if self._task is not None:
            await end([self._task])

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.refresh()
            except AWAY:
                # What is known stays served; readiness reports the database.
                continue
            except asyncpg.PostgresError as error:
                # So it is with one that came without its migrations, or lets nobody in.
                log.warning("games cannot be loaded: %s", error)

    async def refresh(self) -> None:
        """Reads what has changed since the last time."""
        async with self._lock:
            await self._read()

    async def _read(self) -> None:
        began = time.monotonic()
        async with self.pool.acquire() as connection:
            # Before the games: who appends with an epoch that is over is told so, and asks again.
            epoch = await latest(connection)
            told = {row["shard"]: (row["catalog"], row["profiles"]) for row in await connection.fetch(Q["told"])}
            rows = await connection.fetch(Q["catalog"])
            known = {(info.name, info.part): info for each in self._games.values() for info in each.parts}
            infos = {info.game_id: info for row in rows if (info := _known(known, row)) is not None}
            new = [row for row in rows if row["game_id"] not in infos]
            infos.update({info.game_id: info for info in await self._learn(connection, new)})
            games, self.begun = _joined(rows, infos)
            if self._retired:
                # What was retired may have gone on and be retired again.
                changed = {row["game_id"] for row in new}
                self._retired = {number: info for number, info in self._retired.items() if info.game_id not in changed}
            self._by_generation = {info.generation_id: info for info in infos.values()}
            self._games, self.epoch, self._told = games, epoch, told
            # Ids are drawn before their transaction commits, so one a little lower may become visible later.
            for row in await connection.fetch(Q["rankings_after"], self._last_ranking, list(self._by_generation)):
                info = self._by_generation[row["generation_id"]]
                info.rankings[(row["board"], row["period"], row["segment"])] = row["ranking_id"]
                info.since[row["ranking_id"]] = row["since"]
                self._last_ranking = max(self._last_ranking, row["ranking_id"])
            # After the games: whoever sees a generation has to know what was frozen before it went live.
            token = await freezes.token(connection)
            held: dict[int, list[Freeze]] = {}
            for freeze in await freezes.known(connection):
                held.setdefault(freeze.game_id, []).append(freeze)
                await self._learn_retired(connection, freeze.generation_id)
            self.freezes, self.freezes_token = held, token
        self._refreshed = began

    async def _learn(self, connection: asyncpg.pool.PoolConnectionProxy, rows: list[asyncpg.Record]) -> list[GameInfo]:
        """What there is to know of new games and generations: in two queries, however many they are."""
        if not rows:
            return []
        wanted = [row["game_id"] for row in rows], [row["ruleset_version"] for row in rows]
        texts = {row["game_id"]: row["text"] for row in await connection.fetch(Q["ruleset_texts"], *wanted)}
        infos = {}
        for row in rows:
            infos[row["live_generation"]] = GameInfo(row, compile_ruleset(parse(texts[row["game_id"]])))
            # There may be thousands: requests are answered meanwhile.
            await asyncio.sleep(0)
        for ranking in await connection.fetch(Q["rankings_of"], list(infos)):
            key = (ranking["board"], ranking["period"], ranking["segment"])
            infos[ranking["generation_id"]].rankings[key] = ranking["ranking_id"]
            infos[ranking["generation_id"]].since[ranking["ranking_id"]] = ranking["since"]
        return list(infos.values())

    @property
    def loaded(self) -> bool:
        """Whether the games were ever loaded."""
        return self._refreshed > 0

    async def games(self) -> list[GameInfo]:
        """Every game, by name."""
        if not self.loaded:
            await self._missed()
        return list(self._games.values())

    def known(self, name: str) -> GameInfo | None:
        """A game without asking the database."""
        return self._games.get(name)

    async def game(self, name: str) -> GameInfo:
        """A game; raises NotFound."""
        info = self._games.get(name)
        if info is None:
            await self._missed()
            info = self._games.get(name)
        if info is None:
            raise NotFound("game", name)
        return info

    async def generation(self, info: GameInfo, generation_id: int) -> GameInfo:
        """The game as one of its generations has it, which need not be live any more."""
        if generation_id == info.generation_id:
            return info
        if generation_id not in self._retired:
            async with self.pool.acquire() as connection:
                await self._learn_retired(connection, generation_id)
        found = self._retired.get(generation_id)
        if found is None:
            raise NotFound("generation", str(generation_id))
        return found

    async def _learn_retired(self, connection: asyncpg.pool.PoolConnectionProxy, generation_id: int | None) -> None:
        """Learns of a generation that is live no longer, unless it is known."""
        if generation_id is None or generation_id in self._retired or generation_id in self._by_generation:
            return
        row = await connection.fetchrow(PAST["generation"], generation_id)
        if row is not None:
            (found,) = await self._learn(connection, [row])
            found.retired = True
            if len(self._retired) >= RETIRED_MAX:
                del self._retired[next(iter(self._retired))]
            self._retired[generation_id] = found

    def seen_as(self, info: GameInfo, generation_id: int | None) -> GameInfo | None:
        """The game as one of its generations has it, if that is known already."""
        return info if generation_id == info.generation_id else self._retired.get(generation_id or 0)

    async def as_shown(self, info: GameInfo, profiled: Sequence[int]) -> GameInfo:
        """The game as it is live for who is shown that in its parts profiles have changed in these publications last.

        A swap counts as a change of profiles, so what is shown says by itself that it lies behind one.
        """
        with contextlib.suppress(*AWAY):
            for part, profiles in zip(info.parts, profiled, strict=True):
                if not self.has_told(part.shard, profiles):
                    await self._keep_up(part.shard, profiles)
        return self._games.get(info.name, info)

    def has_told(self, shard: int, profiles: int) -> bool:
        """Whether the games of a shard are known as of a publication in which profiles have changed."""
        return self._told.get(shard, _NEVER)[1] >= profiles

    async def _keep_up(self, shard: int, profiles: int) -> None:
        async with self._lock:
            known = self._told.get(shard, _NEVER)
            if known[1] >= profiles:
                return
            told = {row["shard"]: (row["catalog"], row["profiles"]) for row in await self.pool.fetch(Q["told"])}
            if told.get(shard, _NEVER)[0] != known[0]:
                await self._read()
            self._told[shard] = (told.get(shard, _NEVER)[0], profiles)

    async def froze(self) -> bool:
        """Whether a freeze has begun or ended that is not known yet; then it is known afterwards."""
        if await freezes.token(self.pool) == self.freezes_token:
            return False
        await self.refresh()
        return True

    async def beside(self, info: GameInfo, generation_id: int) -> GameInfo:
        """The game as a generation beside the live one has it just now; raises NotFound."""
        if generation_id == info.generation_id:
            return info
        async with self.pool.acquire() as connection:
            (found,) = await self._beside(connection, [(info.game_id, generation_id)], generation_id)
        return found

    async def peers(self, info: GameInfo, generation_id: int) -> GameInfo:
        """A spread game as those generations of its parts have it that belong to one of the first part; raises NotFound."""
        async with self.pool.acquire() as connection:
            rows = await connection.fetch(PEERS, generation_id)
            wanted = [(row["game_id"], row["generation_id"]) for row in rows]
            whole = [game_id for game_id, _ in wanted] == [part.game_id for part in info.parts]
            if not whole or wanted[0][1] != generation_id:
                raise NotFound("generation", str(generation_id))
            parts = tuple(await self._beside(connection, wanted, generation_id))
        for part in parts:
            part.parts = parts
        return parts[0]

    async def _beside(
        self, connection: asyncpg.pool.PoolConnectionProxy, wanted: list[tuple[int, int]], asked: int
    ) -> list[GameInfo]:
        rows = [row for each in wanted for row in await connection.fetch(Q["beside"], *each)]
        if len(rows) < len(wanted):
            raise NotFound("generation", str(asked))
        found = await self._learn(connection, rows)
        for row, info in zip(rows, found, strict=True):
            info.retired = True
            if not row["follows"]:
                info.folded = Position(row["folded_epoch"], row["shard"], row["folded_ms"], row["folded_seq"])
        return found

    async def ranking(self, info: GameInfo, board: str, period: str, segment: str = "") -> int | None:
        """The id of a ranking, or None when nothing was ever folded into it."""
        found = info.rankings.get((board, period, segment))
        if found is None and not info.retired:
            await self._missed()
            found = self._games.get(info.name, info).parts[info.part].rankings.get((board, period, segment))
        return found

    async def _missed(self) -> None:
        """Returns when the database was asked after this call began, so that whoever waited for a write finds it."""
        asked = time.monotonic()
        rest = self._refreshed + MISS_INTERVAL_S - asked
        if rest > 0:
            await asyncio.sleep(rest)
        try:
            async with self._lock:
                if self._refreshed < asked:
                    await self._read()
        except AWAY as error:
            raise Unavailable("the database does not answer") from error


def _known(infos: dict[tuple[str, int], GameInfo], row: asyncpg.Record) -> GameInfo | None:
    """What is known of a game's part, unless that has changed."""
    info = infos.get((row["name"], row["part"]))
    if info is None or info.generation_id != row["live_generation"] or info.shard != row["shard"]:
        return None
    return info


def _joined(rows: list[asyncpg.Record], infos: dict[int, GameInfo]) -> tuple[dict[str, GameInfo], dict[str, int]]:
    """The games by name, and of how many parts those are that lack some still.

    A part that has not changed is taken over as it is: readers who hold the game as it was go on with its parts of then.
    """
    games: dict[str, GameInfo] = {}
    begun: dict[str, int] = {}
    for name, group in itertools.groupby(rows, lambda row: row["name"]):
        lines = list(group)
        parts = tuple(infos[row["game_id"]] for row in lines)
        if len(parts) < lines[0]["parts"]:
            begun[name] = lines[0]["parts"]
            continue
        if len(parts) > 1 and parts[0].parts != parts:
            parts = tuple(copy.copy(info) for info in parts)
            for info in parts:
                info.parts = parts
        games[name] = parts[0]
    return games, begun
