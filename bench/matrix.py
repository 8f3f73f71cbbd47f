"""HTTP under load: five kinds of requests, on few and on many connections, on small boards and on large ones.

The API and a bare handler that answers with the same bytes take turns; `Column` is one size of the boards.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.http import Load, Server, free_port, run_wrk, sample
from bench.processes import Child, wait_for
from bench.stack import START_SECONDS_MAX, Stack
from bench.workload import GAME, SEED, player_name
from projections import keys
from projections.database import connect

BOARD = f"/v1/games/{GAME}/boards/best"
EVENTS = f"/v1/games/{GAME}/events"
BULK_PLAYERS = 50
MANY = 100_000_000
"""A limit that is counted and never reached, requests a minute."""

LIMITED = {name: str(MANY) for name in ("SUBMISSIONS", "RANKS", "BOARDS")}

SETUP = """\
local requests, at, number = {{}}, 0, 0
local player = function() return string.format("player-%07d", math.random(0, {highest})) end
function init(args)
  math.randomseed({seed})
  wrk.headers["Authorization"] = "Bearer {token}"
  wrk.headers["Content-Type"] = "application/json"
  for i = 1, {count} do requests[i] = make() end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""
GET = 'function make() return wrk.format("GET", {path}) end\n'
BULK = """\
function make()
  local players = {}
  for i = 1, %d do players[i] = '"' .. player() .. '"' end
  return wrk.format("POST", "%s", nil, '{"players":[' .. table.concat(players, ",") .. ']}')
end
"""
# Every event is a new one, so it is made when it is sent, for both servers alike.
PUBLISH = """\
function make() return "" end
function request()
  number = number + 1
  local event = '{"type":"score","id":"%s-' .. number .. '","game":"%s","player":"' .. player() .. '","values":{"points":7}}'
  return wrk.format("POST", "%s", nil, event)
end
"""
REQUESTS_MADE = {"bulk": 2_000, "publish": 1}
REQUESTS_MADE_ELSE = 20_000
TARGETS = {"top10": 0.8, "rank": 0.6, "around": 0.45, "bulk": None, "publish": 0.4}
KINDS = tuple(TARGETS)
GROWTH_MAX = 1.3


class Plan(NamedTuple):
    """What is measured: sizes of the boards, connections, rounds, and the seconds of one run of wrk."""

    players: tuple[int, ...]
    connections: tuple[int, ...]
    rounds: int
    seconds: int


FULL = Plan(players=(10_000, 100_000, 1_000_000), connections=(64, 512), rounds=3, seconds=4)
QUICK = Plan(players=(10_000,), connections=(64, 512), rounds=1, seconds=2)
Progress = Callable[[str], None]


def measure(stack: Stack, folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    """{"columns": {players: {connections: {kind: figures}}}, "growth", "limits"}; each column on its own boards."""
    columns: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    for players in plan.players:
        with _boards(stack, players, progress):
            columns[str(players)] = _column(stack, folder, players, plan, progress)
            if players == plan.players[0]:
                limits = _limits(stack, folder, players, plan, progress)
    return {"columns": columns, "growth": growth(columns), "limits": limits}


@contextmanager
def _boards(stack: Stack, players: int, progress: Progress) -> Iterator[None]:
    """Boards with one run of each player; their consumer goes on, since events are published over HTTP as well."""
    stack.reset()
    progress(f"{players:,} players come")
    with stack.consumer() as consumer:
        with stack.publisher(players, players, SEED, "one") as publisher:
            publisher.say("go")
            stack.until_visible(publisher.reply()["last"], consumer)
        yield


def _column(stack: Stack, folder: Path, players: int, plan: Plan, progress: Progress) -> dict[str, Any]:
    token = asyncio.run(_token(stack.database_url))
    with _api(stack) as own, _bare(stack, samples(own, token)) as bare:
        found: dict[str, Any] = {}
        for connections in plan.connections:
            for kind in KINDS:
                runs = [
                    (
                        _run(own, kind, f"{players}-{connections}-{number}", token, players, connections, folder, plan),
                        _run(bare, kind, "bare", token, players, connections, folder, plan),
                    )
                    for number in range(plan.rounds)
                ]
                figures = compared(runs)
                found.setdefault(str(connections), {})[kind] = figures
                progress(
                    f"{players:,} players, {connections} connections, {kind}: {figures['ratio']:.2f} of a bare handler"
                )
    return found


def _limits(stack: Stack, folder: Path, players: int, plan: Plan, progress: Progress) -> dict[str, Any]:
    """What it costs to count requests: the same with limits that are never reached, as a ratio to without."""
    token = asyncio.run(_token(stack.database_url))
    connections = plan.connections[0]
    on = {"RANKFOLD_LIMITS": "on"} | {f"RANKFOLD_LIMIT_{name}": value for name, value in LIMITED.items()}
    found = {}
    with _api(stack) as without, _api(stack, **on) as counted:
        for kind in ("rank", "publish"):
            runs = [
                tuple(
                    _run(server, kind, f"{name}-{number}", token, players, connections, folder, plan)
                    for name, server in (("limited", counted), ("free", without))
                )
                for number in range(plan.rounds)
            ]
            found[kind] = compared(runs)
            progress(f"{kind} with limits: {found[kind]['ratio']:.2f} of without")
    return found


def compared(runs: list[Any]) -> dict[str, Any]:
    """The figures of runs in turns: (own, beside). Each ratio is that of two runs side by side."""
    return {
        "requests_s": median(own.requests_s for own, _ in runs),
        "bare_requests_s": median(beside.requests_s for _, beside in runs),
        "p50_ms": median(own.p50_ms for own, _ in runs),
        "p99_ms": median(own.p99_ms for own, _ in runs),
        "bare_p50_ms": median(beside.p50_ms for _, beside in runs),
        "bare_p99_ms": median(beside.p99_ms for _, beside in runs),
        "ratio": median(own.requests_s / beside.requests_s for own, beside in runs),
    }


def growth(columns: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """How many times dearer a request is on the largest boards than on the smallest, against the bare handler's drift."""
    small, large = columns[next(iter(columns))], columns[list(columns)[-1]]
    return {
        connections: {kind: small[connections][kind]["ratio"] / large[connections][kind]["ratio"] for kind in KINDS}
        for connections in small
    }


def script(kind: str, run: str, token: str, players: int) -> str:
    """wrk's Lua script of one kind of request."""
    setup = SETUP.format(highest=players - 1, seed=7, token=token, count=REQUESTS_MADE.get(kind, REQUESTS_MADE_ELSE))
    if kind == "bulk":
        return setup + BULK % (BULK_PLAYERS, BOARD + "/ranks")
    if kind == "publish":
        return setup + PUBLISH % (run, GAME, EVENTS)
    paths = {
        "top10": f'"{BOARD}?period=all&limit=10"',
        "rank": f'"{BOARD}/players/" .. player()',
        "around": f'"{BOARD}/players/" .. player() .. "?around=10"',
    }
    return setup + GET.format(path=paths[kind])


def _run(
    server: Server, kind: str, run: str, token: str, players: int, connections: int, folder: Path, plan: Plan
) -> Load:
    path = folder / "requests.lua"
    text = script(kind, run, token, players)
    if server.bare:
        # One fixed path, the cheapest to route; what is behind it is a query, which is ignored.
        text = text.replace(f'"{BOARD}', f'"/{kind}?').replace(f'"{EVENTS}"', f'"/{kind}"')
    path.write_text(text)
    return run_wrk(server.url, plan.seconds, path, connections)


def samples(server: Server, token: str) -> dict[str, Any]:
    """An answer of each kind, for the bare handler to repeat."""
    event = {"type": "score", "id": "sample", "game": GAME, "player": player_name(0), "values": {"points": 7}}
    players = {"players": [player_name(number) for number in range(BULK_PLAYERS)]}
    place = f"{BOARD}/players/{player_name(0)}"
    return {
        "/top10": sample(server.url + f"{BOARD}?period=all&limit=10", token),
        "/rank": sample(server.url + place, token),
        "/around": sample(server.url + place + "?around=10", token),
        "/bulk": sample(server.url + BOARD + "/ranks", token, players),
        "/publish": sample(server.url + EVENTS, token, event),
    }


@contextmanager
def _api(stack: Stack, **settings: str) -> Iterator[Server]:
    """An API that asks for keys; limits are off unless the settings say otherwise."""
    port = free_port()
    given = {"RANKFOLD_PORT": str(port), "RANKFOLD_AUTH": "keys", "RANKFOLD_LIMITS": "off", **settings}
    child = Child(stack.log, "cli.main", "serve", environment=stack.environment(**given))
    server = Server(f"http://127.0.0.1:{port}", bare=False)
    try:
        wait_for(lambda: server.answers(child), START_SECONDS_MAX, "the API answers")
        yield server
    finally:
        child.stop()


@contextmanager
def _bare(stack: Stack, answers: dict[str, Any]) -> Iterator[Server]:
    port = free_port()
    child = Child(stack.log, "bench.bare", str(port))
    try:
        child.say(json.dumps({"answers": answers}))
        child.reply()
        yield Server(f"http://127.0.0.1:{port}", bare=True)
    finally:
        child.stop()


async def _token(database_url: str) -> str:
    pool = await connect(database_url)
    try:
        _, token = await keys.create(pool, GAME, ["read", "publish"], "benchmark", None)
    finally:
        await pool.close()
    return token
