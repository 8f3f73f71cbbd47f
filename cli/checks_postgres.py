"""What `doctor` looks at in PostgreSQL: the server, the schema, what the shards left there, and the parts of spread games."""

from typing import Any

import asyncpg

from cli.checks import Check, circuit_check, judged
from cli.failures import error_text
from projections import circuits
from projections.database import AWAY, queries
from projections.epochs import Epoch, latest
from projections.migrate import pending
from projections.names import epoch_key, stream_key
from schemas.errors import RankfoldError
from schemas.position import parse_entry

SUBJECT = "PostgreSQL"
SHARDS = "Shards"
VERSION_LEAST = 14
LAG_MS_MAX = 60_000
SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "server_encoding")
Q = queries("reader")


async def postgres_checks(url: str | None, log: Any, rankings: Any = None) -> list[Check]:
    """The server and the schema; `log` is a client of the log's Redis or None, to compare the epochs with.

    `rankings` is one of the rankings' Redis or None, to ask what consumers say of themselves.
    """
    if url is None:
        return [Check(SUBJECT, "configured", "fail", "no", "set DATABASE_URL, or start `rankfold up`")]
    try:
        connection = await asyncpg.connect(url, timeout=5, statement_cache_size=0)
    except (*AWAY, asyncpg.PostgresError, ValueError) as error:
        return [Check(SUBJECT, "reachable", "fail", error_text(error), "start it, and look at DATABASE_URL")]
    try:
        found = [Check(SUBJECT, "reachable", "ok", "yes"), *await _server(connection)]
        schema = await _schema(connection)
        found.append(schema)
        if schema.state == "ok":
            found += [
                *await _shards(connection, log),
                *await _circuits(connection, rankings),
                *await _spread(connection),
            ]
            found += [await _dead_letters(connection), await _erasures(connection)]
        return found
    finally:
        await connection.close()


async def _server(connection: asyncpg.Connection) -> list[Check]:
    version = connection.get_server_version()
    shown = f"{version.major}.{version.minor}"
    values = {name: str(await connection.fetchval("SELECT current_setting($1)", name)) for name in SETTINGS}
    standby = await connection.fetchval("SELECT pg_is_in_recovery()")
    return [
        judged(SUBJECT, "version", shown, version.major >= VERSION_LEAST, f"use PostgreSQL {VERSION_LEAST} or newer"),
        judged(SUBJECT, "role", "standby" if standby else "primary", not standby, "DATABASE_URL must name the primary"),
        *settings_checks(values),
    ]


def settings_checks(values: dict[str, str]) -> list[Check]:
    """Whether what this PostgreSQL commits can be lost."""
    syncs, pages, commits = values["fsync"], values["full_page_writes"], values["synchronous_commit"]
    encoding = values["server_encoding"]
    return [
        judged(SUBJECT, "fsync", syncs, syncs == "on", "set fsync = on: a crash can destroy the database without"),
        judged(SUBJECT, "full_page_writes", pages, pages == "on", "set full_page_writes = on", otherwise="warn"),
        judged(
            SUBJECT,
            "synchronous_commit",
            commits,
            commits != "off",
            "set synchronous_commit = on: positions that readers were shown can be lost without",
            otherwise="warn",
        ),
        judged(SUBJECT, "encoding", encoding, encoding == "UTF8", "create the database with ENCODING 'UTF8'"),
    ]


async def _schema(connection: asyncpg.Connection) -> Check:
    try:
        missing = await pending(connection)
    except RankfoldError as error:
        return Check(SUBJECT, "migrations", "fail", error_text(error), "restore the file that was changed")
    found = f"missing: {', '.join(missing)}" if missing else "applied"
    return judged(SUBJECT, "migrations", found, not missing, "run `rankfold migrate`")


async def _shards(connection: asyncpg.Connection, log: Any) -> list[Check]:
    rows = await connection.fetch(Q["shards"])
    if not rows:
        return [Check(SHARDS, "consumer", "warn", "none has run yet", "start `rankfold consume`")]
    found = [_layout(await latest(connection))]
    for row in rows:
        name = f"shard {row['shard']}"
        owner = f"held by {row['lease_owner']}" if row["held"] else "nobody consumes it"
        found.append(judged(SHARDS, name, owner, row["held"], "start `rankfold consume`", otherwise="warn"))
        if log is not None:
            found.append(await _behind(name, row, log))
            found.append(_epoch(name, row, await log.get(epoch_key(row["shard"]))))
    return found


async def _circuits(connection: asyncpg.Connection, rankings: Any) -> list[Check]:
    """The consumers that do not fold at present, and why."""
    if rankings is None:
        return []
    told = await circuits.told(rankings, [row["shard"] for row in await connection.fetch(Q["shards"])])
    return [
        circuit_check(shard, one.state, one.reason, one.advice) for shard, one in told.items() if one.state != "closed"
    ]


def _layout(epoch: Epoch | None) -> Check:
    """How many shards the log has."""
    if epoch is None:
        return Check(SHARDS, "number", "ok", "not set before the first consumer")
    found = f"{epoch.shards} in epoch {epoch.number}" + ("" if epoch.opened else ", change broken off")
    return judged(SHARDS, "number", found, epoch.opened, f"run `rankfold reshard {epoch.shards}` again")


async def _behind(name: str, row: Any, log: Any) -> Check:
    """How much of the log is not archived yet."""
    newest = await log.xrevrange(stream_key(row["shard"]), count=1)
    last = parse_entry(newest[0][0]) if newest else (0, 0)
    lag_ms = max(0, last[0] - row["ms"]) if last > (row["ms"], row["seq"]) else 0
    advice = "start more consumers, or see in their log what keeps them"
    return judged(SHARDS, f"{name}, lag", f"{lag_ms:,} ms", lag_ms < LAG_MS_MAX, advice, otherwise="warn")


def _epoch(name: str, row: Any, held: bytes | None) -> Check:
    shown = "missing" if held is None else held.decode("utf-8", "replace")
    good = shown == str(row["epoch"]) or (held is None and row["ms"] == 0)
    advice = (
        f"the log's Redis lost its data or is another one: restore it, or, if it is gone for good, "
        f"redis-cli SET '{epoch_key(row['shard'])}' {row['epoch']}"
    )
    return judged(SHARDS, f"{name}, epoch", shown, good, advice)


async def _spread(connection: asyncpg.Connection) -> list[Check]:
    """Every spread game has all of its parts, and they have the same rules: what makes them is sent to each shard apart."""
    found = []
    for name, parts, held, versions in await connection.fetch(Q["spread"]):
        latest, behind = max(versions), [part for part, own in zip(held, versions, strict=True) if own < max(versions)]
        missing = [part for part in range(parts) if part not in held]
        shards = ", ".join(map(str, missing or behind))
        lacks = f"no rules on shard {shards}" if missing else f"version {latest} of the rules is not on shard {shards}"
        advice = "send the `ruleset` event again, with its id, to all shards, or over HTTP"
        good = not missing and not behind
        found.append(judged("Games", name, f"{parts} parts" if good else lacks, good, advice, otherwise="warn"))
    return found


async def _erasures(connection: asyncpg.Connection) -> Check:
    """Events that erase players have been folded; within a day the archive should not name them any more either."""
    waiting = await connection.fetchval("SELECT count(*) FROM erasures WHERE done_at IS NULL")
    late = await connection.fetchval(
        "SELECT count(*) FROM erasures WHERE done_at IS NULL AND recorded_at < now() - interval '1 day'"
    )
    advice = "run `rankfold erase`, and have it run daily"
    return judged(SUBJECT, "erasures", f"{waiting:,} waiting", late == 0, advice, otherwise="warn")


async def _dead_letters(connection: asyncpg.Connection) -> Check:
    count = await connection.fetchval("SELECT count(*) FROM dead_letters WHERE status = 'open'")
    advice = "see why with `rankfold dead-letters list`"
    return judged(SUBJECT, "dead letters", f"{count:,} open", count == 0, advice, otherwise="warn")
