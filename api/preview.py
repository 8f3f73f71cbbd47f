"""POST /v1/games/{game}/preview: who would move if these events came, or these rules held. Nothing is written."""

from collections.abc import Awaitable, Callable

import asyncpg
import msgspec
from aiohttp import web

from api.access import boards_shown, require_board, require_scopes
from api.batch import PREVIEWED, check_events, read_events
from api.bodies import read_body
from api.jobs import Jobs, Progress, accepted
from api.params import name_of, parameters, target
from api.problems import INVALID_EVENT, INVALID_RULESET, Item, RefusedError, invalid, items_of
from api.response import NO_STORE, Ready, json_response
from engine.erasure import erases
from engine.rules import Game, compile_ruleset
from projections import preview
from projections.catalog import Catalog, GameInfo
from projections.preview import Boards, Preview
from schemas.errors import InvalidRuleset, NotFound
from schemas.events import Event, RulesetChange
from schemas.ruleset import parse

LIMIT_DEFAULT = 100
LIMIT_MAX = 10_000


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """Events that might come, or a ruleset (TOML) that might hold: one of the two. `board` asks for one board only."""

    events: list[msgspec.Raw] | None = None
    ruleset: str | None = None
    board: str | None = None
    limit: int = LIMIT_DEFAULT


_decode = msgspec.json.Decoder(Question).decode
Look = Callable[[Progress, int | None], Awaitable[Preview]]
"""Makes the preview; raises TooMuch beyond so many rows, unless that is None."""


class Previewing:
    """The handler. What takes more than `preview.ROWS_MAX` places or events becomes a job."""

    def __init__(self, catalog: Catalog, pool: asyncpg.Pool, jobs: Jobs, clock_ms: Callable[[], int]) -> None:
        self._catalog = catalog
        self._pool = pool
        self._jobs = jobs
        self._clock_ms = clock_ms

    async def preview(self, request: web.Request) -> Ready:
        """200 with who would move, or 202 with a job."""
        (_, _, _, segment, _), query = target(request)
        parameters(query)
        info = await self._catalog.game(name_of(segment, "game"))
        asked = _question(await read_body(request))
        if asked.board is not None and asked.board not in info.game.boards:
            raise NotFound("board", asked.board[:64])
        boards = _boards(request, info, asked)
        look = (
            self._events(request, info.name, info.game, asked, boards)
            if asked.events is not None
            else self._rules(info.name, asked, boards)
        )
        try:
            return json_response(await look(_silent, preview.ROWS_MAX), headers=NO_STORE)
        except preview.TooMuch:
            return accepted(await self._jobs.start(info.name, "preview", lambda progress: look(progress, None)))

    def _events(self, request: web.Request, name: str, game: Game, asked: Question, boards: Boards) -> Look:
        reading = read_events(b"[" + b",".join(map(bytes, asked.events or [])) + b"]", "application/json", name)
        require_scopes(request, name, zip(reading.indexes, reading.events, strict=True), PREVIEWED)
        _refuse_unforeseeable(list(zip(reading.indexes, reading.events, strict=True)))
        check_events(reading, game, name, PREVIEWED)
        now_ms = self._clock_ms()

        async def look(_: Progress, rows_max: int | None) -> Preview:
            bound = preview.ENDLESS if rows_max is None else rows_max
            return await preview.of_events(
                self._pool, name, reading.events, now_ms, boards=boards, limit=asked.limit, rows_max=bound
            )

        return look

    def _rules(self, name: str, asked: Question, boards: Boards) -> Look:
        try:
            game = compile_ruleset(parse(asked.ruleset or "", game=name))
        except InvalidRuleset as error:
            raise RefusedError(INVALID_RULESET, str(error), items_of(error.problems)) from None

        async def look(progress: Progress, rows_max: int | None) -> Preview:
            return await preview.of_rules(
                self._pool, name, game, progress, boards=boards, limit=asked.limit, rows_max=rows_max
            )

        return look


def _boards(request: web.Request, info: GameInfo, asked: Question) -> Boards:
    """What may be looked at: the board that is asked for, else those that whoever asks may see."""
    plans = info.game.boards
    if asked.board is not None:
        require_board(request, info.name, plans[asked.board])
        return (asked.board,)
    seen = boards_shown(request, info)
    return seen if len(seen) < len(plans) else None


def _question(body: bytes) -> Question:
    try:
        asked = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        rule = '{"events": [...]} or {"ruleset": "..."}, with "board" and "limit" if wanted'
        raise invalid("body", f"{rule}: {error}") from None
    if (asked.events is None) == (asked.ruleset is None):
        raise invalid("events", "either events or a ruleset")
    if not 1 <= asked.limit <= LIMIT_MAX:
        raise invalid("limit", f"a whole number from 1 to {LIMIT_MAX}")
    return asked


def _refuse_unforeseeable(events: list[tuple[int, Event]]) -> None:
    """Two kinds of events are no corrections of boards."""
    wrong = []
    for index, event in events:
        if isinstance(event, RulesetChange):
            wrong.append(Item("type", 'rules are previewed as {"ruleset": "..."}', index))
        elif erases(event):
            wrong.append(Item("status", "erasing cannot be previewed; ranks stand or close up as the rules say", index))
    if wrong:
        raise RefusedError(INVALID_EVENT, "some of the events cannot be previewed", wrong)


def _silent(done: int, total: int) -> None:
    """Progress that nobody watches."""
