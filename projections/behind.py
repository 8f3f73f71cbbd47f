"""What stood behind a player's places at an instant: a fold of the archive up to then, of the whole game or of him alone."""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import asyncpg

from engine.corrections import corrections_of, identity_of, marks_of, subject_number
from engine.effective import Cut
from engine.erasure import erases, players_of
from engine.fold import Fold
from engine.rules import Game
from projections.coldguard import refuse
from projections.database import Connection, queries
from schemas.codec import decode_archived
from schemas.events import Adjustment, Event, Player, Reinstate, Score, Void
from schemas.position import SEQ_MAX, Position

PAST = queries("past")
LAST = (2**31 - 1, SEQ_MAX, SEQ_MAX)
"""Behind every place of a log."""

_CHUNK = 1_000
"""After so many events others are answered."""

_MANY = 10_000
"""Subjects that are asked for at a time."""


class Behind(NamedTuple):
    """A fold as of an instant, by what the log had said up to and with `upto`. It may hold one player's marks only."""

    fold: Fold
    when: int | Position
    upto: Position


async def own(pool: asyncpg.Pool, game: Game, game_id: int, player: str, at: Position) -> Behind:
    """A player's marks as they were at a position, where they follow from his own events (`engine.explain.told_by_himself`)."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(queries("writer")["by_index"])
        reading = _Reading(connection, game_id, at)
        said = await reading.about([marks_of(player), identity_of(player)])
        his = [each for each in said if isinstance(each[1], Score | Adjustment | Player) and each[1].player == player]
        ids = {event.id for _, event in his}
        corrections = await reading.about(map(corrections_of, ids))
        his += [each for each in corrections if isinstance(each[1], Void | Reinstate) and each[1].event in ids]
    fold = Fold(game)
    fold.pass_time(at.ms)
    for told, (position, event) in enumerate(sorted(his, key=lambda each: each[0]), 1):
        if isinstance(event, Score | Adjustment):
            fold.stage(event, position)
            fold.corrections.past.add(position, event)  # type: ignore[attr-defined]
        else:
            fold.absorb()
            fold.apply(event, position)
        if told % _CHUNK == 0:
            fold.absorb()
            await asyncio.sleep(0)
    fold.absorb()
    fold.settle()
    return Behind(fold, at, at)


class _Reading:
    """The archive of a game up to a position."""

    def __init__(self, connection: Connection, game_id: int, upto: Position) -> None:
        self._connection = connection
        self._game_id = game_id
        self._upto = (upto.epoch, upto.ms, upto.seq)

    async def about(self, subjects: Iterable[str]) -> list[tuple[Position, Event]]:
        """What is said about subjects, and about others that share their numbers."""
        numbers, found = [subject_number(subject) for subject in subjects], list[tuple[Position, Event]]()
        for start in range(0, len(numbers), _MANY):
            some = numbers[start : start + _MANY]
            await refuse(self._connection.fetch, "away_about", self._game_id, some)
            rows = await self._connection.fetch(PAST["events_about"], self._game_id, some, *self._upto)
            for at in range(0, len(rows), _CHUNK):
                found += [(Position(*row[:4]), decode_archived(row[4])) for row in rows[at : at + _CHUNK]]
                await asyncio.sleep(0)
        return found


class Filter:
    """Tells which events of the archive counted at the instant, given in the order of the log."""

    def __init__(self, behind: Behind) -> None:
        self._cut = Cut(behind.when)
        self._upto = behind.upto

    def take(self, rows: Iterable[Any]) -> Iterable[tuple[Position, Event]]:
        """Of rows of the archive those that counted."""
        for *place, body in rows:
            position = Position(*place)
            if position <= self._upto:
                event = decode_archived(body)
                if self._cut.counts(event, position):
                    yield position, event


async def erased_since(fetch: Any, game_id: int, player: str, upto: Position) -> bool:
    """Whether who had this id has been erased behind a position: then nothing of that time is his."""
    rows = await fetch(PAST["events_about"], game_id, [subject_number(identity_of(player))], *LAST)
    events = ((Position(*row[:4]), decode_archived(row[4])) for row in rows)
    return any(at > upto and player in players_of(event) for at, event in events if erases(event))
