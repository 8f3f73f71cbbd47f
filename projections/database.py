"""Connections to PostgreSQL and the named queries of `sql/*.sql`."""

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import asyncpg

STATEMENTS = 100
ARCHIVE_S = 24 * 3600.0
"""For a statement that goes through all of an archive or a generation: it takes as long as that is large."""

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
SQL = Path(__file__).parent / "sql"
AWAY = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
)
"""What asyncpg raises while the server is away or going; the same call may succeed later."""


async def connect(url: str, *, size: int = 8, statements: int = STATEMENTS, at_once: bool = True) -> asyncpg.Pool:
    """A pool of at most `size` connections that keep `statements` prepared statements each. With `at_once` the first is made
    here, and what is wrong with the server is raised.

    Works behind PgBouncer in transaction mode: there are no session settings, locks of a session or LISTEN. PgBouncer before
    1.21 does not know prepared statements: use 0 there, which costs a round trip more for every query.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=int(at_once),
        max_size=size,
        statement_cache_size=statements,
        command_timeout=60,
        timeout=10,
        reset=_leave,
    )
    assert pool is not None
    return pool


async def pieces(connection: Connection, query: str, *arguments: Any, size: int) -> AsyncIterator[list[asyncpg.Record]]:
    """The rows of a query, `size` at a time, in a transaction. The server prepares the next ones while these are worked on."""
    cursor = await connection.cursor(query, *arguments)
    rows = await cursor.fetch(size)
    while rows:
        ahead = asyncio.ensure_future(cursor.fetch(size))
        try:
            # So that it is asked for before anything else is done.
            await asyncio.sleep(0)
            yield rows
        finally:
            rows = await ahead


async def _leave(_connection: Connection) -> None:
    """Nothing is left on a connection that is given back: asyncpg would send it a RESET of everything after every query, a
    round trip for both sides. A transaction that is still open it ends by itself."""


@functools.cache
def queries(name: str) -> dict[str, str]:
    """The queries of `sql/<name>.sql` by the names in their `-- name:` lines."""
    text = (SQL / f"{name}.sql").read_text()
    parts = re.split(r"^-- name: (\w+)[^\n]*\n", text, flags=re.MULTILINE)
    return {key: body.strip() for key, body in zip(parts[1::2], parts[2::2], strict=True)}


def columns(rows: list[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows turned into columns, for `unnest`."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def literal(numbers: Iterable[int]) -> str:
    """Whole numbers as the text of an array, for `unnest`: to encode an array takes asyncpg twice as long, and more for each
    element than COPY for a row of them."""
    return f"{{{','.join(map(str, numbers))}}}"
