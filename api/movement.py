"""Movement: how many ranks a player has gained or lost against the ranking before the present round or stretch."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from api.freshness import Shown
from api.view import View
from api.views import Views
from engine.movement import BEFORE
from engine.places import Entry, Lookup, Place

ABSENT_MAX = 10_000
_Name = tuple[int, str, str, str]


class Moves(NamedTuple):
    """The ranks that players had before, of those who had one; and the version of the ranking that says so."""

    version: int
    ranks: dict[str, int] | None

    def of(self, place: Entry | Place) -> int | msgspec.UnsetType | None:
        """Positive for who climbed, None for who is new; unset on boards without movement."""
        if self.ranks is None:
            return msgspec.UNSET
        before = self.ranks.get(place.player)
        return None if before is None else before - place.rank


STILL = Moves(0, None)
"""On boards without movement."""


class Movements:
    """Finds the rankings to compare with."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._absent: dict[_Name, str] = {}

    async def of(self, view: View, shown: Shown, places: Sequence[Entry | Place]) -> Moves:
        """The movement of places in a view, which were read before this is asked for."""
        if not _moves(view):
            return STILL
        before = await self._before(view, shown)
        if before is None:
            return Moves(0, {})
        answer = await self._views.ask(before, shown, [Lookup("player", place.player, 0) for place in places])
        return Moves(answer.version, {found.player: found.rank for found in answer.found if isinstance(found, Place)})

    async def _before(self, view: View, shown: Shown) -> View | None:
        """The view to compare with; None while nobody was ranked before. Asks the database once for what is shown."""
        info, board, segment = view.info, view.plan.name, BEFORE + view.segment
        if view.past is not None and view.past.truth is not None:
            return view._replace(segment=segment)
        ranking_id = info.rankings.get((board, view.period, segment))
        if ranking_id is None:
            name = (info.generation_id, board, view.period, segment)
            if self._absent.get(name) == shown.text:
                return None
            ranking_id = await self._views.catalog.ranking(info, board, view.period, segment)
            if ranking_id is None:
                if len(self._absent) >= ABSENT_MAX:
                    self._absent.clear()
                self._absent[name] = shown.text
                return None
        return view._replace(ranking_id=ranking_id, segment=segment)


def _moves(view: View) -> bool:
    return view.plan.present is not None and view.ranking_id is not None and view.period not in view.plan.windows
