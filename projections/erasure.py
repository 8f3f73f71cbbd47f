"""Erasure, the part that takes time: has the archive, the dead letters and the stream name surrogates in place of the erased.

The live rows have had the surrogates since the erasing events were folded (`projections.surrogates`). What is folded from
here on, from the rewritten archive, gives the same rows; that is checked, and where a choice of others was his id, the rows
are folded anew.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
from redis.asyncio import Redis

from engine.corrections import archived_subject
from engine.erasure import Erasures, players_of, without, without_in_text
from engine.spread import owner
from projections import cold, dropping, generations, replay
from projections.archive import Progress
from projections.coldguard import refuse
from projections.commit import ACCEPTED, DUPLICATE
from projections.database import ARCHIVE_S, Connection, columns, queries
from projections.names import holes_key, stream_key
from schemas.codec import decode_archived, decode_json, encode
from schemas.errors import InvalidEvent, NotFound
from schemas.events import Event, Fixture, Result
from schemas.position import Position, parse_entry

Q = queries("erasure")
GENERATIONS = queries("generations")
CHUNK = 1_000


class Erased(NamedTuple):
    """What `erase` did: how many players, how many archived events name a surrogate now, whether rows were folded anew."""

    players: int
    events: int
    rebuilt: bool
    seconds: float


class _Line(NamedTuple):
    """An entry of the archive that may have to be rewritten; `event` is None when it is none."""

    game_id: int
    position: Position
    verdict: int
    body: bytes
    event: Event | None


async def games_pending(pool: asyncpg.Pool) -> list[str]:
    """The games in which an erasure waits for `erase`."""
    return [row["name"] for row in await pool.fetch(Q["games_pending"])]


async def erase(
    pool: asyncpg.Pool, log: Redis, rankings: Redis, name: str, progress: Progress, *, cold_dir: Path | None = None
) -> Erased:
    """Finishes what a game's erasing events have begun. May be broken off, and run again, at any time.

    The files of the cold archive that have entries of the game are written anew; raises InColdArchive when there are some and
    it is not told where.
    """
    started = time.monotonic()
    parts = await pool.fetch(Q["parts"], name)
    if not parts:
        raise NotFound("game", name)
    players, events, rebuild = set[object](), 0, False
    async with cold.brought_back(pool, cold_dir, name, rewrite=True):
        for part in parts:
            pending = await pool.fetch(Q["pending"], part["game_id"])
            players |= {row["player"] or _position(row) for row in pending}
            named = [(_position(row), row["player"]) for row in pending if row["player"] is not None]
            rebuild = rebuild or any(row["rebuild"] for row in pending)
            if named:
                archive = _Archive(name, part, Erasures(named, owner(part["part"], part["parts"])))
                async with pool.acquire() as connection:
                    await archive.read(connection)
                    await archive.write(connection, log, [tuple(position) for position, _ in named])
                events, rebuild = events + len(archive.bodies), rebuild or archive.rebuild
        if not players:
            return Erased(0, 0, False, time.monotonic() - started)
        rebuilt = await _renew(pool, rankings, name, progress, rebuild=rebuild)
    for part in parts:
        await dropping.empty(pool, rankings, part["game_id"])
        await pool.execute(Q["done"], part["game_id"])
    return Erased(len(players), events, rebuilt, time.monotonic() - started)


async def _renew(pool: asyncpg.Pool, rankings: Redis, name: str, progress: Progress, *, rebuild: bool) -> bool:
    """Builds the generations anew that differ from a fold of the rewritten archive; returns whether the live one did."""
    renewed = False
    for one in await generations.listed(pool, name):
        if one.status not in ("live", "shadow"):
            continue
        if not rebuild:
            found = await replay.verify_all(pool, name, progress, generation_id=one.generation_id)
            if not found.differences:
                continue
        renewed = renewed or one.live
        if not one.live:
            await generations.drop(pool, rankings, name, one.generation_id, though_frozen=True)
        fresh = await generations.begin(pool, name, version=one.ruleset_version, label=one.name)
        await generations.build(pool, rankings, fresh, progress, to="live" if one.live else "shadow")
        if one.live:
            await generations.drop(pool, rankings, name, one.generation_id, though_frozen=True)
    return renewed


def _position(row: asyncpg.Record) -> Position:
    return Position(row["epoch"], row["shard"], row["ms"], row["seq"])


class _Archive:
    """The archive of one game, or of a part of one: `read` finds out what has to be rewritten, `write` does it in one
    transaction."""

    def __init__(self, name: str, part: asyncpg.Record, erasures: Erasures) -> None:
        self.name = name
        self.game_id: int = part["game_id"]
        self.shard: int | None = part["part"] if part["parts"] > 1 else None
        """Where the part has always lived; what lies on others is for other parts."""
        self.erasures = erasures
        self.bodies: list[tuple[int, int, int, int, int, bytes]] = []
        self.letters: list[tuple[int, str, bytes]] = []
        self.rebuild = False
        self._quoted = [msgspec.json.encode(player) for player in erasures.players]
        self._raw = [player.encode() for player in erasures.players]

    async def read(self, connection: Connection) -> None:
        """Reads every entry that may name one of the erased, and every dead letter."""
        lines: list[_Line] = []
        async with connection.transaction(readonly=True):
            asked = self.game_id, self._quoted, self._raw, self.shard
            async for row in connection.cursor(Q["candidates"], *asked, prefetch=CHUNK, timeout=ARCHIVE_S):
                lines += self._line(row["game_id"], _position(row), row["verdict"], row["body"])
            letters = await connection.fetch(Q["dead_letters"], self.name, self.shard)
        contests = {fixture for line in lines for fixture in self._takes_part(line)}
        for line in lines:
            body = self._rewritten(line, contests)
            if body != line.body:
                self.bodies.append((line.game_id, *line.position, body))
        for row in letters:
            self._read_letter(row, contests)

    def _line(self, game_id: int, position: Position, verdict: int, body: bytes) -> Iterator[_Line]:
        try:
            event = decode_archived(body)
        except (InvalidEvent, UnicodeDecodeError, RecursionError):
            if self._mentions(body):
                yield _Line(game_id, position, verdict, body, None)
            return
        if event.game == self.name:
            yield _Line(game_id, position, verdict, body, event)

    def _takes_part(self, line: _Line) -> Iterator[str]:
        """The contest of a line, when it is one of a player who is erased there."""
        event = line.event
        if line.verdict == ACCEPTED and isinstance(event, Fixture | Result):
            names = self.erasures.names(line.position)
            if any(player in names for player in players_of(event)):
                yield event.fixture

    def _rewritten(self, line: _Line, contests: set[str]) -> bytes:
        """The body without the names of the erased; nothing of what cannot be read."""
        if line.event is None:
            return b""
        names = self.erasures.names(line.position, duplicate=line.verdict == DUPLICATE)
        event = without(line.event, names, contests)
        if line.verdict == ACCEPTED and event != without(line.event, names):
            self.rebuild = True
        return line.body if event is line.event else encode(event)

    def _read_letter(self, row: asyncpg.Record, contests: set[str]) -> None:
        position, body = _position(row), row["body"]
        reason = without_in_text(row["reason"], self.erasures.names(position))
        for line in self._line(0, position, -1, body):
            body = self._rewritten(line, contests)
        if (reason, body) != (row["reason"], row["body"]):
            self.letters.append((row["dead_letter_id"], reason, body))

    def _mentions(self, body: bytes) -> bool:
        """Whether what is no event names one of the erased, and may be about this game."""
        try:
            value = decode_json(body)
        except InvalidEvent:
            return self.name.encode() in body and any(part in body for part in (*self._quoted, *self._raw))
        if isinstance(value, dict) and isinstance(value.get("game"), str) and value["game"] != self.name:
            return False
        return not set(self.erasures.players).isdisjoint(_texts(value))

    async def write(self, connection: Connection, log: Redis, positions: list[tuple[Any, ...]]) -> None:
        """Rewrites what was read. The stream first: what is archived need not be in it."""
        gone = [(shard, ms, seq) for _, _, shard, ms, seq, _ in self.bodies]
        gone += map(tuple, await connection.fetch(Q["emptied"], self.game_id, timeout=ARCHIVE_S))
        for shard in {shard for shard, _, _ in gone}:
            stream = sorted((ms, seq) for where, ms, seq in gone if where == shard)
            await _mark_hole(log, shard, stream[-1])
            for part in _chunks([f"{ms}-{seq}" for ms, seq in stream]):
                await log.xdel(stream_key(shard), *part)
        async with connection.transaction():
            # Whoever writes or drops a month has done it, with what it held before, or does it when this is through.
            await cold.hold(connection)
            await refuse(connection.fetch, "away_at_all", [self.game_id, cold.UNKNOWN])
            await connection.fetchval(Q["lock_game"], self.game_id)
            await connection.execute(GENERATIONS["drop_old"], self.game_id)
            for part in _chunks(self.bodies):
                await connection.execute(Q["rewrite"], *columns([(*line, _subject_in(line[5])) for line in part], 7))
            for part in _chunks(self.letters):
                await connection.execute(Q["rewrite_dead_letters"], *columns(part, 3))
            await connection.execute(Q["rewritten"], self.game_id, self.rebuild, *columns(positions, 4))


async def _mark_hole(log: Redis, shard: int, entry: tuple[int, int]) -> None:
    """Says up to where entries are missing, before they are: a backup of PostgreSQL from before cannot read them again."""
    held: Any = await log.get(holes_key(shard))
    if held is None or parse_entry(held) < entry:
        await log.set(holes_key(shard), f"{entry[0]}-{entry[1]}")


def _subject_in(body: bytes) -> int | None:
    """What an archived event can be found by."""
    try:
        return archived_subject(decode_archived(body))
    except InvalidEvent:
        return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _chunks(items: list[Any]) -> Iterable[list[Any]]:
    return (items[at : at + CHUNK] for at in range(0, len(items), CHUNK))
