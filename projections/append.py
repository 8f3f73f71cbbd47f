"""The atomic append behind HTTP publishing: every event of a request goes to the log, or none.

An id is answered from two memories: the log's Redis holds a reservation until well after the event is archived, and
the archive's `event_ids` hold it for the game's life. The consumer, which sees every entry, has the last word.
Requests of one event-loop turn, and those that come while one is under way, share a query and a script call. The ids of the
next ones are looked up while those before are written.
"""

import asyncio
import struct
from binascii import hexlify
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import redis.asyncio
from redis.exceptions import RedisError

from projections.database import AWAY, queries
from projections.hashing import id_hash
from projections.names import closed_key, epoch_key, reservation_key, stream_key
from schemas.errors import Conflict, LogBroken, RankfoldError, Unavailable
from schemas.position import Position, parse_entry

RESERVED_MS = 3_600_000
"""A reservation has to outlive the time from an append to its archiving."""

CALL_EVENTS_MAX = 2_000
"""One script call holds up the log's Redis for a few milliseconds at most."""

_GROUP = struct.Struct(">HI").pack
_KEY_LENGTH = struct.Struct(">H").pack
_BODY_LENGTH = struct.Struct(">I").pack
"""How `append.lua` is told of a group, and of an event's key and body."""

_SCRIPT = (Path(__file__).parent / "lua" / "append.lua").read_text()
_KNOWN_IDS = queries("append")["known_ids"]


class Item(NamedTuple):
    """An event to append: its id, `body_hash(body)` and its canonical body."""

    event_id: str
    body_hash: bytes
    body: bytes


class Appended(NamedTuple):
    """Where an event is. `duplicate`: it was there before, and nothing was appended for it."""

    position: Position
    duplicate: bool


class OtherEpoch(RankfoldError):
    """The log is in another epoch than the caller believes, and the game may live on another shard."""


class IdConflict(Conflict):
    """Ids that were used for something else. `indexes` are those of the request's items."""

    def __init__(self, ids: Sequence[str], indexes: Sequence[int]) -> None:
        super().__init__(f"used before for something else: {', '.join(ids)}")
        self.ids = tuple(ids)
        self.indexes = tuple(indexes)


class _Request:
    """One caller's events while they wait: `open` holds the indexes of those that have no position yet."""

    __slots__ = ("answers", "done", "epoch", "game", "game_ids", "items", "open")

    def __init__(
        self,
        game: str,
        game_ids: Sequence[int],
        items: Sequence[Item],
        epoch: int | None,
        done: asyncio.Future[list[Appended]],
    ) -> None:
        self.game = game
        self.game_ids = game_ids
        self.items = items
        self.epoch = epoch
        self.done = done
        self.answers: list[Appended | None] = [None] * len(items)
        self.open: Sequence[int] = range(len(items))

    def conflict(self, indexes: Sequence[int]) -> None:
        if not self.done.done():
            self.done.set_exception(IdConflict([self.items[index].event_id for index in indexes], indexes))

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result([answer for answer in self.answers if answer is not None])

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Stage:
    """One of the two steps of an append. One call a shard at a time keeps the order of arrival; what comes meanwhile goes with
    the next one."""

    def __init__(self, work: Callable[[int, list[_Request]], Awaitable[None]]) -> None:
        self._work = work
        self._waiting: dict[int, list[_Request]] = {}
        self._running: dict[int, asyncio.Task[None]] = {}

    def put(self, shard: int, requests: Iterable[_Request]) -> None:
        """Has these requests done as soon as may be."""
        self._waiting.setdefault(shard, []).extend(requests)
        if shard not in self._running:
            self._running[shard] = asyncio.create_task(self._run(shard))

    async def _run(self, shard: int) -> None:
        """Runs while somebody waits. The next call is sent before those are answered that the last one was for."""
        try:
            while waiting := self._waiting.pop(shard, None):
                while waiting:
                    requests = _take(waiting)
                    try:
                        await self._work(shard, requests)
                    except AWAY as error:
                        _fail(requests, Unavailable("PostgreSQL does not answer"), error)
                    except RedisError as error:
                        _fail(requests, Unavailable("the log's Redis does not answer"), error)
                    except Exception as error:
                        # Whatever it is, nobody may wait for ever.
                        _fail(requests, error, None)
        finally:
            del self._running[shard]


class Appender:
    """Appends to the shards of one log. `reserved_ms` is how long ids are remembered before the archive answers."""

    def __init__(self, redis_log: "redis.asyncio.Redis", pool: asyncpg.Pool, *, reserved_ms: int = RESERVED_MS) -> None:
        self._script = redis_log.register_script(_SCRIPT)
        self._pool = pool
        self._reserved_ms = reserved_ms
        self._asked = _Stage(self._look_up)
        self._new = _Stage(self._append)

    async def append(
        self,
        shard: int,
        game: str,
        game_ids: Sequence[int],
        items: Sequence[Item],
        *,
        epoch: int | None = None,
    ) -> list[Appended]:
        """The position of every item, in order; `game_ids` is empty for a game not archived yet.

        Of a spread game they are those of its parts, the one on this shard first: its ids are unique over all of them, and an
        event that only another part has is not there yet.

        Raises IdConflict when an id stands for another body (nothing is appended then), OtherEpoch when the log is not in
        `epoch` (None: any will do), LogBroken when the shard has no epoch, Unavailable when a service is away or the number
        of shards is being changed: the same call may be made again, and appends nothing twice.
        """
        if len(items) == 1:
            return await self._put(shard, game, game_ids, items, epoch)
        once, where = _once(items)
        try:
            answers = await self._put(shard, game, game_ids, once, epoch)
        except IdConflict as conflict:
            raise IdConflict(conflict.ids, [where.index(index) for index in conflict.indexes]) from None
        if len(once) == len(where):
            return answers
        first = {index: at for at, index in reversed(list(enumerate(where)))}
        return [
            answers[index] if first[index] == at else answers[index]._replace(duplicate=True)
            for at, index in enumerate(where)
        ]

    def _put(
        self, shard: int, game: str, game_ids: Sequence[int], items: Sequence[Item], epoch: int | None
    ) -> "asyncio.Future[list[Appended]]":
        """Has items with different ids looked up and appended."""
        done: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()
        self._asked.put(shard, (_Request(game, game_ids, items, epoch, done),))
        return done

    async def _look_up(self, shard: int, requests: list[_Request]) -> None:
        """Answers what the archive knows, and hands on what it does not."""
        asked = [
            (request, index, game_id)
            for request in requests
            for game_id in request.game_ids
            for index in range(len(request.items))
        ]
        if asked:
            games = [game_id for _, _, game_id in asked]
            hashes = [id_hash(request.items[index].event_id) for request, index, _ in asked]
            self._settle_known(asked, await self._pool.fetch(_KNOWN_IDS, games, hashes))
        if rest := [request for request in requests if not request.done.done()]:
            self._new.put(shard, rest)

    @staticmethod
    def _settle_known(asked: list[tuple[_Request, int, int]], rows: list[asyncpg.Record]) -> None:
        conflicts: dict[_Request, set[int]] = {}
        known: set[_Request] = set()
        for row in rows:
            request, index, game_id = asked[row["number"] - 1]
            if row["body_hash"] != request.items[index].body_hash:
                conflicts.setdefault(request, set()).add(index)
            elif game_id == request.game_ids[0]:
                position = Position(row["epoch"], row["shard"], row["ms"], row["seq"])
                request.answers[index] = Appended(position, duplicate=True)
                known.add(request)
        for request, found in conflicts.items():
            request.conflict(sorted(found))
        for request in known:
            request.open = [index for index in request.open if request.answers[index] is None]
            if not request.open:
                request.finish()

    async def _append(self, shard: int, requests: list[_Request]) -> None:
        packed: list[bytes] = []
        for request in requests:
            prefix = reservation_key(shard, request.game, "")
            packed.append(_GROUP(len(request.open), request.epoch or 0))
            for index in request.open:
                event_id, digest, body = request.items[index]
                key = (prefix + event_id).encode()
                packed += (_KEY_LENGTH(len(key)), key, hexlify(digest), _BODY_LENGTH(len(body)), body)
        keys = [stream_key(shard), epoch_key(shard), closed_key(shard)]
        reply: Any = await self._script(keys=keys, args=[self._reserved_ms, b"".join(packed)])
        if reply is None:
            raise LogBroken(
                f"Shard {shard} has no epoch: its log was never started, or its Redis has lost it.",
                "Start a consumer, or run `rankfold doctor` to see what is left.",
            )
        if reply == b"closed":
            raise Unavailable("the number of shards is being changed; this takes a few seconds")
        epoch, at = int(reply[0]), 1
        for request in requests:
            self._settle(epoch, shard, request, reply[at : at + len(request.open)])
            at += len(request.open)

    @staticmethod
    def _settle(epoch: int, shard: int, request: _Request, answers: list[bytes]) -> None:
        if b"@" in answers:
            request.fail(OtherEpoch(f"shard {shard} is in epoch {epoch}, not in {request.epoch}"))
        elif b"!" in answers:
            request.conflict([index for index, answer in zip(request.open, answers, strict=True) if answer == b"!"])
        else:
            for index, answer in zip(request.open, answers, strict=True):
                entry = answer.removeprefix(b"=")
                position = Position(epoch, shard, *parse_entry(entry))
                request.answers[index] = Appended(position, duplicate=len(entry) < len(answer))
            request.finish()


def _once(items: Sequence[Item]) -> tuple[list[Item], list[int]]:
    """Items without repetition, and for each given item the index of the one that stands for it."""
    seen: dict[str, int] = {}
    once: list[Item] = []
    where: list[int] = []
    for at, item in enumerate(items):
        index = seen.setdefault(item.event_id, len(once))
        if index == len(once):
            once.append(item)
        elif once[index].body_hash != item.body_hash:
            raise IdConflict([item.event_id], [where.index(index), at])
        where.append(index)
    return once, where


def _take(waiting: list[_Request]) -> list[_Request]:
    """The first requests that fit one call; at least one, whatever its size."""
    count, taken = 0, 0
    for request in waiting:
        count += len(request.items)
        if taken and count > CALL_EVENTS_MAX:
            break
        taken += 1
    requests = waiting[:taken]
    del waiting[:taken]
    return requests


def _fail(requests: list[_Request], error: Exception, cause: Exception | None) -> None:
    error.__cause__ = cause
    for request in requests:
        request.fail(error)
