"""The cold archive: old months of the log as files, so that the database need not keep them.

A month is written out, read back, and may then be dropped from the database; ids of events stay there for ever. Whoever needs
dropped entries (a replay, a correction that reaches so far back, an explanation) is refused until they are brought back.
"""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from redis.asyncio import Redis

from projections.coldfile import Manifest, Writer, line_of, manifest_of, records, verified
from projections.commit import LOG
from projections.database import ARCHIVE_S, Connection, queries
from projections.names import stream_key
from schemas.errors import Conflict, InColdArchive, NotFound, RankfoldError
from schemas.position import parse_entry

Q = queries("cold")
SHARDS = queries("reader")["shards"]
PREFETCH = 5_000


class Stretch(NamedTuple):
    """A month of the archive that was written to a file; `dropped_at` is None while the database has it, too."""

    name: str
    from_ms: int
    to_ms: int
    games: list[int]
    entries: int
    sha256: bytes
    exported_at: datetime
    dropped_at: datetime | None


async def stretches(pool: asyncpg.Pool | Connection) -> list[Stretch]:
    """All that were ever written out, oldest first."""
    return [Stretch(*row) for row in await pool.fetch(Q["stretches"])]


async def export(pool: asyncpg.Pool, log: Redis, folder: Path, before_ms: int) -> list[Manifest]:
    """Writes out the months that lie before a time, but for those that were dropped. Raises RankfoldError when it cannot."""
    found = []
    dropped = {one.name for one in await stretches(pool) if one.dropped_at is not None}
    async with pool.acquire() as connection:
        for row in await connection.fetch(Q["partitions"]):
            name = row["name"]
            from_ms, to_ms = _month(name)
            if to_ms <= before_ms and await connection.fetchval(Q["any"], from_ms, to_ms):
                if name in dropped:
                    # Somebody has appended under an id of his own since; the file must not be written over.
                    raise Conflict(f"the database has other entries in {name} again: restore it first")
                await _refuse_behind(connection, log, to_ms)
                found.append(await _write(connection, folder, name, from_ms, to_ms))
    return found


async def _write(connection: Connection, folder: Path, name: str, from_ms: int, to_ms: int) -> Manifest:
    writer, games = Writer(folder, name), set()
    async with connection.transaction(isolation="repeatable_read"):
        async for row in connection.cursor(Q["entries"], from_ms, to_ms, prefetch=PREFETCH, timeout=ARCHIVE_S):
            writer.add(row)
            games.add(row["game_id"])
        manifest = writer.finish(from_ms, to_ms)
        digest = bytes.fromhex(manifest.sha256)
        await connection.execute(Q["exported"], name, from_ms, to_ms, sorted(games), manifest.entries, digest)
    return manifest


def _month(name: str) -> tuple[int, int]:
    """The stretch of recorded time of a partition such as log_2026_01."""
    year, month = map(int, name.removeprefix("log_").split("_"))
    first, following = datetime(year, month, 1, tzinfo=UTC), datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * 1000, int(following.timestamp()) * 1000


async def _refuse_behind(connection: Connection, log: Redis, to_ms: int) -> None:
    """Entries of the month may still come from a stream that is not archived to its end."""
    for row in await connection.fetch(SHARDS):
        if row["ms"] < to_ms:
            entries: Any = await log.xrevrange(stream_key(row["shard"]), count=1)
            if entries and parse_entry(entries[0][0]) > (row["ms"], row["seq"]):
                raise RankfoldError(f"shard {row['shard']} is not archived to its end: let a consumer run first")


async def drop(pool: asyncpg.Pool, folder: Path, name: str) -> None:
    """Takes a month out of the database, once its file was read and holds exactly what the database does.

    Raises NotFound, InvalidInput for a damaged file, Conflict when the two differ or a generation is being built.
    """
    manifest = verified(folder, name)
    if name not in {one.name for one in await stretches(pool) if one.dropped_at is None}:
        raise NotFound("exported stretch in the database", name)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(Q["patient"])
        await connection.execute(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")
        if await connection.fetchval(Q["building"]):
            raise Conflict("a generation is being built from the archive: drop when it is done")
        if await _digest(connection, name) != manifest.sha256:
            raise Conflict(f"the file of {name} holds something else than the database: export it again")
        await connection.execute(Q["subjects"], name, *_month(name), timeout=ARCHIVE_S)
        await connection.execute(f"ALTER TABLE log DETACH PARTITION {name}")
        await connection.execute(f"DROP TABLE {name}")
        await connection.execute(Q["dropped"], name)


async def _digest(connection: Connection, name: str) -> str:
    digest = hashlib.sha256()
    async for row in connection.cursor(Q["entries"], *_month(name), prefetch=PREFETCH, timeout=ARCHIVE_S):
        digest.update(line_of(row))
    return digest.hexdigest()


async def restore(pool: asyncpg.Pool, folder: Path, name: str) -> Manifest:
    """Brings a dropped month back into the database.

    Raises NotFound, InvalidInput for a damaged file, Conflict for another one.
    """
    known = {one.name: one for one in await stretches(pool) if one.dropped_at is not None}
    if name not in known:
        raise NotFound("dropped stretch", name)
    manifest = verified(folder, name)
    if bytes.fromhex(manifest.sha256) != known[name].sha256:
        raise Conflict(f"the file of {name} is not the one that was written when it was dropped")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(Q["patient"])
        bounds = f"FROM ({known[name].from_ms}) TO ({known[name].to_ms})"
        await connection.execute(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF log FOR VALUES {bounds}")
        others = await connection.fetchval(Q["any"], *_month(name))
        for rows in records(folder, name):
            await connection.copy_records_to_table("log", records=rows, columns=LOG)
        if not others and await _digest(connection, name) != manifest.sha256:
            raise Conflict(f"what came back of {name} is not what its file holds")
        await connection.execute(Q["restored"], name)
    return manifest


def listed(folder: Path) -> list[Manifest]:
    """The manifests in a folder, oldest first."""
    return sorted((manifest_of(folder, path.stem) for path in folder.glob("log_*.json")), key=lambda one: one.from_ms)


@asynccontextmanager
async def brought_back(
    pool: asyncpg.Pool, folder: Path | None, game: str, *, rewrite: bool = False
) -> AsyncIterator[None]:
    """Has a game's dropped months in the database while something reads them, and drops them again.

    Without a folder nothing is brought back. With `rewrite` the files are written anew at the end, those of months that were
    not dropped as well; then a folder is needed as soon as there is one file (InColdArchive). What was broken off leaves
    months in the database, where they do no harm.
    """
    parts = {row["game_id"] for row in await pool.fetch(Q["games"], game)}
    concerned = [
        one
        for one in await stretches(pool)
        if not parts.isdisjoint(one.games) and (rewrite or one.dropped_at is not None)
    ]
    if folder is None:
        if rewrite and concerned:
            raise InColdArchive([one.name for one in concerned])
        yield
        return
    away = [one for one in concerned if one.dropped_at is not None]
    for one in away:
        await restore(pool, folder, one.name)
    yield
    if rewrite:
        async with pool.acquire() as connection:
            for one in concerned:
                await _write(connection, folder, one.name, one.from_ms, one.to_ms)
    for one in away:
        # They may as well stay: somebody else reads the archive at present.
        with contextlib.suppress(Conflict, asyncpg.LockNotAvailableError):
            await drop(pool, folder, one.name)
