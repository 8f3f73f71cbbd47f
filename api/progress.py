"""How a player's rank has gone: at each change of what was shown of him, at the end of each day, or before each next round.

Each rank is counted out of the history, one pass over the ranking, so the number of lines is bounded.
"""

from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from api.asking import ask_parts, nothing
from api.freshness import Shown
from api.problems import invalid
from api.view import View
from api.views import Views
from engine.places import Answer, Lookup, Place
from projections.catalog import GameInfo
from projections.fallback import PostgresRankings
from projections.history import HistoryRow
from projections.moments import Gone, Moment, moment_at, moment_of, rounds_of
from schemas.position import Vector

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
    """When a rank is told: the moment of each part of the game, None where a part displayed nothing yet."""

    moments: list[Moment | None]
    at: datetime
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
        steps = self._changes(view, player, rows) if by == "change" else self._steps(view, shown, by)
        async for step in steps:
            line = await self._line(view, player, step)
            if line is not None:
                found.append(line)
            if len(found) >= min(limit, LINES_MAX):
                break
        return found

    async def _line(self, view: View, player: str, step: _Step) -> RankLine | None:
        """The line of a step; None while the parts of a spread game went by different rules, and so had no ranks together."""
        name, infos = (view.plan.name, view.period, view.segment), []
        for now, moment in zip(_games(view), step.moments, strict=True):
            generation = None if moment is None else moment.generation_id
            infos.append(None if generation is None else await self._views.catalog.generation(now, generation))
        if len({info.ruleset_version for info in infos if info is not None}) > 1:
            return None
        plans = [None if info is None else info.game.boards.get(view.plan.name) for info in infos]
        rankings = [None if info is None else info.rankings.get(name) for info in infos]

        async def ask(part: int, lookups: list[Lookup]) -> Answer:
            plan, ranking_id, moment = plans[part], rankings[part], step.moments[part]
            found = None
            if plan is not None and ranking_id is not None and moment is not None:
                found = await self._rankings.lookup(ranking_id, plan, lookups, moment.version)
            return found or nothing(lookups)

        style = next((plan.style for plan in plans if plan is not None), view.plan.style)
        answer = await ask_parts(style, len(plans), [Lookup("player", player, 0)], ask)
        ranked = next((found for found in answer.found if isinstance(found, Place)), None)
        rank, tied = (None, None) if ranked is None else (ranked.rank, ranked.tied)
        position = Vector(moment.position for moment in step.moments if moment is not None)
        return RankLine(step.at, str(position), rank, tied, answer.total, step.day, step.round)

    async def _changes(self, view: View, player: str, rows: list[HistoryRow]) -> AsyncIterator[_Step]:
        games, own = _games(view), view.of(player).info.part if view.parts else 0
        for row in rows:
            moments: list[Moment | None] = []
            for part, info in enumerate(games):
                if part == own:
                    moments.append(Moment(row.version, row.position, row.from_at, row.generation_id))
                    continue
                try:
                    moments.append(await moment_of(self._pool, info.game_id, row.from_at))
                except Gone:
                    return
            yield _Step(moments, row.from_at)

    async def _steps(self, view: View, shown: Shown, by: str) -> AsyncIterator[_Step]:
        games = _games(view)
        last = [await moment_of(self._pool, info.game_id, shown.of(info.part).position) for info in games]
        if by == "day":
            async for step in self._days(games, ZoneInfo(view.named.game.rules.time_zone), last):
                yield step
        elif len(games) > 1:
            async for step in self._rounds(view, games, last):
                yield step
        elif (now := last[0]) is not None:
            version = now.version
            for period, began in await rounds_of(self._pool, games[0].game_id, view.plan.name, version):
                moment = now if version == now.version else await moment_at(self._pool, games[0].game_id, version)
                if moment is None:
                    return
                yield _Step([moment], moment.committed_at, round=period.partition(":")[2])
                version = began - 1

    async def _rounds(self, view: View, games: list[GameInfo], last: list[Moment | None]) -> AsyncIterator[_Step]:
        """The same of a spread game, in which a round begins when the first part displays it."""
        begun: dict[str, datetime] = {}
        for info, now in zip(games, last, strict=True):
            rounds = [] if now is None else await rounds_of(self._pool, info.game_id, view.plan.name, now.version)
            for period, began in rounds:
                moment = await moment_at(self._pool, info.game_id, began)
                if moment is not None:
                    begun[period] = min(moment.committed_at, begun.get(period, moment.committed_at))
        moments = last
        for period, began_at in sorted(begun.items(), key=lambda item: (item[1], item[0]), reverse=True):
            yield _Step(moments, _latest(moments), round=period.partition(":")[2])
            try:
                moments = await self._before(games, began_at)
            except Gone:
                return

    async def _days(self, games: list[GameInfo], zone: ZoneInfo, moments: list[Moment | None]) -> AsyncIterator[_Step]:
        """Days on which nothing was published stand as the day before has left them."""
        if not any(moments):
            return
        day = _latest(moments).astimezone(zone).date()
        while any(moment is not None for moment in moments):
            yield _Step(moments, _latest(moments), day=day)
            start = datetime.combine(day, time(), zone)
            day -= timedelta(days=1)
            try:
                moments = await self._before(games, start)
            except Gone:
                return
            if all(moment is None or moment.generation_id is None for moment in moments):
                return

    async def _before(self, games: list[GameInfo], when: datetime) -> list[Moment | None]:
        last = when - timedelta(microseconds=1)
        return [await moment_of(self._pool, info.game_id, last) for info in games]


def _games(view: View) -> list[GameInfo]:
    """The game, or its parts."""
    return [part.named for part in view.parts or (view,)]


def _latest(moments: list[Moment | None]) -> datetime:
    return max(moment.committed_at for moment in moments if moment is not None)
