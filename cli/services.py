"""`migrate`, `consume` and `serve`: one process each, for production and for the children of `up`.

The consumer and the API are imported by the commands that run them: the other commands start faster without.
"""

import asyncio
import errno
import signal
from contextlib import AsyncExitStack
from typing import Annotated

import asyncpg
import structlog
import typer
import uvloop
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from cli import local, logs
from cli.failures import USAGE, CheckFailedError, fail
from cli.settings import Settings
from cli.terminal import say
from projections.database import connect
from projections.migrate import migrate, pending

REDIS_SECONDS_MAX = 5.0


def migrate_command(
    check: Annotated[bool, typer.Option("--check", help="Only say what is missing; exit status 1 if so.")] = False,
) -> None:
    """Bring the database up to date. Safe to run at any time, by several at once."""
    url = local.load().require_database()
    if check:
        missing = asyncio.run(pending_of(url))
        say("\n".join(f"missing: {name}" for name in missing) or "the database is up to date")
        if missing:
            raise CheckFailedError
        return
    applied = asyncio.run(migrate(url))
    say("\n".join(f"applied: {name}" for name in applied) or "the database was up to date")


async def pending_of(url: str) -> list[str]:
    """The migrations that a database lacks."""
    connection = await asyncpg.connect(url)
    try:
        return await pending(connection)
    finally:
        await connection.close()


def consume_command() -> None:
    """Run a consumer: fold the log into the rankings. As many as wanted; shards are shared out among them."""
    from consumers.app import Options, run

    found = local.load()
    options = Options(
        log_url=found.require_log(),
        rankings_url=found.require_rankings(),
        database_url=found.require_database(),
        shards=found.hold_shards,
        total_shards=found.shards,
        batch_events_max=found.batch_events_max,
        cache_rows=found.cache_rows,
        keep_log_s=found.keep_log_s,
        keep_history_s=found.keep_history_s,
        database_statements=found.database_statements,
        crash_at=found.crash_at,
        metrics_port=found.metrics_port,
    )
    logs.configure(found.log)
    uvloop.run(run(options))


def serve_command(
    host: Annotated[str | None, typer.Option(help="The address to listen on; RANKFOLD_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="RANKFOLD_PORT.", min=1, max=65_535)] = None,
) -> None:
    """Run the HTTP API. As many as wanted; they share nothing but the databases."""
    found = local.load()
    logs.configure(found.log)
    uvloop.run(_serve(found, host or found.host, port or found.port))


async def _serve(found: Settings, host: str, port: int) -> None:
    from api.access import Security
    from api.app import make_app, start
    from api.limits import Limits

    counted = Limits(found.limit_submissions, found.limit_ranks, found.limit_boards) if found.limited else None
    security = Security(found.auth == "keys", counted, found.proxies, host)
    if security.access == "open beyond loopback":
        structlog.get_logger().warning(
            "others than this machine reach the API, and it asks nobody for a key", host=host
        )

    async with AsyncExitStack() as stack:
        pool = await connect(
            found.require_database(),
            size=found.database_connections,
            statements=found.database_statements,
            # The API starts while it is away, and says so.
            at_once=False,
        )
        stack.push_async_callback(pool.close)
        log = redis_client(found.require_log())
        stack.push_async_callback(log.aclose)
        rankings = redis_client(found.require_rankings())
        stack.push_async_callback(rankings.aclose)
        try:
            app = make_app(
                pool,
                log,
                rankings,
                shards=found.shards,
                security=security,
                cors_origins=found.cors_origins,
                fold_events_max=found.fold_events_max,
            )
            runner = await start(app, host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            fail(f"port {port} of {host} is taken: choose another one with --port or RANKFOLD_PORT", USAGE)
        stack.push_async_callback(runner.cleanup)
        structlog.get_logger().info("API started", host=host, port=port, access=security.access, limits=found.limited)
        await until_signal()


def redis_client(url: str) -> Redis:
    """A client that gives up soon, so that a reader can turn to PostgreSQL; a lost connection is made anew once."""
    return Redis.from_url(
        url,
        socket_timeout=REDIS_SECONDS_MAX,
        socket_connect_timeout=REDIS_SECONDS_MAX,
        retry=Retry(NoBackoff(), 1),
    )


async def until_signal() -> None:
    """Returns at SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
