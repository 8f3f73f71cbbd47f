"""`rankfold publish`: sends a file of JSON lines to the API, in order, and as often as it takes: events have ids."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cli import local
from cli.client import Api, RefusedError
from cli.eventlines import at_line, count_lines
from cli.terminal import meter, plural, say, show_json
from schemas.errors import InvalidInput, NotFound, Problem, Unavailable
from schemas.position import Vector

BATCH_EVENTS_MAX = 1_000
BATCH_BYTES_MAX = 3_500_000
RETRY_DELAYS_S = (0.1, 0.3, 1.0, 2.0, 4.0)
VISIBLE_SECONDS_MAX = 60.0
VISIBLE_POLL_S = 0.05


class _Head(msgspec.Struct):
    game: str | None = None


_decode_head = msgspec.json.Decoder(_Head).decode


@dataclass
class Batch:
    """Consecutive events of one game, and the lines of the file that they stand in."""

    game: str
    lines: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    size: int = 0

    def is_full(self, following: bytes) -> bool:
        """Whether one more line would be too much for one request."""
        return len(self.lines) >= BATCH_EVENTS_MAX or self.size + len(following) > BATCH_BYTES_MAX


@dataclass
class Sent:
    """What was published so far; `positions` holds the highest one of each game."""

    events: int = 0
    duplicates: int = 0
    positions: dict[str, Vector] = field(default_factory=dict)

    def add(self, batch: Batch, answer: Any) -> None:
        """Takes the answer to a batch into account."""
        self.events += len(batch.lines)
        self.duplicates += answer["duplicates"]
        positions = *Vector.parse(answer["position"]), *self.positions.get(batch.game, ())
        self.positions[batch.game] = Vector.highest(positions)


def publish_command(
    file: Annotated[Path, typer.Argument(help="The events, one JSON object a line; - reads stdin.", allow_dash=True)],
    game: Annotated[str | None, typer.Option(help="The game of events that do not name one.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when readers see all of it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Publish a file of events. Repeating it is safe: what was sent before is not counted twice.

    A batch of up to 1,000 events is appended whole or not at all; the first one that is refused ends the command.
    """
    if str(file) == "-":
        publish_lines(sys.stdin.buffer, "stdin", None, game, wait=wait, as_json=as_json)
    else:
        with file.open("rb") as opened:
            publish_lines(opened, str(file), count_lines(file), game, wait=wait, as_json=as_json)


def publish_lines(
    lines: Iterable[bytes], source: str, total: int | None, game: str | None = None, *, wait: bool, as_json: bool
) -> None:
    """Publishes JSON lines out of `source`, `total` of them if that is known, and reports."""
    started = time.monotonic()
    found = local.load()
    sent = asyncio.run(_publish(Api(found.url, found.key), lines, source, total, game, wait))
    _report(sent, time.monotonic() - started, as_json)


async def _publish(
    api: Api, file: Iterable[bytes], source: str, total: int | None, game: str | None, wait: bool
) -> Sent:
    sent = Sent()
    async with api:
        with meter("publishing") as progress:
            for batch in batches(file, source, game):
                await _send(api, batch, source, sent)
                progress(sent.events, total)
        if wait:
            await until_visible(api, sent.positions)
    return sent


def batches(file: Iterable[bytes], source: str, game: str | None) -> Iterator[Batch]:
    """The file cut into requests: consecutive events of one game; raises InvalidInput for a line without a game."""
    batch: Batch | None = None
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        name = _game_of(line, source, number) or game
        if name is None:
            raise InvalidInput(at_line(source, number, Problem("game", "named in the event, or by --game")))
        if batch is None or batch.game != name or batch.is_full(line):
            if batch is not None:
                yield batch
            batch = Batch(name)
        batch.lines.append(line if line.endswith(b"\n") else line + b"\n")
        batch.numbers.append(number)
        batch.size += len(line)
    if batch is not None:
        yield batch


def _game_of(line: bytes, source: str, number: int) -> str | None:
    try:
        return _decode_head(line).game
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(at_line(source, number, Problem("", f"not a JSON object: {error}"))) from None


async def _send(api: Api, batch: Batch, source: str, sent: Sent) -> None:
    try:
        answer = await retried(lambda: api.publish(batch.game, b"".join(batch.lines)))
    except RefusedError as error:
        if sent.events:
            say(f"{plural(sent.events, 'event')} published before this; they stay")
        raise InvalidInput(*_located(error, batch, source)) from None
    sent.add(batch, answer)


def _located(error: RefusedError, batch: Batch, source: str) -> list[Problem]:
    return [
        problem if index is None else at_line(source, batch.numbers[index], problem)
        for problem, index in zip(error.problems, error.indexes, strict=True)
    ]


async def retried(call: Callable[[], Any]) -> Any:
    """The result of a call that may be repeated; raises Unavailable after the last attempt."""
    for delay_s in RETRY_DELAYS_S:
        try:
            return await call()
        except Unavailable:
            await asyncio.sleep(delay_s)
    return await call()


async def until_visible(api: Api, positions: dict[str, Vector]) -> None:
    """Returns when readers of each game see its position; raises Unavailable when they do not soon."""
    deadline = time.monotonic() + VISIBLE_SECONDS_MAX
    for game, position in positions.items():
        while not await _is_visible(api, game, position):
            if time.monotonic() > deadline:
                raise Unavailable(f"{game} does not show {position} yet; is a consumer running?")
            await asyncio.sleep(VISIBLE_POLL_S)


async def _is_visible(api: Api, game: str, position: Vector) -> bool:
    try:
        shown = (await api.get("games", game))["position"]
    except NotFound:
        # A game that its first ruleset has yet to make.
        return False
    return Vector.parse(shown).covers(position)


def _report(sent: Sent, seconds: float, as_json: bool) -> None:
    positions = {game: str(position) for game, position in sent.positions.items()}
    if as_json:
        counts = {"events": sent.events, "duplicates": sent.duplicates}
        show_json({**counts, "positions": positions, "seconds": round(seconds, 3)})
        return
    rate = sent.events / seconds if seconds else 0.0
    known = f", {sent.duplicates:,} of them were there before" if sent.duplicates else ""
    typer.echo(f"{plural(sent.events, 'event')} published in {seconds:.1f} s ({rate:,.0f}/s){known}")
    for game, position in positions.items():
        typer.echo(f"{game} is at {position}")
