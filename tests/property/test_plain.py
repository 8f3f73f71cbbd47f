"""Plain requests are answered with the same bytes as by aiohttp, and everything else is left to it: whatever comes, in whatever
pieces. Both sides are the same connections; on one nobody is found who answers plain requests."""

import asyncio
import itertools
import json
import re
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from hypothesis import example, given
from hypothesis import strategies as st

from api import identity
from api.bodies import read_body
from api.connections import Connection, Runner, Server
from api.metrics import Handler
from api.response import JSON, Ready
from api.routing import ShapeDispatcher
from tests.property.spoken import BODIES, CHUNKED, FIELD, FIELDS_ALL, LAST, PLAIN, POST, RANK, REQUESTS, SENT

BOARD = "/v1/games/{game}/boards/{board}"
EVENTS = "/v1/games/{game}/events"
PLACE = BOARD + "/players/{player}"
TURNS_MAX = 600
LEFT: ContextVar[str] = ContextVar("left", default="")
"""What a request leaves for whoever logs on its behalf; the next one must not find it."""


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and holds back what is received while nobody wants to read."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711)})
        self.written = b""
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def echo(request: Any) -> Ready:
    """All that handlers see of a request, some turns of the loop later."""
    for _ in range(len(request.raw_path) % 5):
        await asyncio.sleep(0)
    before = LEFT.get()
    LEFT.set(request.raw_path)
    body = await read_body(request)
    fields = sorted((name.title(), value) for name, value in request.headers.items())
    seen = [
        request.method,
        request.raw_path,
        fields,
        request.remote,
        request.keep_alive,
        body.decode("latin-1"),
        before,
    ]
    return Ready(200, JSON, json.dumps([*seen, "-" * (len(request.raw_path) % 3 * 600)]).encode())


async def serve(handler: Handler, *, plain: bool) -> Runner:
    dispatcher = ShapeDispatcher()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        app = web.Application(router=dispatcher)
    for template in (BOARD, PLACE):
        for method in ("GET", "HEAD"):
            dispatcher.add_resource(template).add_route(method, handler)
            dispatcher.add_fast(method, template, handler, plain=True)
    dispatcher.add_resource(EVENTS).add_route("POST", handler)
    dispatcher.add_fast("POST", EVENTS, handler, plain=True)
    dispatcher.add_route("*", r"/{path:[\s\S]*}", handler)
    runner = Runner(app, access_log=None)
    await runner.setup()
    if not plain:
        assert isinstance(runner.server, Server)
        runner.server.find = lambda *_: None
    return runner


def connect(runner: Runner) -> tuple[Connection, Wire]:
    assert isinstance(runner.server, Server)
    connection, wire = runner.server(), Wire()
    connection.connection_made(wire)
    return connection, wire


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def said(runner: Runner, pieces: list[bytes], between: int) -> tuple[bytes, bool]:
    """(what is answered, whether the connection was closed); between two pieces behind the first lie so many turns."""
    identity._numbers = itertools.count(1)
    connection, wire = connect(runner)
    await turns(2)
    for number, piece in enumerate(pieces):
        while not (wire.reading or wire.closed):
            await asyncio.sleep(0)
        if wire.closed:
            break
        connection.data_received(piece)
        # The first request goes to aiohttp: once it is answered, others need not.
        await turns(between if number else 20)
    for _ in range(TURNS_MAX):
        if wire.closed:
            break
        await asyncio.sleep(0)
    closed = wire.closed
    wire.close()
    connection.connection_lost(None)
    return re.sub(rb"Date: [^\r]*", b"Date: -", wire.written), closed


class Both:
    """The two sides, in one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.Runner()
        self.ways = [self.loop.run(serve(echo, plain=plain)) for plain in (True, False)]
        self.found = 0
        assert isinstance(self.ways[0].server, Server)
        find = self.ways[0].server.find

        def counted(method: str, path: str) -> Handler | None:
            handler = find(method, path)
            self.found += handler is not None
            return handler

        self.ways[0].server.find = counted

    def answers(self, pieces: list[bytes], between: int) -> bytes:
        """What both answer."""
        own, theirs = (self.loop.run(said(way, pieces, between)) for way in self.ways)
        assert own == theirs
        return own[0]

    def close(self) -> None:
        for way in self.ways:
            self.loop.run(way.cleanup())
        self.loop.close()


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    both = Both()
    yield both
    both.close()


@given(REQUESTS, st.lists(st.integers(0, 1_500), max_size=6), st.booleans(), st.integers(0, 12))
@example([PLAIN, PLAIN], [], True, 0)
@example([PLAIN, b"\r\n\r\n" + POST.replace(b": 5", b": 77"), PLAIN, b"." * 50], [], True, 12)
@example([PLAIN] * 5, [], True, 0)
@example([PLAIN, PLAIN, POST, PLAIN, PLAIN, CHUNKED], [], True, 1)
@example([PLAIN, b"GET / HTTP/9.9\r\n\r\n"], [], True, 0)
def test_what_is_answered(both: Both, requests: list[bytes], cuts: list[int], apart: bool, between: int) -> None:
    stream = b"".join([*requests, LAST])
    ends = [len(b"".join(requests[: count + 1])) for count in range(len(requests))] if apart else []
    places = sorted({0, *(cut for cut in cuts + ends if cut < len(stream)), len(stream)})
    both.answers([stream[start:end] for start, end in itertools.pairwise(places)], between)


@given(st.lists(st.lists(FIELD, max_size=3), min_size=1, max_size=5), st.integers(0, 12))
def test_fields(both: Both, requests: list[list[bytes]], between: int) -> None:
    """Requests that are plain but perhaps for a field or two, each in a piece of its own."""
    made = [RANK + b"".join(field + b"\r\n" for field in fields) + b"\r\n" for fields in requests]
    both.answers([PLAIN, *made, LAST], between)


@given(st.lists(st.tuples(st.lists(FIELD, max_size=3), BODIES), min_size=1, max_size=5), st.integers(0, 12))
def test_fields_of_posts(both: Both, requests: list[tuple[list[bytes], bytes]], between: int) -> None:
    """The same with bodies, of which fields tell the length, or another one."""
    made = [SENT + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body for fields, body in requests]
    both.answers([PLAIN, *made, LAST], between)


@pytest.mark.parametrize("field", FIELDS_ALL)
def test_each_field(both: Both, field: bytes) -> None:
    both.answers([PLAIN, RANK + field + b"\r\n\r\n", LAST], 20)
    both.answers([PLAIN, SENT + field + b"\r\n\r\nhello", LAST], 20)
    both.answers([PLAIN, SENT + b"Content-Length: 5\r\n" + field + b"\r\n\r\nhello", POST, LAST], 20)


@pytest.mark.parametrize("between", [0, 1, 9])
def test_cut_anywhere(both: Both, between: int) -> None:
    stream = PLAIN + LAST
    for at in range(1, len(stream)):
        assert both.answers([PLAIN, stream[:at], stream[at:]], between).count(b"HTTP/1.1 200 OK") == 3
    assert both.answers([bytes([byte]) for byte in PLAIN + stream], between).count(b"HTTP/1.1 200 OK") == 3


def test_plain_requests_do_not_reach_aiohttp(both: Both) -> None:
    """But for the first one, and whatever follows what is not plain."""

    def found(*pieces: bytes) -> int:
        before = both.found
        requests = b"".join(pieces).count(b" HTTP/1.1\r\n")
        assert both.answers(list(pieces), 20).count(b"HTTP/1.1 200 OK") == requests
        return both.found - before

    elsewhere, odd = PLAIN.replace(b"/v1/games", b"/elsewhere"), RANK + b"Anything: goes\r\n\r\n"
    assert found(PLAIN, PLAIN, PLAIN, LAST) == 2
    assert found(PLAIN, elsewhere, PLAIN, LAST) == 1
    assert found(PLAIN, odd, PLAIN, LAST) == 1
    assert found(PLAIN, POST, PLAIN, POST, LAST) == 3
    assert found(PLAIN, POST + PLAIN, PLAIN, LAST) == 0
    assert found(PLAIN, PLAIN[:-9], PLAIN[-9:], PLAIN, LAST) == 1
    assert found(PLAIN, POST[:-2], POST[-2:], PLAIN, LAST) == 1
    assert found(PLAIN, POST + PLAIN[:9], PLAIN[9:], PLAIN, LAST) == 0
    assert found(PLAIN, CHUNKED, PLAIN, LAST) == 0
    assert found(PLAIN, RANK + b"Accept-Encoding: gzip\r\n\r\n", LAST) == 1


def test_now_and_then_one_goes_to_aiohttp(both: Both) -> None:
    """So that it does not take the connection for idle."""

    async def run() -> None:
        connection, wire = connect(both.ways[0])
        for number, (renew_at, passed) in enumerate([(None, 1), (None, 0), (0.0, 1), (None, 0)]):
            if renew_at is not None:
                connection.turn.renew_at = renew_at
            connection.data_received(PLAIN)
            assert connection.turn.passed == passed
            await turns(20)
            assert wire.written.count(b"HTTP/1.1 200 OK") == number + 1
        assert connection.turn.renew_at > connection.loop.time()
        connection.connection_lost(None)

    both.loop.run(run())


@pytest.mark.parametrize("way", ["own", "aiohttp"])
def test_who_is_being_answered_is_waited_for(way: str) -> None:
    async def run() -> None:
        told, asked = asyncio.Event(), asyncio.Event()

        async def wait(request: Any) -> Ready:
            if "?wait" in request.raw_path:
                asked.set()
                await told.wait()
            return Ready(200, JSON, b"{}")

        runner = await serve(wait, plain=way == "own")
        connection, wire = connect(runner)
        connection.data_received(PLAIN)
        await turns(20)
        connection.data_received(PLAIN.replace(b" HTTP/", b"?wait HTTP/"))
        await asked.wait()
        assert (connection.turn.answering is not None) == (way == "own")
        assert isinstance(runner.server, Server)
        runner.server.pre_shutdown()
        ending = asyncio.create_task(runner.server.shutdown(20))
        await turns(20)
        assert not wire.closed
        told.set()
        await ending
        assert wire.closed
        assert wire.written.count(b"HTTP/1.1 200 OK") == 2
        connection.connection_lost(None)
        await runner.cleanup()

    asyncio.run(run())


def test_whoever_leaves_is_not_answered(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        connection, wire = connect(both.ways[0])
        connection.data_received(PLAIN)
        await turns(20)
        connection.data_received(PLAIN)
        connection.data_received(PLAIN)
        assert not wire.reading
        wire.close()
        connection.connection_lost(ConnectionResetError())
        await turns(20)
        assert wire.written.count(b"HTTP/1.1 200 OK") == 1

    both.loop.run(run())
    assert caplog.records == []


def test_aiohttp_has_what_is_built_upon(both: Both) -> None:
    """Names of ours are none of aiohttp's, and what is overridden is there."""

    async def names() -> set[str]:
        return set(vars(connect(both.ways[0])[0]))

    assert both.loop.run(names()) & {name for kind in RequestHandler.__mro__ for name in dir(kind)} == set()
    for name in ("data_received", "log_access", "close", "force_close", "shutdown", "handle_error"):
        assert callable(getattr(RequestHandler, name))
