"""Connections: plain requests for what is asked most are answered from here, all else by aiohttp.

What is no HTTP, or not well spoken, gets a problem like all others, and fills no logs: aiohttp's own answer names its
version, quotes what it was sent, and writes a traceback for each.

Only one of the two is at work at a time. A plain request is answered here while nothing that aiohttp was given is
unanswered, and what comes meanwhile waits; aiohttp sees a connection on which there is silence. It is told nothing and asked
nothing but what its protocol class shows to everybody.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

from aiohttp import web
from aiohttp.http import StreamWriter
from aiohttp.http_exceptions import HttpProcessingError, PayloadEncodingError
from aiohttp.web_protocol import RequestHandler

from api.identity import identify
from api.plain import NO_FIELDS, Outbox, Peer, Plain, is_whole, plain
from api.problems import INVALID_REQUEST, RefusedError, respond
from api.response import Ready
from api.routing import Handler, ShapeDispatcher

THEIRS = (HttpProcessingError, web.RequestPayloadError, PayloadEncodingError)
log = logging.getLogger("rankfold.api")
ODD_BYTES_MAX = 64 * 1024
RENEWED_S = 60.0
"""After so long one plain request goes to aiohttp, which closes connections that it takes for idle."""


class Turn:
    """Whose turn it is on a connection."""

    __slots__ = ("answering", "closing", "fields", "later", "odd", "passed", "renew_at", "whole")

    def __init__(self) -> None:
        self.answering: asyncio.Task[None] | None = None
        self.closing = False
        self.fields = NO_FIELDS
        self.later: list[bytes] = []
        self.odd = b""
        """What aiohttp was given that is not plain, if it may have been one whole request."""
        self.passed = 0
        """Requests that aiohttp has not answered yet."""
        self.renew_at = 0.0
        self.whole = True
        """Whether aiohttp was given whole requests only; otherwise nobody here knows where the next one begins."""

    def passed_odd(self, data: bytes) -> None:
        """aiohttp is given what is not plain."""
        if self.whole and not self.passed:
            self.passed, self.odd = 1, data
        else:
            self.odd = self.odd + data if self.odd and len(self.odd) < ODD_BYTES_MAX else b""
        self.whole = False

    def finished(self, request: web.BaseRequest) -> None:
        """aiohttp has answered a request."""
        self.passed -= 1
        if self.odd:
            self.whole = not self.passed and is_whole(self.odd, request)
            self.odd = b""


class Connection(RequestHandler):
    """One connection. `find` tells who answers a plain request, if it is to be answered here; `outbox` takes the answers."""

    def __init__(
        self, manager: web.Server, find: Callable[[str, str], Handler | None], outbox: Outbox, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self.turn = Turn()
        self.find = find
        self.loop: asyncio.AbstractEventLoop = options["loop"]
        self.context = copy_context()
        self.server = manager
        self.peer = Peer(self, StreamWriter(self, self.loop), outbox)

    def data_received(self, data: bytes) -> None:
        """Answers a plain request, or lets aiohttp look at what came."""
        turn = self.turn
        if turn.answering is not None:
            self._keep(data)
            return
        asked = plain(data, turn.fields) if turn.whole else None
        if asked is not None:
            turn.fields = asked.fields
            if not (turn.passed or turn.closing or self.writing_paused) and self.loop.time() < turn.renew_at:
                handler = self.find(asked.method, asked.path)
                if handler is not None:
                    self._answer(handler, Plain(self.peer, asked))
                    return
            turn.passed += 1
            turn.renew_at = self.loop.time() + min(RENEWED_S, self.keepalive_timeout / 2)
        elif data:
            turn.passed_odd(data)
        super().data_received(data)

    def _answer(self, handler: Handler, request: Plain) -> None:
        self.server.requests_count += 1
        # Not in the context of an answer before it: that one's id would be in log lines.
        context = self.context.copy()
        self.turn.answering = self.loop.create_task(self._respond(handler, request), context=context)

    async def _respond(self, handler: Callable[[Any], Awaitable[Any]], request: Any) -> None:
        try:
            response: Ready = await handler(request)
            response.answers(request, request.send)
            # Whether the client is slow to read is looked at with his next request.
            if not response.sent():
                await response.write_eof()
        except ConnectionError:
            self.force_close()
        except Exception as error:
            self.log_exception("Unhandled exception", exc_info=error)
            self.force_close()
        finally:
            self._answered()

    def _answered(self) -> None:
        turn, transport = self.turn, self.transport
        turn.answering = None
        if transport is None or transport.is_closing():
            return
        if turn.closing or turn.later:
            # What comes next must not overtake an answer.
            self.peer.outbox.flush()
        if turn.closing:
            transport.close()
        elif turn.later:
            pieces, turn.later = turn.later, []
            transport.resume_reading()
            for piece in pieces:
                # In the pieces that they came in: whether the same bytes came as one or as two is not all the same to aiohttp.
                self.data_received(piece)

    def _keep(self, data: bytes) -> None:
        """Keeps what came while an answer is being made, and lets no more come."""
        if not self.turn.later and self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()
        self.turn.later.append(data)

    def log_access(self, request: web.BaseRequest, response: web.StreamResponse, time: float | None) -> None:
        """Called when aiohttp has answered a request, whether or not that is logged."""
        super().log_access(request, response, time)
        self.turn.finished(request)
        if not response.keep_alive:
            self.turn.closing = True

    def close(self) -> None:
        """Nothing new is answered."""
        self.turn.closing = True
        super().close()

    def force_close(self) -> None:
        """Ends it at once."""
        self.turn.closing = True
        super().force_close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp gives it
        """Ends the connection; who is being answered is waited for."""
        self.turn.closing = True
        if (task := self.turn.answering) is not None and not (await asyncio.wait({task}, timeout=timeout))[0]:
            task.cancel()
        await super().shutdown(timeout)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Ready:
        """The answer to what is no request; handlers answer their own errors."""
        identity = identify(request)
        if isinstance(exc, HttpProcessingError):
            error: Exception = RefusedError(INVALID_REQUEST, "this is not HTTP as it is understood here")
        else:
            error = exc if isinstance(exc, Exception) else RuntimeError(message or f"status {status}")
        response = respond(error)
        response.add(identity)
        self.close()
        return response

    def log_exception(self, *args: Any, **options: Any) -> None:
        """What clients send is no fault of ours, and whoever wants to can fill a log with it. All else is."""
        ours = not isinstance(options.get("exc_info"), THEIRS)
        log.log(logging.ERROR if ours else logging.DEBUG, *args, **options)


class Server(web.Server):
    """Makes connections."""

    find: Callable[[str, str], Handler | None]
    outbox: Outbox

    def __call__(self) -> Connection:
        return Connection(self, self.find, self.outbox, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application on these connections."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = Server
        assert isinstance(server, Server)
        assert isinstance(self.app.router, ShapeDispatcher)
        server.find = self.app.router.plain_handler
        server.outbox = Outbox(asyncio.get_running_loop())
        return server
