"""The shard writer's transaction: the compare-and-set on the position, and what is written with it."""

from typing import TYPE_CHECKING, Any

from projections import badges, freezes, past, surrogates
from projections.database import Connection, columns, literal, queries
from projections.feed import DeadLine, Feed, Lines
from schemas.errors import ConcurrentWriter
from schemas.position import Position

if TYPE_CHECKING:
    from projections.batch import Batch

ACCEPTED, DUPLICATE, REFUSED = 0, 1, 2
"""Ingest verdicts of archived entries. Replay folds what was accepted."""

ROWS = 50_000
"""Rows that are updated by one statement: a build has many more than a batch of the log."""

Q = queries("writer")
LOG = ("game_id", "epoch", "shard", "ms", "seq", "verdict", "subject", "body")
IDS = ("game_id", "id_hash", "body_hash", "epoch", "shard", "ms", "seq")
STANDINGS = ("ranking_id", "player", "prefix", "extra", "state", "since", "hidden")
HISTORY = ("ranking_id", "player", "prefix", "extra", "from_version", "to_version", "hidden")


async def advance(connection: Connection, batch: "Batch") -> None:
    """The compare-and-set: moves the shard's position, if it is where the batch was read after."""
    state = batch.state
    version = await connection.fetchval(
        Q["advance"],
        batch.shard,
        state.ms,
        state.seq,
        *batch.upto,
        state.epoch,
        state.catalog,
        batch.after_state.profiles,
    )
    if version != batch.version:
        raise ConcurrentWriter(f"shard {batch.shard} is no longer at {state.ms}-{state.seq}")


async def write_rules(connection: Connection, batch: "Batch") -> None:
    """A version of a game's rules; the first one makes the game and its first generation."""
    assert batch.rules is not None
    event = batch.rules
    position, (log, ids, *_) = Position(batch.state.epoch, batch.shard, *batch.upto), batch.lines
    line = (event.version, event.mode, event.text, str(position), position.ms)
    await connection.execute(Q["hold_name"], event.game)
    if await connection.fetchval(Q["ruleset_elsewhere"], event.game, event.version, event.text):
        raise ConcurrentWriter(f"another part of {event.game} has taken version {event.version} of its rules")
    if batch.first_entry is None:
        game_id = log[0][0]
        await connection.execute(Q["new_ruleset"], game_id, *line)
        return
    part = batch.shard if batch.parts > 1 else 0
    game_id = await connection.fetchval(Q["new_game"], event.game, batch.shard, part, batch.parts)
    if game_id is None:
        raise ConcurrentWriter(f"game {event.game} was made meanwhile")
    await connection.execute(Q["new_ruleset"], game_id, *line)
    generation_id = await connection.fetchval(Q["new_generation"], game_id, event.version, "live")
    await connection.execute(Q["go_live"], game_id, generation_id, batch.version)
    ms, seq, body, id_hash, body_hash = batch.first_entry
    log.append((game_id, position.epoch, batch.shard, ms, seq, ACCEPTED, None, body))
    ids.append((game_id, id_hash, body_hash, position.epoch, batch.shard, ms, seq))


async def extend(connection: Connection, batch: "Batch") -> None:
    """Moves the position on to where a batch has come to while its transaction was open."""
    await connection.execute(Q["extend"], batch.shard, batch.version, *batch.upto, batch.after_state.profiles)


async def write(connection: Connection, batch: "Batch") -> None:
    """Everything that a batch still holds, with COPY and set-based statements only."""
    lines = batch.drain()
    await write_archive(connection, lines)
    for generation_id, voided in batch.voided:
        await past.write(connection, generation_id, voided)
    if batch.new_rankings:
        await connection.execute(Q["insert_rankings"], *columns(batch.new_rankings, 6))
    moved = [ranking_id for ranking_id, (places, _, _) in batch.places.items() if places]
    if moved:
        await connection.execute(Q["touch_rankings"], moved, batch.version)
    if batch.erasings:
        await surrogates.write(connection, batch.erasings)
    await write_rows(connection, lines)
    await batch.clock.write(connection)
    await batch.contests.write(connection)
    if batch.players:
        await connection.execute(Q["upsert_players"], *columns(batch.players, 6))
    await badges.write(connection, batch.awards)
    await freezes.write(connection, batch.version, batch.freezes)
    await freezes.write_closes(connection, batch.closes)
    await write_dead(connection, lines.dead)


async def write_feed(connection: Connection, feed: Feed) -> None:
    """What a batch hands over while it grows, until it is whole. Raises Abandoned."""
    try:
        async for lines in feed.taking():
            await write_lines(connection, lines)
    finally:
        feed.end()


async def write_lines(connection: Connection, lines: Lines) -> None:
    """What a batch hands over while it grows."""
    await write_archive(connection, lines)
    await write_rows(connection, lines)
    await write_dead(connection, lines.dead)


async def write_archive(connection: Connection, lines: Lines) -> None:
    """Entries, and the ids of those that were accepted."""
    if lines.log:
        await connection.copy_records_to_table("log", records=lines.log, columns=LOG)
    if lines.ids:
        await connection.copy_records_to_table("event_ids", records=lines.ids, columns=IDS)


async def write_rows(connection: Connection, lines: Lines) -> None:
    """Rows of rankings as they are now, and what they were."""
    if lines.new_rows:
        await connection.copy_records_to_table("standings", records=lines.new_rows, columns=STANDINGS)
    for at in range(0, len(lines.changed_rows), ROWS):
        await connection.execute(Q["update_standings"], *_changed(lines.changed_rows[at : at + ROWS]))
    if lines.history:
        await connection.copy_records_to_table("standings_history", records=lines.history, columns=HISTORY)


def _changed(rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Rows as `update_standings` takes them. What is empty in all of them is left out."""
    ranking_ids, players, prefixes, extras, states, since, hidden = zip(*rows, strict=True)
    left = extras if any(extras) else None, hidden if any(one is not None for one in hidden) else None
    return literal(ranking_ids), players, prefixes, states, literal(since), *left


async def write_dead(connection: Connection, dead: list[DeadLine]) -> None:
    """Entries that could not be folded."""
    if dead:
        await connection.execute(Q["dead_letter"], *columns(dead, 8))
