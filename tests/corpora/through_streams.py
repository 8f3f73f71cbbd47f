"""Plays a contest through the real servers: Redis Streams, the consumer, PostgreSQL, Redis rankings and HTTP.

Every other step goes in over HTTP, the others by XADD straight into the stream, as game services do. The boards come
back over HTTP, read with the position of the step's last event. Consumer and API are processes of their own.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import redis

from cli.embedded import Embedded
from projections.names import FIELD, epoch_key, shard_of, stream_key
from schemas.codec import encode
from schemas.events import AnyEvent, RulesetChange
from tests.corpora.contest import Contest, Line, Tables, numbers

SHARDS = 1
READY_SECONDS_MAX = 60.0
ANSWER_SECONDS_MAX = 30.0
PAGE_LINES = 1_000
WAIT_MS = 5_000
ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "cli" / "embedded_launch.py"


class Stack:
    """Everything that runs in production, in a folder of its own, for as long as the context is open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._port = 0

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            services = undo.enter_context(Embedded(self._folder / "services", keep=False)).services
            self._log = undo.enter_context(redis.Redis.from_url(services.log_url))
            self._port = _free_port()
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith("RANKFOLD_")},
                "REDIS_LOG_URL": services.log_url,
                "REDIS_RANKINGS_URL": services.rankings_url,
                "DATABASE_URL": services.database_url,
            }
            if self._run(undo, environment, "migrate").wait(READY_SECONDS_MAX):
                raise OSError(self._ended("migrate"))
            self._consumer = self._run(undo, environment, "consume")
            self._api = self._run(undo, environment, "serve", "--port", str(self._port))
            self._until_ready()
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, contest: Contest) -> Iterator[tuple[str, Tables]]:
        """Publishes step by step and reads every board after each."""
        rules = RulesetChange(id=f"{contest.game}:rules", game=contest.game, version=1, text=contest.ruleset)
        position = self._post(contest.game, [rules])
        boards = sorted({board for _, board in contest.official})
        for at, step in enumerate(contest.steps):
            if step.events:
                publish = self._post if at % 2 else self._add
                position = publish(contest.game, step.events)
            yield step.label, {board: self._board(contest.game, board, position) for board in boards}

    def _post(self, game: str, events: list[AnyEvent]) -> str:
        """Over HTTP; the position of the last event."""
        body = b'{"events":[' + b",".join(map(encode, events)) + b"]}"
        answer = self._request("POST", f"/v1/games/{game}/events?wait={WAIT_MS}", body)
        if not answer["visible"]:
            raise TimeoutError(f"{answer['position']} was not visible after {WAIT_MS} ms")
        return str(answer["position"])

    def _add(self, game: str, events: list[AnyEvent]) -> str:
        """Straight into the stream; the position of the last event."""
        shard = shard_of(game, SHARDS)
        pipeline = self._log.pipeline(transaction=False)
        pipeline.get(epoch_key(shard))
        for event in events:
            pipeline.xadd(stream_key(shard), {FIELD: encode(event)})
        epoch, *entries = pipeline.execute()
        return f"{epoch.decode()}.{shard}.{entries[-1].decode()}"

    def _board(self, game: str, board: str, position: str) -> list[Line]:
        name, _, segment = board.partition("/")
        query = f"limit={PAGE_LINES}&min_position={quote(position)}" + (f"&segment={quote(segment)}" if segment else "")
        page = self._request("GET", f"/v1/games/{game}/boards/{name}?{query}")
        return [Line(entry["player"], entry["rank"], numbers(entry["metrics"])) for entry in page["entries"]]

    def _request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """The answer's JSON; raises ValueError on a problem, OSError when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS_MAX)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise ValueError(f"{method} {path}: {response.status} {content[:500].decode(errors='replace')}")
        return json.loads(content, parse_float=Decimal)

    def _run(self, undo: ExitStack, environment: dict[str, str], *arguments: str) -> "subprocess.Popen[bytes]":
        log = undo.enter_context((self._folder / f"{arguments[0]}.log").open("wb"))
        # The launcher ties the process to this one, so that nothing is left running however this one ends.
        ties = (os.getpid(), int(signal.SIGTERM), os.geteuid(), os.getegid())
        launcher = (sys.executable, "-I", "-S", str(LAUNCHER), *map(str, ties))
        command = (*launcher, sys.executable, "-m", "cli.main", *arguments)
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        undo.callback(_stop, process)
        return process

    def _ended(self, name: str) -> str:
        return f"`{name}` ended:\n{(self._folder / f'{name}.log').read_text(errors='replace')[-2000:]}"

    def _until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            for process, name in ((self._consumer, "consume"), (self._api, "serve")):
                if process.poll() is not None:
                    raise OSError(self._ended(name))
            try:
                self._request("GET", "/health/ready")
                if self._log.get(epoch_key(0)) is None:
                    raise OSError("the consumer has not begun the log")
            except (OSError, ValueError, http.client.HTTPException) as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the API was not ready after {READY_SECONDS_MAX:g} s: {error}") from error
                time.sleep(0.05)
            else:
                return


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
