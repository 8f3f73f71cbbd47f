"""What is in the log and does not count: late picks, unknown fixtures, banned players, conflicting revisions."""

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
from aiohttp import web

from api.access import official
from api.params import PAGE_DEFAULT, PAGE_MAX, name_of, number_of, parameters, position_of, target, vector_of
from api.problems import invalid
from api.response import Ready, read_response
from api.views import Views
from projections.rejections import RejectionLine, of_parts
from schemas.checks import ID_RULE, good_id
from schemas.position import Position

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rejected(msgspec.Struct, frozen=True):
    """An event that does not count, and why; `recorded_at` is what locks are judged by."""

    position: str
    recorded_at: datetime
    event: str
    player: str | None
    field: str
    reason: str


class RejectionsPage(msgspec.Struct, frozen=True):
    """The newest first; `next` is what `after` takes for those before them."""

    position: str
    game: str
    rejections: list[Rejected]
    next: str | None


def rejected(line: RejectionLine) -> Rejected:
    """A rejection as it is answered."""
    recorded_at = _EPOCH + timedelta(milliseconds=line.position.ms)
    return Rejected(str(line.position), recorded_at, line.event, line.player, line.field, line.reason)


class Rejections:
    """The handler."""

    def __init__(self, views: Views, pool: asyncpg.Pool) -> None:
        self._views = views
        self._pool = pool

    async def listed(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/rejections"""
        (_, _, _, segment, _), query = target(request)
        given = parameters(query, "player", "limit", "after", "min_position", "view")
        limit = number_of(given, "limit", PAGE_DEFAULT, 1, PAGE_MAX)
        player = given.get("player")
        if player is not None and not good_id(player):
            raise invalid("player", ID_RULE)
        info = await self._views.catalog.game(name_of(segment, "game"))
        shown = await self._views.shown_of(info, vector_of(given))
        info = await self._views.catalog.as_shown(info, shown.profiled)
        after = position_of(given, "after")
        bounds: list[Position | None] = [None] * len(info.parts)
        if not official(request, info.name, given.get("view")):
            # What is not shown yet is not told by the way either.
            for part in info.parts:
                bounds[part.part] = self._views.told_before(part, shown.of(part.part))
        generations = [part.generation_id for part in info.parts]
        found = await of_parts(self._pool, generations, player, after, bounds, limit + 1)
        lines = [rejected(line) for line in found[:limit]]
        return read_response(
            request, RejectionsPage(shown.text, info.name, lines, lines[-1].position if len(found) > limit else None)
        )
