"""Dead letters of a game over HTTP: what could not be folded, why, and another try once the reason is gone."""

from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg
import msgspec
from aiohttp import web

from api.freshness import Applied
from api.params import PAGE_DEFAULT, PAGE_MAX, name_of, number_of, parameters, target
from api.problems import invalid
from api.publish import WAIT_MS_MAX
from api.response import JSON, NO_STORE, Ready, read_response
from api.views import Views
from projections import dead_letters
from projections.dead_letters import DeadLetter
from schemas.errors import NotFound

if TYPE_CHECKING:
    from redis.asyncio import Redis

STATUSES = ("open", "retried", "all")
ID_MAX = 999_999_999_999_999_999
_encode = msgspec.json.Encoder().encode


class DeadLetterLine(msgspec.Struct, frozen=True):
    """An entry of the log that could not be folded; `body` is what it held, bytes that are no UTF-8 as `\\xNN`."""

    id: int
    position: str
    recorded_at: datetime
    field: str
    reason: str
    status: str
    body: str


class DeadLetterPage(msgspec.Struct, frozen=True):
    """The oldest first; `next` is what `after` takes for those behind."""

    position: str
    game: str
    dead_letters: list[DeadLetterLine]
    next: str | None


class Retried(msgspec.Struct, frozen=True, omit_defaults=True):
    """A dead letter that was appended to the log again, at `position`; null when that had been done before.

    `visible` answers `wait`: whether readers see what became of it. What fails again is a new dead letter.
    """

    id: int
    status: str
    position: str | None
    visible: bool | None = None


class DeadLetters:
    """The handlers."""

    def __init__(self, views: Views, pool: asyncpg.Pool, redis_log: "Redis", applied: Applied) -> None:
        self._views = views
        self._pool = pool
        self._log = redis_log
        self._applied = applied

    async def listed(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/dead-letters"""
        (_, _, _, segment, _), query = target(request)
        given = parameters(query, "status", "limit", "after")
        limit = number_of(given, "limit", PAGE_DEFAULT, 1, PAGE_MAX)
        status = given.get("status", "open")
        if status not in STATUSES:
            raise invalid("status", f"one of {', '.join(STATUSES)}")
        info = await self._views.catalog.game(name_of(segment, "game"))
        shown = await self._views.shown_of(info)
        after = _id_of(given["after"]) if "after" in given else 0
        if after is None:
            raise invalid("after", "a cursor out of `next`")
        found = await dead_letters.list_(self._pool, info.name, after, limit + 1, None if status == "all" else status)
        lines = [_line(letter) for letter in found[:limit]]
        more = str(lines[-1].id) if len(found) > limit else None
        return read_response(request, DeadLetterPage(shown.text, info.name, lines, more))

    async def retry(self, request: web.Request) -> Ready:
        """POST /v1/games/{game}/dead-letters/{id}/retry: 202; again and again is as good as once."""
        (_, _, _, segment, _, text, _), query = target(request)
        given = parameters(query, "wait")
        wait_ms = number_of(given, "wait", 0, 0, WAIT_MS_MAX)
        info = await self._views.catalog.game(name_of(segment, "game"))
        id_ = _id_of(text)
        if id_ is None:
            raise NotFound("dead letter", text[:64])
        position = await dead_letters.retry_one(self._pool, self._log, info.name, id_)
        visible = None
        if position is not None and "wait" in given:
            visible = await self._applied.wait(position, wait_ms / 1000) is not None
        answer = Retried(id_, "retried", str(position) if position is not None else None, visible)
        return Ready(202, JSON + NO_STORE, _encode(answer))


def _line(letter: DeadLetter) -> DeadLetterLine:
    body = letter.body.decode("utf-8", "backslashreplace")
    position = str(letter.position)
    return DeadLetterLine(letter.id, position, letter.created_at, letter.field, letter.reason, letter.status, body)


def _id_of(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(ID_MAX)) else None
