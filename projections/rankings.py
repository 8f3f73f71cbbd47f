"""Rankings in Redis: sorted sets that answer rank, windows and neighbours. Disposable: PostgreSQL can rebuild each.

`RedisRankings` reads; look-ups that arrive within one turn of the event loop go out together, one script call a ranking.
`RankingWriter` publishes what the shard writer has committed, versioned, in order, and rebuilds what is missing or behind.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from engine.boards import BoardPlan
from engine.keys import split
from engine.places import Answer, Lookup, Place, Window, entries_of, rank_of
from projections.names import REBUILD_KEY, applied_key, ranking_keys
from schemas.position import Position

LUA = Path(__file__).parent / "lua"
MEMBERS_PER_CALL = 1_000


class RedisRankings:
    """Reads rankings. Connection errors of redis-py reach the caller, who may ask PostgreSQL instead."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self.redis = redis
        self.calls = 0
        self.lookups = 0
        self._read = redis.register_script((LUA / "read.lua").read_text())
        self._waiting: dict[int, tuple[BoardPlan, list[Lookup], list[asyncio.Future[Any]], list[slice]]] = {}

    async def lookup(self, ranking_id: int, plan: BoardPlan, lookups: list[Lookup]) -> Answer | None:
        """Answers in the order of the look-ups, or None when the ranking is not there."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._send)
        waiting = self._waiting.get(ranking_id)
        if waiting is None:
            waiting = self._waiting[ranking_id] = (plan, [], [], [])
        _, all_, futures, slices = waiting
        future: asyncio.Future[Answer | None] = loop.create_future()
        slices.append(slice(len(all_), len(all_) + len(lookups)))
        futures.append(future)
        all_ += lookups
        return await future

    def _send(self) -> None:
        batch, self._waiting = self._waiting, {}
        task = asyncio.ensure_future(self._answer(batch))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    async def _answer(self, batch: dict[int, Any]) -> None:
        try:
            replies = await self._ask(batch)
        except Exception as error:
            for _, _, futures, _ in batch.values():
                for future in futures:
                    if not future.done():
                        future.set_exception(error)
            return
        for (plan, lookups, futures, slices), reply in zip(batch.values(), replies, strict=True):
            answer = answer_of(plan, lookups, reply) if reply else None
            for future, part in zip(futures, slices, strict=True):
                if not future.done():
                    future.set_result(answer and Answer(answer.version, answer.total, answer.found[part]))

    async def _ask(self, batch: dict[int, Any]) -> list[Any]:
        self.calls += len(batch)
        pipeline = self.redis.pipeline(transaction=False)
        for ranking_id, (plan, lookups, _, _) in batch.items():
            self.lookups += len(lookups)
            arguments: list[Any] = [int(plan.style == "dense"), int(plan.has_extra)]
            for item in lookups:
                arguments += item
            if len(batch) == 1:
                return [await self._read(keys=ranking_keys(ranking_id), args=arguments)]
            await self._read(keys=ranking_keys(ranking_id), args=arguments, client=pipeline)
        return list(await pipeline.execute())

    async def version(self, ranking_id: int) -> int | None:
        """The version that a ranking shows, or None when it is not there."""
        return version_of(await self.redis.hget(ranking_keys(ranking_id)[1], ""))

    async def applied(self, shard: int) -> tuple[int, Position] | None:
        """(version, position) that every ranking of a shard shows at least; None when nothing is known."""
        raw = await self.redis.get(applied_key(shard))
        if raw is None:
            return None
        version, _, position = raw.decode().partition(" ")
        return int(version), Position.parse(position)

    async def ask_rebuild(self, ranking_id: int) -> None:
        """Tells whoever writes the rankings that one is missing."""
        await self.redis.sadd(REBUILD_KEY, ranking_id)


_tasks: set["asyncio.Future[None]"] = set()


def version_of(raw: bytes | None) -> int | None:
    """The version in a ranking's "" field; while an update of several calls runs, the one that it started from."""
    return None if raw is None else int(raw.partition(b">")[0])


def answer_of(plan: BoardPlan, lookups: list[Lookup], reply: list[Any]) -> Answer:
    """What `read.lua` replied, as places and windows."""
    version, total = version_of(reply[0]) or 0, int(reply[1])
    found: list[Place | Window | None] = []
    for item, raw in zip(lookups, reply[2:], strict=True):
        if item.kind == "player":
            found.append(_place(plan, str(item.what), total, raw) if raw else None)
        else:
            found.append(_window(plan, total, raw))
    return Answer(version, total, found)


def _place(plan: BoardPlan, player: str, total: int, raw: list[Any]) -> Place:
    value, ordinal, ahead, tied, dense, around = raw
    size = 2 + int.from_bytes(value[:2], "big")
    window = _window(plan, total, around) if around else None
    rank = rank_of(plan.style, ordinal, ahead, tied, dense)
    return Place(player, value[2:size], value[size:], ordinal, rank, tied, total, window)


def _window(plan: BoardPlan, total: int, raw: list[Any]) -> Window:
    first, members, ahead, dense, through, values = raw
    lines = []
    for at, data in enumerate(members):
        prefix, player = split(data)
        extra = values[at][2 + len(prefix) :] if values and values[at] else b""
        lines.append((prefix, player, extra))
    return Window(first, total, entries_of(plan.style, lines, first, ahead, dense, through))


class Pending:
    """What one ranking must still show: the newest place of each player that moved."""

    __slots__ = ("dense", "places", "start", "version")

    def __init__(self, start: int, *, dense: bool) -> None:
        self.start = start
        self.version = start
        self.dense = dense
        self.places: dict[str, tuple[bytes | None, bytes]] = {}


class RankingWriter:
    """Publishes places to Redis. One writer a shard; the versions make any other harmless."""

    def __init__(self, redis: "Redis[bytes]") -> None:
        self.redis = redis
        self._update = redis.register_script((LUA / "update.lua").read_text())

    async def update(self, updates: dict[int, Pending]) -> list[int]:
        """Moves each ranking from its `start` to its `version`; returns those that must be rebuilt."""
        pipeline = self.redis.pipeline(transaction=False)
        owners: list[int] = []
        for ranking_id, pending in updates.items():
            for arguments in _calls(pending):
                await self._update(keys=ranking_keys(ranking_id), args=arguments, client=pipeline)
                owners.append(ranking_id)
            if len(owners) >= 32:
                await self._flush(pipeline, owners, updates)
        await self._flush(pipeline, owners, updates)
        return [ranking_id for ranking_id, pending in updates.items() if pending.start < 0]

    async def _flush(self, pipeline: Any, owners: list[int], updates: dict[int, Pending]) -> None:
        if owners:
            replies = await pipeline.execute()
            for ranking_id, reply in zip(owners, replies, strict=True):
                if reply == b"gap":
                    updates[ranking_id].start = -1
            owners.clear()

    async def versions(self, ranking_ids: list[int]) -> list[int | None]:
        """The versions that rankings show, None for those that are missing or partly evicted."""
        pipeline = self.redis.pipeline(transaction=False)
        for ranking_id in ranking_ids:
            members, places, _ = ranking_keys(ranking_id)
            pipeline.hget(places, "")
            pipeline.hlen(places)
            pipeline.zcard(members)
        replies = await pipeline.execute()
        found = []
        for raw, places, members in zip(replies[::3], replies[1::3], replies[2::3], strict=True):
            whole = raw is not None and b">" not in raw and places - 1 == members
            found.append(version_of(raw) if whole else None)
        return found

    async def rebuild(
        self, ranking_id: int, version: int, lines: Iterable[tuple[str, bytes, bytes]], *, dense: bool
    ) -> None:
        """Replaces a ranking: built beside the present one, then renamed over it in one step."""
        beside, present = ranking_keys(ranking_id, ":new"), ranking_keys(ranking_id)
        await self.redis.delete(*beside)
        pending = Pending(0, dense=dense)
        pending.version = version
        pending.places = {player: (prefix, extra) for player, prefix, extra in lines}
        for arguments in _calls(pending):
            await self._update(keys=beside, args=arguments)
        pipeline = self.redis.pipeline(transaction=True)
        pipeline.delete(*present)
        for source, target in zip(beside, present, strict=True):
            if source.endswith(":h:new") or pending.places and (dense or not source.endswith(":d:new")):
                pipeline.rename(source, target)
        await pipeline.execute()

    async def applied(self, shard: int, version: int, position: Position) -> None:
        """Says how far every ranking of a shard is."""
        await self.redis.set(applied_key(shard), f"{version} {position}")

    async def lost(self, shard: int) -> bool:
        """Whether Redis no longer knows what it was told."""
        return await self.redis.get(applied_key(shard)) is None

    async def asked(self) -> list[int]:
        """Takes the rankings that readers have missed."""
        return [int(raw) for raw in await self.redis.spop(REBUILD_KEY, 1_000) or ()]


def _calls(pending: Pending) -> Iterable[list[Any]]:
    """The arguments of each call of `update.lua`; at least one, so that the version moves."""
    places = list(pending.places.items())
    chunks = [places[at : at + MEMBERS_PER_CALL] for at in range(0, len(places), MEMBERS_PER_CALL)] or [[]]
    for at, chunk in enumerate(chunks, 1):
        arguments: list[Any] = [pending.start, pending.version, int(at == len(chunks)), int(pending.dense)]
        for player, (prefix, extra) in chunk:
            arguments += (player, prefix or b"", extra)
        yield arguments
