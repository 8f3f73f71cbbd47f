"""A game's rules over HTTP: the text that holds, its versions, and a new one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from api.bodies import read_body
from api.params import PAGE_DEFAULT, PAGE_MAX, name_of, number_of, parameters, target
from api.problems import UNSUPPORTED_MEDIA_TYPE, RefusedError
from api.publish import WAIT_MS_MAX, Publishing
from api.response import JSON, NO_STORE, Ready, read_response
from api.views import Views
from engine.rules import compile_ruleset
from projections.append import IdConflict
from projections.catalog import GameInfo
from projections.database import queries
from schemas.codec import encode
from schemas.errors import Conflict, InvalidRuleset, NotFound, Problem
from schemas.events import RulesetChange
from schemas.ruleset import parse

Q = queries("reader")
VERSION_MAX = 2_147_483_647
VERSIONS_TRIED_MAX = 20
MEDIA = ("application/toml", "text/plain")
Stored = dict[str, Any]
"""A line of the table of rulesets."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class RulesetText(msgspec.Struct, frozen=True):
    """A version of a game's rules; `live` tells whether the boards go by it, `recorded_at` when it came to the log."""

    position: str
    game: str
    version: int
    live: bool
    mode: str
    recorded_at: datetime
    text: str


class RulesetLine(msgspec.Struct, frozen=True):
    """A version in the list of all; `position` is that of its event."""

    version: int
    live: bool
    mode: str
    recorded_at: datetime
    position: str
    boards: list[str]


class RulesetPage(msgspec.Struct, frozen=True):
    """The newest first; `next` is what `after` takes for those before them."""

    position: str
    game: str
    versions: list[RulesetLine]
    next: str | None


class RulesetPut(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which version a text is. `new` is false when the newest version says the same: nothing was appended then.

    `visible` answers `wait`: whether readers see what the event led to.
    """

    position: str
    game: str
    version: int
    new: bool
    visible: bool | None = None


class Rulesets:
    """The handlers."""

    def __init__(self, views: Views, pool: asyncpg.Pool, publishing: Publishing) -> None:
        self._views = views
        self._pool = pool
        self._publishing = publishing

    async def text(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/ruleset: the one that the boards go by, or a `version`"""
        (_, _, _, segment, _), query = target(request)
        given = parameters(query, "version")
        info = await self._views.catalog.game(name_of(segment, "game"))
        version = number_of(given, "version", info.ruleset_version, 1, 999_999_999)
        shown = await self._views.shown_of(info)
        row = next(iter(await self._before(info, version + 1, 1)), None)
        if row is None or row["version"] != version:
            raise NotFound("version of the rules", str(version))
        live = version == info.ruleset_version
        return read_response(
            request,
            RulesetText(shown.text, info.name, version, live, row["mode"], _recorded_at(row), row["text"]),
        )

    async def versions(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/ruleset/versions"""
        (_, _, _, segment, _, _), query = target(request)
        given = parameters(query, "limit", "after")
        limit = number_of(given, "limit", PAGE_DEFAULT, 1, PAGE_MAX)
        before = number_of(given, "after", VERSION_MAX, 1, 999_999_999)
        info = await self._views.catalog.game(name_of(segment, "game"))
        shown = await self._views.shown_of(info)
        rows = await self._before(info, before, limit + 1)
        lines = [_line(row, info.ruleset_version) for row in rows[:limit]]
        more = str(lines[-1].version) if len(rows) > limit else None
        return read_response(request, RulesetPage(shown.text, info.name, lines, more))

    async def put(self, request: web.Request) -> Ready:
        """PUT /v1/games/{game}/ruleset: 202. The first version makes the game."""
        (_, _, _, segment, _), query = target(request)
        game = name_of(segment, "game")
        given = parameters(query, "wait")
        wait_ms = number_of(given, "wait", 0, 0, WAIT_MS_MAX) if "wait" in given else None
        answer = await self.apply(game, await _text(request), wait_ms)
        return Ready(202, JSON + NO_STORE, _encode(answer))

    async def apply(self, game: str, text: str, wait_ms: int | None) -> RulesetPut:
        """Makes a text the next version of a game's rules, unless it is the newest one already."""
        compile_ruleset(parse(text, game=game))
        return await self._known(game, text) or await self._publish(game, text, wait_ms)

    async def _known(self, game: str, text: str) -> RulesetPut | None:
        """The newest version, if it says the same."""
        info = await self._publishing.game(game, creates=True)
        row = next(iter(await self._before(info, VERSION_MAX, 1)), None) if info is not None else None
        if row is None or row["text"] != text:
            return None
        return RulesetPut(row["position"], game, row["version"], False)

    async def _publish(self, game: str, text: str, wait_ms: int | None) -> RulesetPut:
        info = await self._publishing.game(game, creates=True)
        rows = await self._before(info, VERSION_MAX, 1) if info is not None else []
        first = rows[0]["version"] + 1 if rows else 1
        # What is in the log and not yet archived has taken its number already.
        for version in range(first, first + VERSIONS_TRIED_MAX):
            event = RulesetChange(id=f"ruleset-{version}", game=game, version=version, text=text)
            body = encode(event)
            try:
                sent = await self._publishing.send(info, game, [(event, body)], wait_ms)
            except IdConflict:
                continue
            return RulesetPut(sent.position, game, version, not sent.duplicates, sent.visible)
        raise Conflict(f"versions {first} to {first + VERSIONS_TRIED_MAX - 1} of {game} are taken; try again")

    async def _before(self, info: GameInfo, version: int, limit: int) -> list[Stored]:
        """The versions before one, the newest first; of a spread game those that every part has come to."""
        found = [
            {row["version"]: row for row in await self._pool.fetch(Q["rulesets_before"], part.game_id, version, limit)}
            for part in info.parts
        ]
        return [
            {**row, "position": ",".join(rows[number]["position"] for rows in found)}
            for number, row in found[0].items()
            if all(number in rows for rows in found)
        ]


async def _text(request: web.Request) -> str:
    media = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media not in MEDIA:
        raise RefusedError(UNSUPPORTED_MEDIA_TYPE, f"send one of {', '.join(MEDIA)}")
    try:
        return (await read_body(request)).decode()
    except UnicodeDecodeError:
        raise InvalidRuleset(Problem("", "text is UTF-8")) from None


def _recorded_at(row: Stored) -> datetime:
    return _EPOCH + timedelta(milliseconds=row["recorded_ms"])


def _line(row: Stored, live: int) -> RulesetLine:
    boards = list(parse(row["text"]).boards)
    return RulesetLine(row["version"], row["version"] == live, row["mode"], _recorded_at(row), row["position"], boards)
