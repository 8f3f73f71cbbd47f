"""Whole boards as files: CSV or JSON lines, streamed out of one snapshot, a chunk at a time.

A reader who stalls is cut off, and only so many exports run at once: each holds a connection and a snapshot of the
database. A file that is cut off ends without its last chunk, so clients see that it is not whole.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import asyncpg
import msgspec
from aiohttp import web
from aiohttp.http import HttpVersion11

from api.access import official, require_board, require_official
from api.effective import Effective, TrueLines
from api.encode import Metrics, tier_of
from api.freshness import Shown
from api.names import NameBooks
from api.negotiate import Coding, coding_of, encoding_line, packer_of, unchanged
from api.pages import etag
from api.params import effective_of, generation_of, instant_of, name_of, parameters, target, vector_of
from api.problems import UNAVAILABLE, RefusedError, invalid, respond
from api.response import NO_CACHE, NOSNIFF, Ready, date_line
from api.spreadsheet import row
from api.view import View, Wanted
from api.views import Views
from engine.boards import BoardPlan
from engine.places import Entry
from projections.effective import TooManyEvents
from projections.export import Snapshot, Source, snapshot, state_of
from schemas.position import Position, Vector

EXPORTS_MAX = 2
"""So many exports of a process run at once."""

CHUNK_ENTRIES = 200
"""Others have to wait while so many are made into text: two or three milliseconds."""

STALL_S = 30.0
EXPORT_S_MAX = 900.0
Format = Literal["csv", "jsonl"]
_MEDIA = {"csv": b"text/csv; charset=utf-8; header=present", "jsonl": b"application/jsonl; charset=utf-8"}
_encode = msgspec.json.Encoder().encode


class ExportLine(msgspec.Struct, frozen=True, gc=False):
    """A line of an export as JSON; the fields are those of a board's page, and `ordinal` counts from 1."""

    rank: int
    ordinal: int
    player: str
    metrics: Metrics
    tied: bool
    name: str | msgspec.UnsetType = msgspec.UNSET
    tier: str | msgspec.UnsetType | None = msgspec.UNSET


class Exports:
    """The handler."""

    def __init__(
        self, views: Views, names: NameBooks, pool: asyncpg.Pool, clock_ms: Callable[[], int], effective: Effective
    ) -> None:
        self._views = views
        self._names = names
        self._effective = effective
        self._pool = pool
        self._clock_ms = clock_ms
        self.running = 0

    async def export(self, request: web.Request) -> Ready:
        """GET .../boards/{board}/export"""
        (_, _, _, game, _, board, _), query = target(request)
        known = ("format", "period", "segment", "min_position", "known_at", "effective_at", "view", "generation")
        given = parameters(query, *known)
        form = given.get("format", "csv")
        if form not in ("csv", "jsonl"):
            raise invalid("format", "csv or jsonl")
        view, shown = await self._see(request, name_of(game, "game"), name_of(board, "board"), given)
        tag = etag(view, await self._seen(view, shown))[:-1] + b"." + form.encode() + b'"'
        headers = NO_CACHE + b"ETag: " + tag + b"\r\nVary: Accept-Encoding\r\n"
        if unchanged(request, tag):
            return Ready(304, headers)
        if self.running >= EXPORTS_MAX:
            raise RefusedError(UNAVAILABLE, f"{EXPORTS_MAX} exports are under way; the same call may succeed later")
        name = file_name(view, form, self._clock_ms())
        headers += b'Content-Disposition: attachment; filename="' + name.encode() + b'"\r\n'
        return Download(
            self, _Job(self._pool, self._views, self._names, view, shown, form, coding_of(request)), headers
        )

    async def _seen(self, view: View, shown: Shown) -> tuple[int, ...]:
        """What the ranking and the profiles are at, as the database has them."""
        versions, profiles = [], []
        for part in view.parts or (view,):
            state = await state_of(self._pool, part.ranking_id or 0, part.info.shard)
            committed = 0 if state is None else state.version
            versions.append(committed if part.version is None else part.version)
            profiles.append(shown.of(part.info.part).profiles if state is None else state.profiles)
        return (*versions, *profiles)

    async def _see(self, request: web.Request, game: str, board: str, given: dict[str, str]) -> tuple[View, Shown]:
        wanted, seen = (
            Wanted(board, given.get("period"), given.get("segment")),
            official(request, game, given.get("view")),
        )
        instant, generation = effective_of(given), generation_of(given)
        if generation is not None:
            require_official(request, game)
        if instant is None:
            asked = vector_of(given), instant_of(given), generation
            view, shown = await self._views.see(game, wanted, *asked, official=seen)
            if generation is not None:
                require_board(request, game, view.plan)
            return view, shown
        try:
            return await self._effective.see(game, wanted, vector_of(given), instant, official=seen)
        except TooManyEvents:
            rule = "nothing for an export of a game with so many events; its pages are made by jobs"
            raise invalid("effective_at", rule) from None


def file_name(view: View, form: str, now_ms: int) -> str:
    """Game, board, period, segment and date (UTC), in characters that every file system takes."""
    date = datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()
    parts = [view.info.name, view.plan.name, view.period, view.segment, date]
    return "-".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in parts if part) + f".{form}"


class _Job(NamedTuple):
    pool: asyncpg.Pool
    views: Views
    names: NameBooks
    view: View
    shown: Shown
    form: str
    coding: Coding | None


class Download(Ready):
    """An export under way."""

    def __init__(self, exports: Exports, job: _Job, headers: bytes) -> None:
        super().__init__(200, b"Content-Type: " + _MEDIA[job.form] + b"\r\n" + NOSNIFF + headers)
        self._exports = exports
        self._job = job

    async def write_eof(self, data: bytes = b"") -> None:
        """Sends everything. What goes wrong before the first byte is told as a problem, later it cuts the file off."""
        sink = _Sink(self._to, self._lines, self._job.coding)
        self._exports.running += 1
        try:
            async with asyncio.timeout(EXPORT_S_MAX), AsyncExitStack() as stack:
                await self._send(sink, stack)
        except ConnectionError:
            raise
        except Exception as error:
            answer = respond(error)
            if sink.begun:
                sink.cut()
                return
            await answer.prepare(self._to)
            await answer.write_eof()
        finally:
            self._exports.running -= 1

    async def _send(self, sink: "_Sink", stack: AsyncExitStack) -> None:
        pool, views, names, view, shown, form, _ = self._job
        shot: Snapshot | TrueLines | None = None
        if view.past is not None and view.past.truth is not None:
            shot = await TrueLines.of(views, view, names, shown)
        elif view.ranking_id is not None and self._to.method != "HEAD":
            sources = [
                Source(part.ranking_id, part.named.generation_id, part.info.shard, part.version, not part.fresh)
                for part in view.parts or (view,)
                if part.ranking_id is not None
            ]
            shot = await stack.enter_async_context(snapshot(pool, sources, view.plan.style))
        chunk = await shot.read(CHUNK_ENTRIES) if shot is not None else []
        if shot is not None:
            if view.past is not None and view.past.final:
                sink.lines += b"Rankfold-Final: true\r\n"
            if view.past is not None and view.past.frozen_ms is not None:
                frozen_at = datetime.fromtimestamp(view.past.frozen_ms / 1000, UTC).isoformat(timespec="milliseconds")
                sink.lines += b"Rankfold-Frozen: " + frozen_at.replace("+00:00", "Z").encode() + b"\r\n"
            sink.lines += b"Rankfold-Position: " + str(_position(view, shown, shot.positions)).encode() + b"\r\n"
        text = writer_of(view.plan, form, shot.total if shot is not None else 0)
        await sink.write(header_of(view.plan) if form == "csv" else b"")
        while chunk:
            await sink.write(b"".join(text(entry, name) for entry, name in chunk))
            chunk = await shot.read(CHUNK_ENTRIES) if shot is not None else []
        await sink.end()


def _position(view: View, shown: Shown, positions: dict[int, Position]) -> Vector:
    """What an export shows; of a part without such a ranking what is shown at least."""
    return Vector(
        part.past.position
        if part.past is not None
        else positions.get(part.info.shard, shown.of(part.info.part).position)
        for part in view.parts or (view,)
    )


class _Sink:
    """Chunks of a body on their way out; the head goes with the first of them."""

    def __init__(self, request: web.BaseRequest, lines: bytes, coding: Coding | None) -> None:
        self.begun = False
        self.lines = lines + (encoding_line(coding) if coding is not None else b"")
        self._request = request
        self._packer = packer_of(coding) if coding is not None else None
        self._chunked = request.version >= HttpVersion11

    async def write(self, data: bytes) -> None:
        if not self.begun:
            self.begun = True
            framing = b"Transfer-Encoding: chunked\r\n" if self._chunked else b"Connection: close\r\n"
            await self._out(b"HTTP/1.1 200 OK\r\n" + self.lines + date_line() + framing + b"\r\n")
        await self._body(self._packer.compress(data) if self._packer is not None else data)

    async def end(self) -> None:
        if self._packer is not None:
            await self._body(self._packer.flush())
        if self._chunked and self._request.method != "HEAD":
            await self._out(b"0\r\n\r\n")
        elif not self._chunked and self._request.transport is not None:
            self._request.transport.close()

    def cut(self) -> None:
        """Ends the connection in the middle."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def _body(self, data: bytes) -> None:
        if data and self._request.method != "HEAD":
            await self._out(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def _out(self, data: bytes) -> None:
        transport = self._request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        transport.write(data)
        async with asyncio.timeout(STALL_S):
            await self._request.writer.drain()


def header_of(plan: BoardPlan) -> bytes:
    """The first line of a CSV file. A metric that is called like another column is told apart from it."""
    fixed = ["rank", "ordinal", "player", "name"]
    names = [f"metrics.{name}" if name in (*fixed, "tier") else name for name in plan.metric_names]
    return row([*fixed, *names, *(["tier"] if plan.tiers is not None else [])]).encode()


def writer_of(plan: BoardPlan, form: str, total: int) -> Callable[[Entry, str | None], bytes]:
    """What makes a line of an entry and its player's name."""
    decode, metric_names = plan.decode, plan.metric_names

    def json_line(entry: Entry, name: str | None) -> bytes:
        metrics, tier = decode(entry.prefix, entry.extra), tier_of(plan, entry, total)
        line = ExportLine(entry.rank, entry.ordinal + 1, entry.player, metrics, entry.tied, name or msgspec.UNSET, tier)
        return _encode(line) + b"\n"

    def csv_line(entry: Entry, name: str | None) -> bytes:
        metrics, tier = decode(entry.prefix, entry.extra), tier_of(plan, entry, total)
        values = [entry.rank, entry.ordinal + 1, entry.player, name, *(metrics.get(each) for each in metric_names)]
        return row(values if tier is msgspec.UNSET else [*values, tier]).encode()

    return csv_line if form == "csv" else json_line
