"""Contests in PostgreSQL: fixtures, picks, who takes part, and rejections; in bulk both ways.

Picks are rows of their own, only ever added: a hundred thousand on one fixture are read once, when its result comes.
"""

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.contests import Contest
from engine.fold import Fold
from engine.pickbook import PickLine
from engine.picks import Placed
from projections.database import Connection, columns, queries
from schemas.events import Event, Fixture, Pick, Result, Round

Q = queries("contests")
Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
"""Runs a query with its arguments."""

PICKS = ("generation_id", "fixture", "player", "market", "epoch", "ms", "seq", "event", "choice", "stake")
REJECTIONS = ("generation_id", "epoch", "shard", "ms", "seq", "event", "player", "field", "reason")
_encode = msgspec.json.Encoder().encode
_decode_contest = msgspec.json.Decoder(Contest).decode
_decode_round = msgspec.json.Decoder(Round).decode
_decode_choices = functools.lru_cache(maxsize=4096)(msgspec.json.Decoder(tuple[str, ...]).decode)


class ContestLines(NamedTuple):
    """What a stretch of the log has changed about contests, as lines of tables."""

    fixtures: list[tuple[int, str, int, str | None, int | None, bytes]]
    picks: list[tuple[int, str, str, str, int, int, int, str, str, str | None]]
    newcomers: list[tuple[int, str, int]]
    rejections: list[tuple[int, int, int, int, int, str, str | None, str, str]]
    gone: list[tuple[int, str, str, str, int, int, int]]
    """Picks that are void."""

    def add(self, generation_id: int, fold: Fold) -> list[PickLine]:
        """Takes over what a fold has that is not stored yet; returns the picks among it."""
        book = fold.settlement.book
        self.fixtures.extend(fixture_line(generation_id, fold.contests[name]) for name in fold.touched_contests)
        fold.touched_contests.clear()
        picks, book.fresh = book.fresh, []
        self.picks.extend(pick_line(generation_id, line) for line in picks)
        self.gone.extend((generation_id, *line[:3], *line.pick[:3]) for line in book.gone)
        book.gone.clear()
        self.newcomers.extend((generation_id, *newcomer) for newcomer in book.newcomers)
        book.newcomers.clear()
        self.rejections.extend(
            (generation_id, *position, event, player, field, reason)
            for position, event, player, field, reason in fold.rejections
        )
        fold.rejections.clear()
        return picks

    async def write(self, connection: Connection) -> None:
        """Stores the lines."""
        if self.fixtures:
            await connection.execute(Q["upsert_fixtures"], *columns(self.fixtures, 6))
        # First, since what is taken out may have come back.
        if self.gone:
            await connection.execute(Q["delete_picks"], *columns(self.gone, 7))
        if self.picks:
            await connection.copy_records_to_table("picks", records=self.picks, columns=PICKS)
        if self.newcomers:
            await connection.execute(Q["newcomers"], *columns(self.newcomers, 3))
        if self.rejections:
            await connection.copy_records_to_table("rejections", records=self.rejections, columns=REJECTIONS)


def no_lines() -> ContestLines:
    """Nothing yet."""
    return ContestLines([], [], [], [], [])


def fixture_line(generation_id: int, contest: Contest) -> tuple[int, str, int, str | None, int | None, bytes]:
    """A contest as a row of `fixtures`."""
    round_ = None if contest.round is None else _round_text(contest.round)
    return generation_id, contest.fixture, contest.revision, round_, contest.starts_ms, _encode(contest)


def _round_text(round_: Round) -> str:
    """Round 7 and round "7" are two."""
    return _encode(round_).decode()


def pick_line(generation_id: int, line: PickLine) -> tuple[int, str, str, str, int, int, int, str, str, str | None]:
    """A pick as a row of `picks`."""
    pick = line.pick
    choice = _encode(pick.choices).decode()
    entry = (pick.epoch, pick.ms, pick.seq, pick.event, choice, pick.stake)
    return generation_id, line.fixture, line.player, line.market, *entry


async def load_joined(fetch: Fetch, folds: Mapping[int, Fold]) -> None:
    """Makes present since when players take part, in games that ask for it; `folds` are given by their generations."""
    asking = {generation_id: fold for generation_id, fold in folds.items() if fold.game.markets.joins}
    for generation_id, player, joined_ms in await fetch(Q["joined"], list(asking)) if asking else ():
        asking[generation_id].settlement.book.joined[player] = joined_ms


async def load(
    fetch: Fetch, generation_id: int, fold: Fold, events: list[Any], uncommitted: Iterable[PickLine]
) -> None:
    """Makes present what these fixtures, picks and results need: contests, their rounds, and the picks to be graded.

    `uncommitted` are the picks of batches that may not be in the database yet.
    """
    fixtures = {event.fixture for event in events}
    await _load_contests(fetch, generation_id, fold, fixtures)
    markets, book = fold.game.markets, fold.settlement.book
    if not markets.sources:
        return
    if markets.by_round:
        fixtures = await _load_rounds(fetch, generation_id, fold, events, fixtures)
        await _load_contests(fetch, generation_id, fold, fixtures)
    book.let_go()
    whole = _graded_whole(fold, events, fixtures)
    picks = [event for event in events if isinstance(event, Pick)]
    players = {event.player for event in picks}
    # A pick of a fixture that has a result already concerns nobody else's; a stake concerns the player's whole round.
    rest = fixtures if markets.unique else {event.fixture for event in picks if _has_result(fold, event.fixture)}
    rest = rest - whole
    # Before the database is asked: what is committed meanwhile leaves this list, and may be missed there.
    recent = list(uncommitted)
    rows: list[asyncpg.Record] = []
    if whole:
        rows += await fetch(Q["picks"], generation_id, list(whole))
    if players and rest:
        rows += await fetch(Q["picks_of_players"], generation_id, list(rest), list(players))
    # Picks may be void whose deletion is not committed yet.
    voided = fold.corrections.voided
    for line in map(stored_pick, rows):
        if line.pick.event not in voided:
            book.hold(line)
    for line in recent:
        if line.pick.event in voided:
            continue
        if line.fixture in whole or (line.fixture in rest and line.player in players):
            book.hold(line)


def _graded_whole(fold: Fold, events: list[Event], fixtures: set[str]) -> set[str]:
    """The fixtures of which every pick may be graded: by a result of this batch, or because a lock moves after one."""
    settled = {event.fixture for event in events if isinstance(event, Result)}
    moved = {event.fixture for event in events if isinstance(event, Fixture)}
    if moved and fold.game.markets.locks_by_round:
        moved = fixtures
    return settled | {fixture for fixture in moved if _has_result(fold, fixture)}


async def _load_contests(fetch: Fetch, generation_id: int, fold: Fold, fixtures: set[str]) -> None:
    wanted = list(fixtures - fold.contests.keys())
    if wanted:
        for fixture, state in await fetch(Q["fixtures"], generation_id, wanted):
            fold.contests[fixture] = _decode_contest(state)


async def _load_rounds(
    fetch: Fetch, generation_id: int, fold: Fold, events: list[Event], fixtures: set[str]
) -> set[str]:
    """Makes the rounds of these events present; returns all fixtures that they have or get."""
    held = fold.settlement.book.rounds
    rounds: set[Round] = {event.round for event in events if isinstance(event, Fixture)}
    planned = [fold.contests[name].round for name in fixtures if name in fold.contests]
    rounds |= {round_ for round_ in planned if round_ is not None}
    lacking = rounds - held.keys()
    if lacking:
        found: dict[Round, dict[str, int]] = {round_: {} for round_ in lacking}
        for text, fixture, starts_ms in await fetch(Q["round_fixtures"], generation_id, [*map(_round_text, lacking)]):
            if fixture not in fold.contests:
                found[_decode_round(text)][fixture] = starts_ms
        for contest in fold.contests.values():
            # What is in memory may be newer than what is committed.
            if contest.round in found and contest.starts_ms is not None:
                found[contest.round][contest.fixture] = contest.starts_ms
        held.update(found)
    return fixtures.union(*(held[round_] for round_ in rounds))


def _has_result(fold: Fold, fixture: str) -> bool:
    contest = fold.contests.get(fixture)
    return contest is not None and contest.result is not None


def stored_pick(row: Iterable[Any]) -> PickLine:
    """A row of the picks, in the order of their queries' columns."""
    fixture, player, market, epoch, ms, seq, event, choice, stake = row
    return PickLine(fixture, player, market, Placed(epoch, ms, seq, _decode_choices(choice), stake, event))
