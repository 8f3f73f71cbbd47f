"""Connections on which no HTTP is spoken, or not well: they get a problem like all others, and fill no logs.

aiohttp's own answer names its version, quotes what it was sent, and writes a traceback for each.
"""

import logging
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, PayloadEncodingError
from aiohttp.web_protocol import RequestHandler

from api.identity import identify
from api.problems import INVALID_REQUEST, RefusedError, respond
from api.response import Ready

THEIRS = (HttpProcessingError, web.RequestPayloadError, PayloadEncodingError)
log = logging.getLogger("rankfold.api")


class Connection(RequestHandler):
    """One connection."""

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

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application on these connections."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = Server
        return server
