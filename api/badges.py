"""Badges of a player as his place shows them."""

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from api.view import View
from projections.badges import badges_of
from projections.database import AWAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadgeLine(msgspec.Struct, frozen=True):
    """A badge, the position of the event that earned it, and when that occurred and was recorded."""

    badge: str
    title: str
    position: str
    occurred_at: datetime
    recorded_at: datetime


Badges = list[BadgeLine] | msgspec.UnsetType | None
"""Unset on boards without badges; None while PostgreSQL, which alone knows them, does not answer."""


async def badges_shown(pool: asyncpg.Pool, view: View, player: str) -> Badges:
    """What a player was awarded on the whole board in a period. It was so then, so what was true does not say it."""
    truly = view.past is not None and view.past.truth is not None
    if view.plan.badges is None or view.segment or view.period in view.plan.windows or truly:
        return msgspec.UNSET
    try:
        held = await badges_of(pool, view.info.generation_id, player, view.plan.name, view.period)
    except AWAY:
        return None
    if view.past is not None:
        held = [badge for badge in held if badge.position <= view.past.position]
    titles = {name: badge.title for name, badge in view.plan.board.badges.items()}
    return [
        BadgeLine(
            badge.badge,
            titles.get(badge.badge) or badge.badge,
            str(badge.position),
            _EPOCH + timedelta(milliseconds=badge.occurred_ms),
            _EPOCH + timedelta(milliseconds=badge.position.ms),
        )
        for badge in held
    ]
