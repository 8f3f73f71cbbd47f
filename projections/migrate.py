"""Migrations: numbered SQL files, applied in order, each in one transaction, forward only.

A file whose first line is `-- concurrently` runs outside a transaction, statement by statement, so that it may build
indexes without blocking writers. One that was broken off has left an index that is of no use, and is built anew. Use a direct
URL here, not one through PgBouncer.
"""

import asyncio
import hashlib
import re
from pathlib import Path

import asyncpg

from schemas.errors import RankfoldError

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_265_678_011
_POLL_S = 0.1
_INDEX = re.compile(r"INDEX CONCURRENTLY IF NOT EXISTS (\w+)")


def files() -> list[Path]:
    """Every migration, oldest first."""
    return sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql"))


async def migrate(url: str) -> list[str]:
    """Brings the database up to date; returns the names of what was applied now."""
    connection = await asyncpg.connect(url)
    try:
        # Asked again and again, and not waited for: an index that is built concurrently waits for every older statement,
        # and so for whoever waits for the lock.
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            await asyncio.sleep(_POLL_S)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        return [path.stem for path in await _pending(connection) if await _apply(connection, path)]
    finally:
        await connection.close()


async def pending(connection: asyncpg.Connection) -> list[str]:
    """The names of migrations that the database still lacks."""
    if await connection.fetchval("SELECT to_regclass('migrations')") is None:
        return [path.stem for path in files()]
    return [path.stem for path in await _pending(connection)]


async def _pending(connection: asyncpg.Connection) -> list[Path]:
    rows = await connection.fetch("SELECT name, checksum FROM migrations")
    applied: dict[str, str] = {row["name"]: row["checksum"] for row in rows}
    for path in files():
        if path.stem in applied and applied[path.stem] != _checksum(path):
            raise RankfoldError(f"migration {path.stem} was changed after it had been applied; restore the file")
    return [path for path in files() if path.stem not in applied]


async def _apply(connection: asyncpg.Connection, path: Path) -> bool:
    text = path.read_text()  # noqa: ASYNC240 - nothing else runs meanwhile
    record = "INSERT INTO migrations (name, checksum) VALUES ($1, $2)"
    if text.startswith("-- concurrently"):
        for statement in filter(str.strip, text.split(";")):
            for name in _INDEX.findall(statement):
                await _drop_unusable(connection, name)
            await connection.execute(statement)
        await connection.execute(record, path.stem, _checksum(path))
        return True
    async with connection.transaction():
        await connection.execute(text)
        await connection.execute(record, path.stem, _checksum(path))
    return True


async def _drop_unusable(connection: asyncpg.Connection, name: str) -> None:
    """An index whose building was broken off exists, and PostgreSQL never finishes nor uses it."""
    found = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)"
    if await connection.fetchval(found, name):
        await connection.execute(f"DROP INDEX CONCURRENTLY {name}")


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
