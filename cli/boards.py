"""A board as the API has it: as many of its pages as are wanted, once, or anew whenever it changes."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from rich.live import Live

from cli.client import Api
from cli.settings import Settings
from cli.tables import Line, Page, table_of
from cli.terminal import out, say
from schemas.errors import InvalidInput, Problem, Unavailable

PAGE_MAX = 1_000
FOLLOWED_MAX = 100
"""A live stream tells of so many first entries."""

AGAIN_S = 1.0


class Asked(NamedTuple):
    """What of a board is wanted; `limit` may be more than a page."""

    game: str
    board: str
    period: str | None
    segment: str | None
    limit: int
    after: str | None
    min_position: str | None
    known_at: str | None = None
    generation: int | None = None


async def pages(api: Api, asked: Asked) -> dict[str, Any]:
    """As many pages as the limit needs, put together; the position is that of the first, which all show at least."""
    path = ("games", asked.game, "boards", asked.board)
    query: dict[str, Any] = {"period": asked.period, "segment": asked.segment, "min_position": asked.min_position}
    query |= {"known_at": asked.known_at, "generation": asked.generation}
    answer: dict[str, Any] = await api.get(*path, **query, limit=min(asked.limit, PAGE_MAX), after=asked.after)
    query["period"] = answer["period"]
    while answer["next"] is not None and len(answer["entries"]) < asked.limit:
        rest = asked.limit - len(answer["entries"])
        following = await api.get(*path, **query, limit=min(rest, PAGE_MAX), after=answer["next"])
        answer["entries"] += following["entries"]
        answer["next"] = following["next"]
    return answer


async def watch(found: Settings, asked: Asked, as_json: bool) -> None:
    """Shows the board whenever it changes: in place on a terminal, else one after the other, as JSON a line each."""
    if asked.after is not None:
        raise InvalidInput(Problem("--after", "only the first lines of a board can be watched"))
    if asked.known_at is not None:
        raise InvalidInput(Problem("--known-at", "what was displayed then does not change"))
    if asked.generation is not None:
        raise InvalidInput(Problem("--generation", "only what is live can be watched"))
    query = {"period": asked.period, "segment": asked.segment, "top": min(asked.limit, FOLLOWED_MAX)}
    seen = False
    async with Api(found.url, found.key) as api:
        with _screen(as_json) as show:
            while True:
                try:
                    async for _ in api.changes("games", asked.game, "boards", asked.board, "live", **query):
                        show(await pages(api, asked))
                        seen = True
                except Unavailable as error:
                    if not seen:
                        raise
                    say(f"{error}; trying again", "dim")
                await asyncio.sleep(AGAIN_S)


@contextmanager
def _screen(as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    console = out()
    if as_json:
        yield _print_line
    elif not console.is_terminal:
        yield lambda answer: console.print(table_of(page_of(answer)))
    else:
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            yield lambda answer: live.update(table_of(page_of(answer)), refresh=True)


def _print_line(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.flush()


def page_of(answer: dict[str, Any]) -> Page:
    """A page as the API sends it."""
    entries = answer["entries"]
    marks = [name for name in ("movement", "tier") if entries and name in entries[0]]
    lines = [
        Line(
            at["rank"],
            at["tied"],
            at["player"],
            at["metrics"],
            name=at.get("name"),
            **{name: at[name] for name in marks},
        )
        for at in entries
    ]
    metrics = list(lines[0].metrics) if lines else []
    names = (answer["game"], answer["board"], answer["title"], answer["period"])
    return Page(*names, answer["total"], metrics, lines, answer["position"], marks, answer.get("segment", ""))
