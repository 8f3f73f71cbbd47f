"""Rankings in Redis: sorted sets that answer rank, windows and neighbours. Disposable: PostgreSQL can rebuild each.

`RedisRankings` reads; look-ups that arrive together go out together, one script call a ranking, a few calls at a time.
`RankingWriter` publishes what the shard writer has committed, versioned, in order, and rebuilds what is missing or behind.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import msgspec
from redis import exceptions
from redis.asyncio import Redis

from engine.boards import BoardPlan
from engine.places import Answer, Lookup
from projections.answers import answer_of, version_of
from projections.names import REBUILD_KEY, applied_key, ranking_keys, snapshot_suffix
from schemas.position import Position

LUA = Path(__file__).parent / "lua"
MEMBERS_PER_CALL = 1_000
CALLS_AT_ONCE = 32
ABANDONED_S = 600
LINES_AT_ONCE = 64
"""What goes to Redis together asks for about so many lines: while Redis looks them up, those before are answered."""

AWAY = (exceptions.ConnectionError, exceptions.TimeoutError)
UNDER_WAY = 10
"""So often Redis is asked before it has answered. What comes meanwhile waits, and goes out together. Redis takes up all that
has come, and sends the answers behind the last of them: with few calls under way, each side often waits for the other."""

_pack_lookups = msgspec.msgpack.Encoder().encode

_Name = tuple[int, int | None]
"""A ranking, or its snapshot of a version."""


class _Call:
    """One script call: the look-ups of many callers, and which of the answers are whose."""

    __slots__ = ("askers", "keys", "lines", "lookups", "name", "others", "plan", "players")

    def __init__(self, name: _Name, plan: BoardPlan) -> None:
        ranking_id, version = name
        self.name = name
        self.keys = ranking_keys(ranking_id, "" if version is None else snapshot_suffix(version))
        self.plan = plan
        self.lookups: list[Lookup] = []
        self.players: list[str | bytes | int] = []
        """Whose places alone are asked for; all else is in the `others`."""
        self.others: list[Lookup] = []
        self.askers: list[tuple[asyncio.Future[Answer | None], int, int]] = []
        self.lines = 0
        """Its length: one for each look-up, and for every twenty entries of a window, which are found together."""

    def add(self, lookups: list[Lookup], asker: "asyncio.Future[Answer | None]") -> None:
        start = len(self.lookups)
        self.lookups += lookups
        self.askers.append((asker, start, len(self.lookups)))
        for lookup in lookups:
            if lookup.number or lookup.kind != "player":
                self.others.append(lookup)
                self.lines += 1 + lookup.number // 20
            else:
                self.players.append(lookup.what)
                self.lines += 1

    @property
    def arguments(self) -> list[bytes | int]:
        """What `read.lua` takes. All look-ups are one argument: redis-py takes a microsecond for each."""
        plan = self.plan
        asked = self.players, [_textual(each) if type(each.what) is bytes else each for each in self.others]
        return [int(plan.style == "dense"), int(plan.has_extra), plan.shared_ending, _pack_lookups(asked)]

    def answer(self, reply: Any) -> None:
        answer = answer_of(self.plan, self.lookups, reply) if reply else None
        for asker, start, end in self.askers:
            if not asker.done():
                asker.set_result(answer and Answer(answer.version, answer.total, answer.found[start:end]))

    def fail(self, error: Exception) -> None:
        for asker, _, _ in self.askers:
            if not asker.done():
                asker.set_exception(error)


def _textual(lookup: Lookup) -> tuple[str, msgspec.Raw, int]:
    """A look-up by member with this as text, which to Lua need not be UTF-8: Redis does not unpack MessagePack's bytes."""
    kind, what, number = lookup
    assert isinstance(what, bytes)
    return kind, msgspec.Raw(b"\xda%b%b" % (len(what).to_bytes(2, "big"), what)), number


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

    def lookup(
        self, ranking_id: int, plan: BoardPlan, lookups: list[Lookup], version: int | None = None
    ) -> "asyncio.Future[Answer | None]":
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
        return asker

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


Places = dict[str, tuple[bytes | None, bytes]]
"""Prefix (None: to be removed) and extra by player."""


Line = tuple[str, bytes | None, bytes]
"""Player, prefix and extra."""

Keys = tuple[str, str, str, str]
"""Of a ranking, as `ranking_keys` names them."""


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
        calls = (
            (ranking_id, ranking_keys(ranking_id), arguments)
            for ranking_id, pending in updates.items()
            for arguments in calls_of(pending)
        )
        async for ranking_id, reply in self._called(calls):
            if reply == b"gap":
                updates[ranking_id].start = -1
        return [ranking_id for ranking_id, pending in updates.items() if pending.start < 0]

    async def _called(
        self, calls: Iterator[tuple[int, Keys, list[Any]]], passing: Keys | None = None
    ) -> AsyncIterator[tuple[int, Any]]:
        """Calls `update.lua` for rankings, with keys and arguments, many times at once; gives each ranking with the reply.

        Keys that are `passing` go away by themselves, if nothing comes of them.
        """
        while taken := list(islice(calls, CALLS_AT_ONCE)):
            try:
                replies = await self._send(taken, passing)
            except exceptions.NoScriptError:
                # Asked before, it would be a round trip each time. Calls that went through already do no harm.
                await self.redis.script_load(self._update.script)
                replies = await self._send(taken, passing)
            for (ranking_id, *_), reply in zip(taken, replies, strict=False):
                yield ranking_id, reply

    async def _send(self, calls: list[tuple[int, Keys, list[Any]]], passing: Keys | None) -> list[Any]:
        pipeline = self.redis.pipeline(transaction=False)
        for _, keys, arguments in calls:
            pipeline.evalsha(self._update.sha, len(keys), *keys, *arguments)
        for key in passing or ():
            pipeline.expire(key, ABANDONED_S)
        return list(await pipeline.execute())

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
        lines: Iterable[Line],
        hidden: Iterable[Line] = (),
        *,
        dense: bool,
        force: bool = False,
    ) -> int | None:
        """Replaces a ranking: built beside the present one, then put in its place in one step.

        Gives way to a ranking that is newer, and returns its version; not so with `force`.
        """
        beside = await self.build(ranking_id, version, lines, hidden, dense=dense)
        return await self.replace(ranking_id, beside, force=force)

    async def build(
        self, ranking_id: int, version: int, lines: Iterable[Line], hidden: Iterable[Line], *, dense: bool
    ) -> Keys:
        """Builds a ranking beside the present one, where nobody sees it; returns its keys."""
        beside = ranking_keys(ranking_id, f":{secrets.token_hex(4)}")
        calls = ((ranking_id, beside, each) for each in _calls(0, version, dense, lines, hidden))
        async for _ in self._called(calls, passing=beside):
            pass
        return beside

    async def replace(self, ranking_id: int, beside: Keys, *, force: bool = False) -> int | None:
        """Puts what was built in the place of the present ranking, unless that is newer: then returns its version."""
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


def calls_of(pending: Pending) -> Iterator[list[Any]]:
    """The arguments of each call of `update.lua`; at least one, so that the version moves."""
    places, hidden = (
        ((player, prefix, extra) for player, (prefix, extra) in held.items())
        for held in (pending.places, pending.hidden)
    )
    return _calls(pending.start, pending.version, pending.dense, places, hidden)


def _calls(
    start: int, version: int, dense: bool, places: Iterable[Line], hidden: Iterable[Line]
) -> Iterator[list[Any]]:
    chunks = zip_longest(_packed(places), _packed(hidden), fillvalue=b"")
    chunk: tuple[bytes, ...] | None = next(chunks, (b"", b""))
    while chunk is not None:
        following = next(chunks, None)
        yield [start, version, int(following is None), int(dense), *chunk]
        chunk = following


def _packed(lines: Iterable[Line]) -> Iterator[bytes]:
    """Places as `update.lua` takes them, so many to a call: strings, each with two bytes of length before it, big-endian."""
    lines = iter(lines)
    while taken := list(islice(lines, MEMBERS_PER_CALL)):
        packed: list[bytes] = []
        for player, prefix, extra in taken:
            name, key = player.encode(), prefix or b""
            packed += (_LENGTHS[len(name)], name, _LENGTHS[len(key)], key, _LENGTHS[len(extra)], extra)
        yield b"".join(packed)


_LENGTHS = [length.to_bytes(2, "big") for length in range(1 << 14)]
