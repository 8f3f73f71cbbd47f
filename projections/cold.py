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
UNKNOWN = 0
"""The game under which entries are archived that nothing was known of."""


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
    async with connection.transaction(isolation="repeatable_read"):
        await hold(connection)
        if any(one.name == name and one.dropped_at is not None for one in await stretches(connection)):
            raise Conflict(f"somebody else has dropped {name} meanwhile")
        writer, games = Writer(folder, name), set()
        async for row in connection.cursor(Q["entries"], from_ms, to_ms, prefetch=PREFETCH, timeout=ARCHIVE_S):
            writer.add(row)
            games.add(row["game_id"])
        manifest = writer.finish(from_ms, to_ms)
        digest = bytes.fromhex(manifest.sha256)
        await connection.execute(Q["exported"], name, from_ms, to_ms, sorted(games), manifest.entries, digest)
    return manifest


async def hold(connection: Connection) -> None:
    """Has the cold archive for one's own until the transaction's end: nobody else writes, drops or brings back a month.

    First of all in a transaction, since what it sees may stand still from its first query on. Raises Conflict when somebody
    else takes long.
    """
    await connection.execute(Q["patient"])
    try:
        await connection.execute(Q["hold"])
    except asyncpg.LockNotAvailableError:
        raise Conflict("somebody else exports, drops, restores or erases: run it again when that is done") from None
    await connection.execute(Q["as_patient_as_ever"])


async def _stretch(pool: asyncpg.Pool | Connection, name: str, *, dropped: bool) -> Stretch:
    """One that was dropped, or one that was not; raises NotFound."""
    for one in await stretches(pool):
        if one.name == name and (one.dropped_at is not None) == dropped:
            return one
    raise NotFound("dropped stretch" if dropped else "exported stretch in the database", name)


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
    async with pool.acquire() as connection, connection.transaction():
        await hold(connection)
        await connection.execute(Q["patient"])
        await _stretch(connection, name, dropped=False)
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
    await _stretch(pool, name, dropped=True)
    manifest = verified(folder, name)
    async with pool.acquire() as connection, connection.transaction():
        await hold(connection)
        await connection.execute(Q["patient"])
        known = await _stretch(connection, name, dropped=True)
        if bytes.fromhex(manifest.sha256) != known.sha256:
            raise Conflict(f"the file of {name} is not the one that was written when it was dropped")
        bounds = f"FROM ({known.from_ms}) TO ({known.to_ms})"
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
    not dropped as well; then a folder that has them is needed as soon as there is one (InColdArchive, InvalidInput). What was
    broken off leaves months in the database, where they do no harm.
    """
    concerned = await _concerned(pool, game, rewrite=rewrite)
    if folder is None:
        if rewrite and concerned:
            raise InColdArchive([one.name for one in concerned])
        yield
        return
    for one in concerned:
        manifest_of(folder, one.name)
    away = [one for one in concerned if one.dropped_at is not None]
    for one in away:
        with contextlib.suppress(NotFound):
            # Else somebody else has brought it back.
            await restore(pool, folder, one.name)
    yield
    if rewrite:
        # Others may have come, and some be dropped: those hold what the database held.
        async with pool.acquire() as connection:
            for one in await _concerned(pool, game, rewrite=True):
                if one.dropped_at is None:
                    await _write(connection, folder, one.name, one.from_ms, one.to_ms)
    for one in away:
        # They may as well stay: somebody else reads the archive at present, or has dropped them.
        with contextlib.suppress(Conflict, NotFound, asyncpg.LockNotAvailableError):
            await drop(pool, folder, one.name)


async def _concerned(pool: asyncpg.Pool, game: str, *, rewrite: bool) -> list[Stretch]:
    """The stretches with events of a game that are not in the database. To `rewrite` them: all that may have entries about it,
    those that nothing was known of included."""
    wanted = {row["game_id"] for row in await pool.fetch(Q["games"], game)}
    if rewrite:
        wanted.add(UNKNOWN)
    return [
        one
        for one in await stretches(pool)
        if not wanted.isdisjoint(one.games) and (rewrite or one.dropped_at is not None)
    ]
