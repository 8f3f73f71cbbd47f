"""Generations of a game: built beside the live one, followed as shadows, made live, taken back, dropped.

A change of which generation is live, or follows, is one transaction that holds the shard's row; the shard's writer then
forgets what it knows. Readers go on with what they know until they notice.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from projections import dropping
from projections.archive import Place, Progress, Runs, here
from projections.batch import LiveGame
from projections.building import Build
from projections.database import Connection, queries
from projections.epochs import Q as EPOCHS
from projections.epochs import lock_home
from schemas.errors import Conflict, InColdArchive, InvalidInput, NotFound, Problem, TooLate
from schemas.position import SEQ_MAX, Position, Vector

Q = queries("generations")
LIVE = queries("replay")["live"]
BROKEN = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
"""What a fold raises on an event that its rules cannot take; it would raise it again."""

STATUSES = ("failed", "building", "retired", "shadow", "live")
"""What a generation can be listed as; a spread game's is what the part of it is that comes first here."""

Crash = Callable[[str], None]
Part = Literal["live", "shadow"]


class Built(NamedTuple):
    """A generation that was built or has caught up: up to where, out of how many events, in how many seconds."""

    generation_id: int
    events: int
    position: Vector
    seconds: float


class Generation(NamedTuple):
    """A generation as it is listed. `events` of `total` are folded into one that does not follow the log.

    Of a spread game it has its number from the first part, and stands for those of all parts.
    """

    generation_id: int
    ruleset_version: int
    status: str
    name: str | None
    position: Vector
    created_at: Any
    live: bool
    events: int
    total: int
    reason: str | None


def _never(_: str) -> None:
    """Crashes nowhere."""


async def listed(pool: asyncpg.Pool, name: str) -> list[Generation]:
    """All generations of a game that were not dropped, oldest first; raises NotFound."""
    rows = await pool.fetch(Q["listed"], name)
    if not rows:
        raise NotFound("game", name)
    return [_described([row for row in rows if _peers(row, first)]) for first in rows if first["part"] == 0]


def _peers(row: asyncpg.Record, first: asyncpg.Record) -> bool:
    """Whether a generation is that of the first part, or was built together with it."""
    return bool(row["generation_id"] == first["generation_id"] or (row["part"] and row["peer"] == first["peer"]))


def _described(rows: list[asyncpg.Record]) -> Generation:
    """What is said of the generations of all parts at once: that of a part which is not where the others are comes first."""
    first = min(rows, key=lambda row: (STATUSES.index(row["status"]), row["part"]))
    return Generation(
        rows[0]["generation_id"],
        rows[0]["ruleset_version"],
        first["status"],
        rows[0]["name"],
        Vector(Position(row["epoch"], row["shard"], row["ms"], row["seq"]) for row in rows),
        rows[0]["created_at"],
        rows[0]["live"],
        sum(row["folded_events"] for row in rows),
        sum(row["events_known"] for row in rows),
        first["reason"],
    )


async def find(pool: asyncpg.Pool, name: str, which: str) -> Generation:
    """A generation of a game by its number, or else by its name: of several the newest; raises NotFound."""
    found = await listed(pool, name)
    numbered = [one for one in found if str(one.generation_id) == which]
    named = [one for one in found if one.name == which]
    if not numbered and not named:
        raise NotFound("generation", which)
    return (numbered or named)[-1]


async def place_at(pool: asyncpg.Pool, name: str, moment: Position | int) -> Place:
    """The last event of a game up to a position, or a time (epoch milliseconds) at which it was recorded.

    Raises NotFound where there is none, TooLate for what the archive has not reached.
    """
    live = await _game(pool, name)
    reached = Position(live["epoch"], live["shard"], live["ms"], live["seq"])
    if isinstance(moment, int):
        moment = Position(live["epoch"], live["shard"], moment, SEQ_MAX)
        if moment.ms > reached.ms:
            raise TooLate(f"the archive has come to {reached} only")
    elif moment > reached:
        raise TooLate(f"the archive has come to {reached} only")
    row = await pool.fetchrow(Q["last_event"], live["game_id"], moment.epoch, moment.ms, moment.seq)
    if row is None:
        raise NotFound("event up to", str(moment))
    return (row["epoch"], row["ms"], row["seq"])


async def begin(pool: asyncpg.Pool, name: str, *, version: int | None = None, label: str | None = None) -> int:
    """A generation to be built under a version of the rules (None: the newest): new, or one whose build was broken off."""
    if label is not None and label.isdecimal():
        raise InvalidInput(Problem("name", "not a number: that would be another generation's"))
    live = await _game(pool, name)
    wanted, version = version, await pool.fetchval(Q["ruleset"], live["game_id"], version)
    if version is None:
        raise NotFound("version of the ruleset", str(wanted))
    lacking = await pool.fetchval(Q["lacking"], name, version)
    if lacking:
        shards = ", ".join(map(str, lacking))
        raise Conflict(
            f"version {version} of the rules has not come to shard {shards} yet; send it again if it does not"
        )
    if label is not None:
        for other in await listed(pool, name):
            unfinished = (other.status, other.ruleset_version) == ("building", version)
            if other.name == label and other.status in ("building", "shadow") and not unfinished:
                raise Conflict(
                    f"generation {other.generation_id} has the name {label!r}; drop it, or take another name"
                )
    found: int | None = await pool.fetchval(Q["unfinished"], name, version, label)
    if found is None:
        rows = await pool.fetch(Q["new"], name, version, label)
        found = next(row["generation_id"] for row in rows if row["game_id"] == live["game_id"])
    return found


async def build(
    pool: asyncpg.Pool,
    redis: Redis,
    generation_id: int,
    progress: Progress,
    *,
    to: Part,
    crash: Crash = _never,
    run: Runs = here,
) -> Built:
    """Builds a generation, or goes on building it, and makes it live or a shadow. It can be broken off and called again."""
    started = time.monotonic()
    group = await pool.fetch(Q["peers"], generation_id)
    if len(group) < 2:
        return await _build_one(pool, redis, generation_id, progress, to, crash, run)
    found = [
        await _build_one(pool, redis, one["generation_id"], progress, "shadow", crash, run)
        for one in group
        if one["status"] in ("building", "retired")
    ]
    position = await _turn_together(pool, generation_id) if to == "live" else Vector(each.position[0] for each in found)
    return Built(generation_id, sum(each.events for each in found), position, time.monotonic() - started)


async def _build_one(
    pool: asyncpg.Pool,
    redis: Redis,
    generation_id: int,
    progress: Progress,
    to: Part,
    crash: Crash,
    run: Runs,
) -> Built:
    started = time.monotonic()
    try:
        built = await Build.open(pool, generation_id, progress, crash, run, redis)
        await built.catch_up()
        await built.show()
        await built.catch_up()
        position = await built.join(_go_live if to == "live" else _go_shadow)
    except InColdArchive:
        # Nothing is wrong with its rules: it goes on when the events are back.
        raise
    except BROKEN as error:
        await pool.execute(Q["fail"], generation_id, f"{type(error).__name__}: {error}")
        raise
    with contextlib.suppress(RedisError, OSError):
        # It has joined whatever happens here: the shard's writer notices, and shows what is missing.
        await built.show()
    return Built(generation_id, built.archive.events, Vector((position,)), time.monotonic() - started)


async def build_until(
    pool: asyncpg.Pool, generation_id: int, until: Place | None, progress: Progress, *, run: Runs = here
) -> Built:
    """Builds a generation up to an entry of the log (None: the present one), to look at; it stays there."""
    started = time.monotonic()
    group = await pool.fetch(Q["peers"], generation_id)
    if len(group) > 1 and until is not None:
        raise InvalidInput(
            Problem("until", "nothing for a spread game: no entry of one shard tells where the others were")
        )
    builds = []
    for one in group:
        built = await Build.open(pool, one["generation_id"], progress, run=run)
        await built.catch_up(until or await built.present())
        await pool.execute(Q["rest"], one["generation_id"])
        builds.append(built)
    events, position = sum(built.archive.events for built in builds), Vector(built.position for built in builds)
    return Built(generation_id, events, position, time.monotonic() - started)


async def swap(
    pool: asyncpg.Pool, redis: Redis, name: str, generation_id: int, progress: Progress, *, run: Runs = here
) -> Built:
    """Makes a generation live: a shadow at once, any other after it has caught up. The one that was live is retired."""
    started = time.monotonic()
    found = next((one for one in await listed(pool, name) if one.generation_id == generation_id), None)
    if found is None:
        raise NotFound("generation", str(generation_id))
    may_go_live(found)
    if found.status != "shadow":
        return await build(pool, redis, generation_id, progress, to="live", run=run)
    position = await _turn_together(pool, generation_id)
    return Built(generation_id, 0, position, time.monotonic() - started)


async def _turn_together(pool: asyncpg.Pool, generation_id: int) -> Vector:
    """Makes a shadow live, of a spread game those of all parts in one transaction: readers never see two generations."""
    found = []
    async with pool.acquire() as connection, connection.transaction():
        for one in await connection.fetch(Q["peers"], generation_id):
            row = await lock_home(connection, one["game_id"], one["shard"])
            held = await connection.fetchrow(Q["hold"], one["game_id"], one["generation_id"])
            if held is None or held["status"] != "shadow":
                raise Conflict(f"generation {one['generation_id']} is no shadow any more")
            await _turn(connection, one["game_id"], one["shard"], one["generation_id"])
            found.append(Position(row["epoch"], one["shard"], row["ms"], row["seq"]))
    return Vector(found)


async def swap_back(pool: asyncpg.Pool, redis: Redis, name: str, progress: Progress) -> Built:
    """Makes the generation live again that was live before the present one, after it has caught up."""
    return await swap(pool, redis, name, await previous(pool, name), progress)


def may_go_live(one: Generation) -> None:
    """Raises Conflict for a generation that is live, or cannot be."""
    if one.status in ("live", "failed"):
        reason = "" if one.reason is None else f": {one.reason}"
        raise Conflict(f"generation {one.generation_id} is {one.status}{reason}")


def may_be_dropped(one: Generation) -> None:
    """Raises Conflict for the live generation."""
    if one.live:
        raise Conflict(f"generation {one.generation_id} is live; swap another one in first")


async def previous(pool: asyncpg.Pool, name: str) -> int:
    """The generation that was live before the present one; raises NotFound."""
    live = await _game(pool, name)
    found: int | None = await pool.fetchval(Q["previous"], live["game_id"])
    if found is None:
        raise NotFound("earlier generation of", name)
    return found


async def drop(pool: asyncpg.Pool, redis: Redis, name: str, generation_id: int, *, though_frozen: bool = False) -> None:
    """Drops a generation that is not live, and whatever is left of those dropped before.

    Refuses one that a frozen or closed board is shown from, unless `though_frozen`.
    """
    await _game(pool, name)
    group = await pool.fetch(Q["peers"], generation_id)
    async with pool.acquire() as connection, connection.transaction():
        for one in group:
            await _drop(connection, one["game_id"], one["shard"], one["generation_id"], though_frozen=though_frozen)
        if not group:
            raise NotFound("generation", str(generation_id))
    for one in group:
        await dropping.empty(pool, redis, one["game_id"])


async def _drop(connection: Connection, game_id: int, shard: int, generation_id: int, *, though_frozen: bool) -> None:
    await lock_home(connection, game_id, shard)
    held = await connection.fetchrow(Q["hold"], game_id, generation_id)
    if held is None:
        raise NotFound("generation", str(generation_id))
    if held["status"] == "live":
        raise Conflict(f"generation {generation_id} is live; swap another one in first")
    if not though_frozen and await connection.fetchval(Q["shown_frozen"], game_id, generation_id):
        raise Conflict(f"a frozen or closed board is shown from generation {generation_id}; thaw it first")
    if held["status"] != "dropped":
        await connection.execute(Q["drop"], generation_id)
    if held["status"] == "shadow":
        await connection.execute(Q["new_catalog"], shard)


async def take_out(pool: asyncpg.Pool, shard: int, generation_id: int, reason: str) -> None:
    """Ends the following of a shadow that broke on an event."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetchrow(EPOCHS["lock_shard"], shard)
        await connection.execute(Q["detach"], generation_id, "failed", reason)
        await connection.execute(Q["new_catalog"], shard)


async def _game(pool: asyncpg.Pool, name: str) -> asyncpg.Record:
    """A game, or the first part of one that is spread; raises NotFound."""
    row = await pool.fetchrow(LIVE, name, 0)
    if row is None:
        raise NotFound("game", name)
    return row


async def _go_live(connection: Connection, live: LiveGame) -> None:
    await _turn(connection, live.game_id, live.shard, live.generation_id)


async def _turn(connection: Connection, game_id: int, shard: int, generation_id: int) -> None:
    """The switch itself. Needs the shard's row, and a generation that is where the shard is."""
    await connection.execute(Q["retire"], game_id)
    await connection.execute(Q["go_live"], game_id, generation_id)
    await connection.execute(Q["new_catalog"], shard)
    await connection.execute(Q["begin_span"], game_id, shard, generation_id)


async def _go_shadow(connection: Connection, live: LiveGame) -> None:
    await connection.execute(Q["go_shadow"], live.generation_id)
    await connection.execute(Q["new_catalog"], live.shard)
