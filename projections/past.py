"""The past that corrections need, out of the archive: events by their ids, and those about a player or a fixture."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from engine.corrections import VOIDABLE, Log, identity_of, results_of, subject_number
from engine.erasure import players_of
from engine.fold import Fold
from projections.coldguard import refuse
from projections.database import Connection, columns, queries
from projections.hashing import id_hash
from schemas.codec import decode_archived
from schemas.events import Event, Pick, Reinstate, Result, Void
from schemas.position import Position

Q = queries("past")
TAKE = 1_000
"""Events that are decoded between two turns of the event loop."""

Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
"""Runs a query with its arguments."""


async def load(fetch: Fetch, game_id: int, fold: Fold, events: Sequence[Void | Reinstate], upto: Position) -> list[Any]:
    """Makes present what these corrections look up, but for the marks of players; returns the picks and results among it."""
    log = Log()
    fold.corrections.past = log
    hashes = [id_hash(event.event) for event in events]
    await refuse(fetch, "away_by_id", game_id, hashes)
    _take(log, await fetch(Q["events_by_id"], game_id, hashes))
    targets = [said for said in (log.find(event.event) for event in events) if said is not None]
    contests = {results_of(said.fixture) for _, said in targets if isinstance(said, Pick | Result)}
    await _load_about(fetch, game_id, log, contests, upto)
    results = [
        said for _, target in targets if isinstance(target, Result) for said in log.about(results_of(target.fixture))
    ]
    people = {player for _, said in (*targets, *results) if isinstance(said, VOIDABLE) for player in players_of(said)}
    await _load_about(fetch, game_id, log, map(identity_of, people), upto)
    return [fold.corrections.named(said) for said in targets if isinstance(said[1], Pick | Result)]


async def refold(fetch: Fetch, game_id: int, fold: Fold, upto: Position) -> None:
    """Folds the rows anew from which a mark could not be taken back, and judges what was taken back."""
    corrections = fold.corrections
    if corrections.lacking:
        assert isinstance(corrections.past, Log)
        await _load_marks(fetch, game_id, corrections.past, corrections.lacking, upto)
        for _ in corrections.refolding():
            await asyncio.sleep(0)
    corrections.judge()


def as_if(fetch: Fetch, counts: Callable[[Event, Position], bool]) -> Fetch:
    """Looks up what corrections need, as if what does not count had never been said."""

    async def look(query: str, *arguments: Any) -> list[asyncpg.Record]:
        rows = await fetch(query, *arguments)
        return [row for row in rows if "body" not in row or counts(decode_archived(row["body"]), Position(*row[:4]))]

    return look


async def correct(fetch: Fetch, game_id: int, fold: Fold, event: Void | Reinstate, position: Position) -> None:
    """Stages and absorbs one correction for a fold whose rows and contests are all in memory."""
    fold.absorb()
    await load(fetch, game_id, fold, [event], position)
    fold.stage(event, position)
    fold.absorb()
    await refold(fetch, game_id, fold, position)


async def _load_about(fetch: Fetch, game_id: int, log: Log, subjects: Iterable[str], upto: Position) -> None:
    numbers = [subject_number(subject) for subject in subjects]
    if numbers:
        await refuse(fetch, "away_about", game_id, numbers)
        rows = await fetch(Q["events_about"], game_id, numbers, upto.epoch, upto.ms, upto.seq)
        for at in range(0, len(rows), TAKE):
            _take(log, rows[at : at + TAKE])
            await asyncio.sleep(0)


async def _load_marks(fetch: Fetch, game_id: int, log: Log, subjects: set[str], upto: Position) -> None:
    """`_load_about` for the marks of players, of which there may be a hundred thousand."""
    numbers = [subject_number(subject) for subject in subjects]
    await refuse(fetch, "away_about", game_id, numbers)
    rows = await fetch(Q["events_about"], game_id, numbers, upto.epoch, upto.ms, upto.seq)
    log.forget(subjects)
    for at in range(0, len(rows), TAKE):
        log.recall((Position(*place), decode_archived(body)) for *place, body in rows[at : at + TAKE])
        await asyncio.sleep(0)


def _take(log: Log, rows: list[asyncpg.Record]) -> None:
    for epoch, shard, ms, seq, body in rows:
        event: Event = decode_archived(body)
        log.add(Position(epoch, shard, ms, seq), event)


async def write(connection: Connection, generation_id: int, voided: dict[str, bool]) -> None:
    """Stores which events are void, or are no longer."""
    for name, wanted in (("void", True), ("reinstate", False)):
        lines = [(generation_id, event) for event, void in voided.items() if void is wanted]
        if lines:
            await connection.execute(Q[name], *columns(lines, 2))


async def load_voided(fetch: Fetch, folds: Mapping[int, Fold]) -> None:
    """Makes present which events are void; `folds` are given by their generations."""
    for generation_id, event in await fetch(Q["voided"], list(folds)) if folds else ():
        folds[generation_id].corrections.voided.add(event)
