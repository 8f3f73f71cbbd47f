"""Request ids: the client's own where it sends one, else a new one. It is in the answer, in problems and in log lines."""

import itertools
import re
import secrets
from contextvars import ContextVar

from aiohttp import web
from structlog.contextvars import STRUCTLOG_KEY_PREFIX

REQUEST_ID: ContextVar[str] = ContextVar(STRUCTLOG_KEY_PREFIX + "request_id", default="")
"""By its name structlog finds it, and puts it into every line that is logged for the request."""

POSITION: ContextVar[str] = ContextVar(STRUCTLOG_KEY_PREFIX + "position", default="")
"""What readers saw at least when a request failed; found in the same way."""

_FORM = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)


def identify(request: web.BaseRequest) -> bytes:
    """Gives the request its id; returns the header line for the answer."""
    given = request.headers.get("X-Request-Id")
    request_id = given if given is not None and _FORM.fullmatch(given) else f"{_PROCESS}-{next(_numbers):x}"
    REQUEST_ID.set(request_id)
    return b"X-Request-Id: %b\r\n" % request_id.encode()
