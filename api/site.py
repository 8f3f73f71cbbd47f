"""The standings page: a few files held in memory, and the headers that keep a browser from doing anything else with them.

The page is at `/`. What it is made of lies below `/static/VERSION/`, where VERSION is made of all files' bytes: a browser
may keep those for ever, and asks for the page itself each time.
"""

import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web

from api.negotiate import Coding, best, coding_of, encoding_line, unchanged
from api.params import PageQuery, target
from api.problems import NOT_FOUND, RefusedError
from api.response import Ready

STATIC = "/static/{build}/{file}"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SECURITY = "".join(
    f"{name}: {value}\r\n"
    for name, value in {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }.items()
).encode()
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
ASK_AGAIN = b"Cache-Control: no-cache\r\n"
FOR_EVER = b"Cache-Control: public, max-age=31536000, immutable\r\n"


class _Form(NamedTuple):
    """A file as one kind of client gets it; `headers` are complete lines."""

    headers: bytes
    tag: bytes
    body: bytes


_File = dict[Coding | None, _Form]
"""A file as it is, and for clients that take it packed."""


class Site:
    """The handlers. `templates` are the paths that the application has: the page offers nothing that it does not."""

    def __init__(self, templates: Iterable[str]) -> None:
        held = {
            entry.name: entry.read_bytes()
            for entry in files("api").joinpath("static").iterdir()
            if any(entry.name.endswith(ending) for ending in KINDS)
        }
        features = _features(templates)
        digest = hashlib.sha256(features.encode())
        for name in sorted(held):
            digest.update(name.encode() + b"\0" + held[name])
        self._version = digest.hexdigest()[:12]
        index = held.pop("index.html").decode()
        index = index.replace("{{version}}", self._version).replace("{{features}}", features)
        self._index = _file("index.html", index.encode())
        self._files = {name: _file(name, body) for name, body in held.items()}

    async def index(self, request: web.Request) -> Ready:
        """GET /. What to show is in the query, which only the page reads."""
        return _answer(request, self._index, ASK_AGAIN)

    async def static(self, request: web.Request) -> Ready:
        """GET /static/{build}/{file}. Another version than the present one is answered too, but not to be kept."""
        (_, _, version, name), _ = target(request)
        file = self._files.get(name)
        if file is None:
            raise RefusedError(NOT_FOUND, "the page has no such file")
        return _answer(request, file, FOR_EVER if version == self._version else ASK_AGAIN)


def _features(templates: Iterable[str]) -> str:
    """What the page may use beside boards and players: the last parts of the paths; `q` if boards can be searched,
    `known_at` and `effective_at` if they can be shown as they were.
    """
    words = {template.rpartition("/")[2] for template in templates}
    words |= {"q", "known_at", "effective_at"} & set(PageQuery._fields)
    return " ".join(sorted(word for word in words if re.fullmatch(r"[a-z_-]+", word)))


def _file(name: str, body: bytes) -> _File:
    kind = KINDS[name[name.rindex(".") :]].encode()
    tag = hashlib.sha256(body).hexdigest()[:16].encode()
    common = b"Content-Type: " + kind + b"\r\nVary: Accept-Encoding\r\n" + SECURITY
    codings: tuple[Coding, ...] = ("br", "gzip")
    forms: _File = {None: _Form(common, b'"%s"' % tag, body)}
    for coding in codings:
        forms[coding] = _Form(common + encoding_line(coding), b'"%s-%s"' % (tag, coding.encode()), best(body, coding))
    return forms


def _answer(request: web.Request, file: _File, cache: bytes) -> Ready:
    form = file[coding_of(request)]
    headers = form.headers + cache + b"ETag: " + form.tag + b"\r\n"
    if unchanged(request, form.tag):
        return Ready(304, headers)
    return Ready(200, headers, form.body)
