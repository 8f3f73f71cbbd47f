"""Rankings in Redis: sorted sets that answer rank, windows and neighbours. Disposable: PostgreSQL can rebuild each.

`RedisRankings` reads; look-ups that arrive together go out together, one script call a ranking, a few calls at a time.
`RankingWriter` publishes what the shard writer has committed, versioned, in order, and rebuilds what is missing or behind.
"""

import asyncio
import secrets
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from redis import exceptions
from redis.asyncio import Redis

from engine.boards import BoardPlan
from engine.keys import split_all
from engine.places import Answer, Columns, Lookup, Place, Window, rank_of, standings_of
from projections.names import REBUILD_KEY, applied_key, ranking_keys, snapshot_suffix
from schemas.position import Position

LUA = Path(__file__).parent / "lua"
MEMBERS_PER_CALL = 1_000
ABANDONED_S = 600
LINES_AT_ONCE = 48
"""What goes to Redis together asks for about so many lines: while Redis looks them up, those before are answered."""

AWAY = (exceptions.ConnectionError, exceptions.TimeoutError)
UNDER_WAY = 3
"""So often Redis is asked before it has answered. What comes meanwhile waits, and goes out together."""

_KINDS = {kind: kind.encode() for kind in ("player", "top", "after", "before", "at")}


_Name = tuple[int, int | None]
"""A ranking, or its snapshot of a version."""


class _Call:
    """One script call: the look-ups of many callers, and which of the answers are whose."""

    __slots__ = ("arguments", "askers", "keys", "lines", "lookups", "name", "plan")

    def __init__(self, name: _Name, plan: BoardPlan) -> None:
        ranking_id, version = name
        self.name = name
        self.keys = ranking_keys(ranking_id, "" if version is None else snapshot_suffix(version))
        self.plan = plan
        self.lookups: list[Lookup] = []
        self.arguments: list[Any] = [int(plan.style == "dense"), int(plan.has_extra)]
        self.askers: list[tuple[asyncio.Future[Answer | None], int, int]] = []
        self.lines = 0
        """What it costs Redis: a line for each look-up, and for every five of a window, which are found together."""

    def add(self, lookups: list[Lookup], asker: "asyncio.Future[Answer | None]") -> None:
        start = len(self.lookups)
        self.lookups += lookups
        self.askers.append((asker, start, len(self.lookups)))
        for kind, what, number in lookups:
            self.lines += 1 + number // 5
            # redis-py encodes text and numbers much more slowly than this.
            self.arguments += (_KINDS[kind], what.encode() if type(what) is str else what, number)

    def answer(self, reply: Any) -> None:
        answer = answer_of(self.plan, self.lookups, reply) if reply else None
        for asker, start, end in self.askers:
            if not asker.done():
                asker.set_result(answer and Answer(answer.version, answer.total, answer.found[start:end]))

    def fail(self, error: Exception) -> None:
        for asker, _, _ in self.askers:
            if not asker.done():
                asker.set_exception(error)


class RedisRankings:
    """Reads rankings. Connection errors of redis-py reach the caller, who may ask PostgreSQL instead."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.calls = 0
        self.lookups = 0
        self._read = redis.register_script((LUA / "read.lua").read_text())
        self._open: dict[_Name, _Call] = {}
        self._waiting: deque[_Call] = deque()
        self._under_way = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def lookup(
        self, ranking_id: int, plan: BoardPlan, lookups: list[Lookup], version: int | None = None
    ) -> Answer | None:
        """Answers in the order of the look-ups, or None when the ranking is not there; with a version out of its snapshot."""
        loop = self._loop
        if loop is None:
            # Kept, because asking for it costs a system call each time.
            loop = self._loop = asyncio.get_running_loop()
        if not self._waiting and self._under_way < UNDER_WAY:
            loop.call_soon(self._send)
        name = ranking_id, version
        call = self._open.get(name)
        if call is None or call.lines >= LINES_AT_ONCE:
            call = self._open[name] = _Call(name, plan)
            self._waiting.append(call)
        asker: asyncio.Future[Answer | None] = loop.create_future()
        call.add(lookups, asker)
        return await asker

    def _send(self) -> None:
        while self._waiting and self._under_way < UNDER_WAY:
            calls: list[_Call] = []
            while self._waiting and sum(call.lines for call in calls) < LINES_AT_ONCE:
                calls.append(self._waiting.popleft())
            for call in calls:
                # Full ones are open no longer.
                if self._open.get(call.name) is call:
                    del self._open[call.name]
            self._under_way += 1
            task = asyncio.ensure_future(self._answer(calls))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)

    async def _answer(self, calls: list[_Call]) -> None:
        try:
            for call, reply in zip(calls, await self._ask(calls), strict=True):
                call.answer(reply)
        except Exception as error:
            if isinstance(error, AWAY):
                # Who waits for his turn need not find that out after another time-out.
                calls += self._waiting
                self._waiting.clear()
                self._open.clear()
            for call in calls:
                call.fail(error)
        self._under_way -= 1
        self._send()

    async def _ask(self, calls: list[_Call]) -> list[Any]:
        self.calls += len(calls)
        self.lookups += sum(len(call.lookups) for call in calls)
        if len(calls) == 1:
            return [await self._read(keys=calls[0].keys, args=calls[0].arguments)]
        pipeline = self.redis.pipeline(transaction=False)
        for call in calls:
            await self._read(keys=call.keys, args=call.arguments, client=pipeline)
        return list(await pipeline.execute())

    async def version(self, ranking_id: int) -> int | None:
        """The version that a ranking shows, or None when it is not there."""
        raw: Any = await self.redis.hget(ranking_keys(ranking_id)[1], "")
        return version_of(raw)

    async def applied(self, shard: int) -> tuple[int, Position, int] | None:
        """(version, position, profiles) that every ranking of a shard shows at least; None when nothing is known.

        `profiles` is the version in which something was last said of a player.
        """
        raw: Any = await self.redis.get(applied_key(shard))
        if raw is None:
            return None
        version, position, *profiles = raw.decode().split()
        return int(version), Position.parse(position), int(profiles[0]) if profiles else 0

    async def ask_rebuild(self, ranking_id: int) -> None:
        """Tells whoever writes the rankings that one is missing."""
        await self.redis.sadd(REBUILD_KEY, ranking_id)


_tasks: set["asyncio.Future[None]"] = set()


def version_of(raw: bytes | None) -> int | None:
    """The version in a ranking's "" field; while an update of several calls runs, the one that it started from."""
    return None if raw is None else int(raw.partition(b"#")[0].partition(b">")[0])


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


def _place(plan: BoardPlan, player: str, total: int, raw: Any) -> Place:
    packed, around = (raw, None) if type(raw) is bytes else raw
    ordinal, ahead, tied, dense, hidden, length = _PLACE(packed)
    start, end = _PLACE_BYTES, _PLACE_BYTES + length
    window = _window(plan, total, around) if around is not None else None
    rank = rank_of(plan.style, ordinal, ahead, tied, dense)
    if hidden:
        total += 1
    return Place(player, packed[start:end], packed[end:], ordinal, rank, tied, total, window, bool(hidden))


_PLACE_FORM = struct.Struct(">5IH")
_PLACE = _PLACE_FORM.unpack_from
_PLACE_BYTES = _PLACE_FORM.size


def _window(plan: BoardPlan, total: int, raw: list[Any]) -> Window:
    first, members, ahead, dense, through, values = raw
    prefixes, players = split_all(members)
    extras = []
    if values:
        extras = [value[2 + len(prefix) :] if value else b"" for prefix, value in zip(prefixes, values, strict=True)]
    ranks, tied = standings_of(plan.style, prefixes, first, ahead, dense, through)
    return Window(first, total, columns=Columns(players, prefixes, extras, ranks, tied))


Places = dict[str, tuple[bytes | None, bytes]]
"""Prefix (None: to be removed) and extra by player."""


class Pending:
    """What one ranking must still show: the newest place of each player that moved, and the newest hidden places."""

    __slots__ = ("dense", "hidden", "places", "start", "version")

    def __init__(self, start: int, *, dense: bool) -> None:
        self.start = start
        self.version = start
        self.dense = dense
        self.places: Places = {}
        self.hidden: Places = {}


class RankingWriter:
    """Publishes places to Redis. One writer a shard; the versions make any other harmless."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._update = redis.register_script((LUA / "update.lua").read_text())
        self._replace = redis.register_script((LUA / "replace.lua").read_text())

    async def update(self, updates: dict[int, Pending]) -> list[int]:
        """Moves each ranking from its `start` to its `version`; returns those that must be rebuilt."""
        pipeline = self.redis.pipeline(transaction=False)
        owners: list[int] = []
        for ranking_id, pending in updates.items():
            for arguments in calls_of(pending):
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
            members, places, _, hidden = ranking_keys(ranking_id)
            pipeline.hget(places, "")
            pipeline.hlen(places)
            pipeline.zcard(members)
            pipeline.hlen(hidden)
        replies = await pipeline.execute()
        found = []
        for raw, places, members, hidden in zip(*(replies[at::4] for at in range(4)), strict=True):
            whole = raw is not None and b">" not in raw and places - 1 == members
            found.append(version_of(raw) if whole and int(raw.partition(b"#")[2] or 0) == hidden else None)
        return found

    async def rebuild(
        self,
        ranking_id: int,
        version: int,
        lines: Iterable[tuple[str, bytes, bytes]],
        hidden: Iterable[tuple[str, bytes, bytes]] = (),
        *,
        dense: bool,
        force: bool = False,
    ) -> int | None:
        """Replaces a ranking: built beside the present one, then put in its place in one step.

        Gives way to a ranking that is newer, and returns its version; not so with `force`.
        """
        beside = ranking_keys(ranking_id, f":{secrets.token_hex(4)}")
        pending = Pending(0, dense=dense)
        pending.version = version
        pending.places = {player: (prefix, extra) for player, prefix, extra in lines}
        pending.hidden = {player: (prefix, extra) for player, prefix, extra in hidden}
        for arguments in calls_of(pending):
            await self._update(keys=beside, args=arguments)
            # What a crash leaves behind goes away by itself.
            for key in beside:
                await self.redis.expire(key, ABANDONED_S)
        newer: int | None = await self._replace(keys=[*beside, *ranking_keys(ranking_id)], args=[int(force)])
        return newer

    async def applied(self, shard: int, version: int, position: Position, profiles: int = 0) -> bool:
        """Says how far every ranking of a shard is; False when Redis had forgotten what it was told before."""
        return await self.redis.set(applied_key(shard), f"{version} {position} {profiles}", get=True) is not None

    async def shown(self, shard: int) -> int | None:
        """The version that was said last; None when Redis no longer knows what it was told."""
        raw: Any = await self.redis.get(applied_key(shard))
        return None if raw is None else int(raw.split()[0])

    async def asked(self) -> list[int]:
        """Takes the rankings that readers have missed."""
        return [int(raw) for raw in await self.redis.spop(REBUILD_KEY, 1_000) or ()]


def calls_of(pending: Pending) -> Iterable[list[Any]]:
    """The arguments of each call of `update.lua`; at least one, so that the version moves."""
    chunks = list(zip_longest(_packed(pending.places), _packed(pending.hidden), fillvalue=b"")) or [(b"", b"")]
    for at, (places, hidden) in enumerate(chunks, 1):
        yield [pending.start, pending.version, int(at == len(chunks)), int(pending.dense), places, hidden]


def _packed(places: Places) -> Iterator[bytes]:
    """Places as `update.lua` takes them, so many to a call."""
    items = list(places.items())
    for at in range(0, len(items), MEMBERS_PER_CALL):
        lines: list[bytes] = []
        for player, (prefix, extra) in items[at : at + MEMBERS_PER_CALL]:
            lines += (player.encode(), prefix or b"", extra)
        yield _pack(lines)


def _pack(lines: list[bytes]) -> bytes:
    """Strings one after another, each with two bytes of length before it, big-endian."""
    return b"".join(chain.from_iterable((_LENGTHS[len(line)], line) for line in lines))


_LENGTHS = [length.to_bytes(2, "big") for length in range(1 << 14)]
