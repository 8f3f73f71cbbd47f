"""The live endpoints: server-sent events, and the same over WebSocket.

A listener is written to and never waited for. What it has not read yet stays in a buffer with a bound; who lets it run full
is dropped, and may come back with the last id that it saw.
"""

import asyncio
import random
import socket
from collections import deque
from typing import Any

from aiohttp import WSCloseCode, web
from aiohttp.http_websocket import WSMsgType

from api.access import official
from api.changes import Event, Watch
from api.identity import REQUEST_ID
from api.live import Copy, Feed, Hub
from api.params import LiveQuery, live_query, name_of, player_of, target
from api.problems import UPGRADE_REQUIRED, RefusedError
from api.response import NO_STORE, NOSNIFF, Ready, date_line
from api.view import Wanted
from projections.tasks import end

UNSENT_BYTES_MAX = 64 * 1024
"""A listener with more than this unsent is dropped before anything else is written to it."""

UNSENT_EVENTS_MAX = 32
"""The same for a WebSocket, whose writer may wait while so many events are behind it."""

KERNEL_BYTES = 64 * 1024
"""The kernel's part of the buffer: left to itself it grows to megabytes for each who does not read."""

SILENCE_MS = 60_000
RETRY_MS = (1_000, 5_000)
"""Who lost the connection comes back after a time between these, so that not all come at once."""

MESSAGE_BYTES_MAX = 4 * 1024
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nConnection: close\r\n"
    + NOSNIFF
    + NO_STORE
)


class Listening:
    """The handlers."""

    def __init__(self, hub: Hub, heartbeat_s: float) -> None:
        self._hub = hub
        self._heartbeat_s = heartbeat_s

    async def board(self, request: web.Request) -> Ready:
        """GET .../boards/{board}/live"""
        parts, query = target(request)
        return await self._stream(request, parts[3], parts[5], live_query(query))

    async def player(self, request: web.Request) -> Ready:
        """GET .../boards/{board}/players/{player}/live"""
        parts, query = target(request)
        return await self._stream(request, parts[3], parts[5], live_query(query, player_of(parts[7])))

    async def socket(self, request: web.Request) -> Ready:
        """GET .../boards/{board}/ws"""
        parts, raw_query = target(request)
        query = live_query(raw_query)
        feed = await self._feed(request, parts[3], parts[5], query)
        connection = web.WebSocketResponse(
            heartbeat=self._heartbeat_s, compress=False, max_msg_size=MESSAGE_BYTES_MAX, timeout=2.0
        )
        if request.method != "GET" or not connection.can_prepare(request).ok:
            raise RefusedError(UPGRADE_REQUIRED, "ask with a WebSocket client", headers=b"Upgrade: websocket\r\n")
        connection.headers["X-Request-Id"] = REQUEST_ID.get()
        await connection.prepare(request)
        return Conversation(request, connection, self._hub, feed, query.last_id)

    async def _stream(self, request: web.Request, game: str, board: str, query: LiveQuery) -> Ready:
        feed = await self._feed(request, game, board, query)
        return Stream(self._hub, feed, request.headers.get("Last-Event-ID") or query.last_id)

    async def _feed(self, request: web.Request, game: str, board: str, query: LiveQuery) -> Feed:
        name = name_of(game, "game")
        seen = official(request, name, query.view)
        wanted = Wanted(name_of(board, "board"), query.period, query.segment)
        return await self._hub.feed(Copy(name, wanted, seen), Watch(query.players, query.top, query.alone))


class Stream(Ready):
    """An endless answer: it is there until the listener goes, does not read, or this process ends."""

    def __init__(self, hub: Hub, feed: Feed, last_id: str | None) -> None:
        super().__init__(200, b"")
        self._hub = hub
        self._feed = feed
        self._last_id = last_id

    @property
    def keep_alive(self) -> bool:
        return False

    async def write_eof(self, data: bytes = b"") -> None:
        """Writes the head and what there is, and returns when the listener is gone."""
        transport = self._to.transport
        if transport is None:
            return
        transport.write(_HEAD + self._lines + date_line() + b"\r\n")
        if self._to.method == "HEAD":
            return
        _bound(transport)
        transport.write(b"retry: %d\n\n" % random.randint(*RETRY_MS))
        listener = _Reader(transport)
        try:
            self._hub.listen(self._feed, listener, self._last_id)
            await listener.gone
        finally:
            self._hub.leave(listener)


class _Reader:
    """Who reads a stream. The transport's buffer is his queue."""

    __slots__ = ("_transport", "gone")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, event: Event) -> bool:
        return self._write(event.sse)

    def beat(self) -> bool:
        return self._write(b":\n\n")

    def end(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def _write(self, data: bytes) -> bool:
        transport = self._transport
        if transport.is_closing():
            self.end()
        elif transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            transport.abort()
            self.end()
            return False
        else:
            transport.write(data)
        return True


class Conversation(Ready):
    """An open WebSocket. The handshake is over when this is made; what clients say is not listened to."""

    def __init__(
        self, request: web.Request, connection: web.WebSocketResponse, hub: Hub, feed: Feed, last_id: str | None
    ) -> None:
        super().__init__(101, b"")
        self._to = request
        self._alive = False
        self._connection = connection
        self._hub = hub
        self._feed = feed
        self._last_id = last_id

    async def prepare(self, request: web.BaseRequest) -> None:
        """The handshake was the preparation."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Returns when the connection has ended, from either side."""
        transport = self._to.transport
        if transport is None:
            return
        _bound(transport)
        listener = _Talker(self._connection, transport)
        try:
            self._hub.listen(self._feed, listener, self._last_id)
            await listener.run()
        finally:
            self._hub.leave(listener)


class _Talker:
    """Who listens over a WebSocket: what is to be sent waits here while the connection is slow."""

    __slots__ = ("_connection", "_ending", "_queue", "_transport", "_wake")

    def __init__(self, connection: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._queue: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._ending = False

    def send(self, event: Event) -> bool:
        if self._transport.is_closing():
            return True
        if len(self._queue) >= UNSENT_EVENTS_MAX or self._transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
            self._transport.abort()
            return False
        self._queue.append(event)
        self._wake.set()
        return True

    def beat(self) -> bool:
        """aiohttp pings, and ends the connection when no pong comes."""
        return True

    def end(self) -> None:
        self._ending = True
        self._wake.set()

    async def run(self) -> None:
        """Sends whatever comes until the connection has ended."""
        sender = asyncio.create_task(self._send())
        try:
            while (await self._connection.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
        finally:
            await end([sender])

    async def _send(self) -> None:
        while not self._ending:
            await self._wake.wait()
            self._wake.clear()
            while self._queue and not self._ending:
                await self._connection.send_str(self._queue.popleft().text)
        await self._connection.close(code=WSCloseCode.GOING_AWAY, message=b"come back")


def _bound(transport: asyncio.Transport) -> None:
    """Bounds what the kernel keeps for a peer, and how long it waits for one that has vanished."""
    handle: Any = transport.get_extra_info("socket")
    if handle is None or handle.family not in (socket.AF_INET, socket.AF_INET6):
        return
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)
