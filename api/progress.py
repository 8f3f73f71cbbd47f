"""How a player's rank has gone: at each change of what was shown of him, at the end of each day, or before each next round.

Each rank is counted out of the history, one pass over the ranking, so the number of lines is bounded.
"""

from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from api.freshness import Shown
from api.problems import invalid
from api.view import View
from api.views import Views
from engine.places import Lookup, Place
from projections.fallback import PostgresRankings
from projections.history import HistoryRow
from projections.moments import Gone, Moment, moment_at, moment_of, rounds_of

KINDS = ("change", "day", "round")
LINES_MAX = 100


class RankLine(msgspec.Struct, frozen=True):
    """A player's rank as it was displayed at a position; null, as `tied` is, where he was not ranked. `day` is a day of the
    game's time zone at whose end it was so, `round` one that it was so in before the next one began.
    """

    at: datetime
    position: str
    rank: int | None
    tied: int | None
    total: int
    day: date | msgspec.UnsetType = msgspec.UNSET
    round: str | msgspec.UnsetType = msgspec.UNSET


class _Step(NamedTuple):
    moment: Moment
    day: date | msgspec.UnsetType = msgspec.UNSET
    round: str | msgspec.UnsetType = msgspec.UNSET


def kind_of(text: str | None, view: View) -> str | None:
    """What ranks are asked for by."""
    if text is not None and text not in KINDS:
        raise invalid("by", "change, day or round")
    if text == "round" and "round" not in view.plan.period_kinds:
        raise invalid("by", "change or day: this board has no rounds")
    return text


class Progress:
    """Finds the ranks."""

    def __init__(self, views: Views, pool: asyncpg.Pool) -> None:
        self._views = views
        self._pool = pool
        self._rankings = PostgresRankings(pool)

    async def lines(
        self, view: View, shown: Shown, player: str, by: str, limit: int, rows: list[HistoryRow]
    ) -> list[RankLine]:
        """At most so many ranks, the newest first. `rows` is the player's history."""
        found: list[RankLine] = []
        steps = self._changes(rows) if by == "change" else self._steps(view, shown, by)
        async for step in steps:
            found.append(await self._line(view, player, step))
            if len(found) >= min(limit, LINES_MAX):
                break
        return found

    async def _line(self, view: View, player: str, step: _Step) -> RankLine:
        moment, place, total = step.moment, None, 0
        if moment.generation_id is not None:
            info = await self._views.catalog.generation(view.named, moment.generation_id)
            plan = info.game.boards.get(view.plan.name)
            ranking_id = info.rankings.get((view.plan.name, view.period, view.segment))
            if plan is not None and ranking_id is not None:
                asked = [Lookup("player", player, 0)]
                answer = await self._rankings.lookup(ranking_id, plan, asked, moment.version)
                if answer is not None:
                    place, total = answer.found[0], answer.total
        ranked = place if isinstance(place, Place) else None
        rank, tied = (None, None) if ranked is None else (ranked.rank, ranked.tied)
        return RankLine(moment.committed_at, str(moment.position), rank, tied, total, step.day, step.round)

    async def _changes(self, rows: list[HistoryRow]) -> AsyncIterator[_Step]:
        for row in rows:
            yield _Step(Moment(row.version, row.position, row.from_at, row.generation_id))

    async def _steps(self, view: View, shown: Shown, by: str) -> AsyncIterator[_Step]:
        info = view.named
        last = await moment_of(self._pool, info.game_id, shown.position)
        if last is None:
            return
        if by == "day":
            async for step in self._days(info.game_id, ZoneInfo(info.game.rules.time_zone), last):
                yield step
            return
        version = last.version
        for period, began in await rounds_of(self._pool, info.game_id, view.plan.name, last.version):
            moment = last if version == last.version else await moment_at(self._pool, info.game_id, version)
            if moment is None:
                return
            yield _Step(moment, round=period.partition(":")[2])
            version = began - 1

    async def _days(self, game_id: int, zone: ZoneInfo, last: Moment) -> AsyncIterator[_Step]:
        """Days on which nothing was published stand as the day before has left them."""
        day = last.committed_at.astimezone(zone).date()
        moment: Moment | None = last
        while moment is not None:
            yield _Step(moment, day=day)
            start = datetime.combine(day, time(), zone)
            day -= timedelta(days=1)
            try:
                moment = await moment_of(self._pool, game_id, start - timedelta(microseconds=1))
            except Gone:
                return
            if moment is not None and moment.generation_id is None:
                return
