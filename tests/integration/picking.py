"""Games of picks on real servers: entries with recorded times of the test's choosing, and what became of them."""

from typing import Any

import msgspec

from projections.names import stream_key
from projections.rejections import RejectionLine, rejections
from tests.harness import Harness, event, ruleset

T0 = 1_770_000_000_000
"""Recorded times count from here, in epoch milliseconds."""

RULES = """
game = "arcade"
[metrics.points]
[metrics.off]
[metrics.over]

[sources.winner]
origin = "picks"
missing = "lose"
wrong = -1
grades = [{ points = 3 }]

[sources.confidence]
origin = "picks"
market = "confidence"
grades = [{ points = 1 }]
stakes = { max = 16, unique = "round" }
lock = { at = "round", minutes = 1 }

[sources.total]
origin = "picks"
market = "total"
metric = "off"
over = "over"
guess = "under"

[boards.total]
rank_by = ["points desc", "off asc", "over asc"]
periods = ["all", "round"]
[boards.total.metrics]
points = { op = "sum", of = "points" }
wins = { op = "count", where = { verdict = "win" } }
losses = { op = "count", where = { verdict = "loss" } }
off = { op = "sum", of = "off" }
over = { op = "sum", of = "over" }
"""


class Entries:
    """Writes entries of the log, each with its recorded time in seconds after T0, and an id by its number."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.count = 0

    async def rules(self, text: str = RULES) -> None:
        """The first entry: the game's rules."""
        await self.at(0, ruleset(text))

    async def at(self, seconds: float, *bodies: dict[str, Any]) -> None:
        """Entries that were recorded at a time."""
        pipeline = self.harness.log.pipeline(transaction=False)
        for body in bodies:
            self.count += 1
            data = msgspec.json.encode({"id": f"e{self.count}", **body})
            pipeline.xadd(stream_key(0), {"event": data}, id=f"{T0 + round(seconds * 1000)}-{self.count}")
        await pipeline.execute()


def said(type_: str, **fields: Any) -> dict[str, Any]:
    """An event without an id."""
    body = event(type_, "", **fields)
    return {name: value for name, value in body.items() if name != "id"}


def fixture(name: str, starts: float, round_: int = 1, **fields: Any) -> dict[str, Any]:
    """A fixture that starts so many seconds after T0."""
    return said("fixture", fixture=name, round=round_, starts_at=T0 + round(starts * 1000), **fields)


def pick(player: str, name: str, choice: Any, **fields: Any) -> dict[str, Any]:
    """A pick."""
    return said("pick", player=player, fixture=name, choice=choice, **fields)


def result(name: str, revision: int = 1, **outcomes: Any) -> dict[str, Any]:
    """A result by its outcomes; `status` is taken out of them."""
    status = outcomes.pop("status", "final")
    named = {market: [choice] if isinstance(choice, str) else choice for market, choice in outcomes.items()}
    return said("result", fixture=name, revision=revision, status=status, outcomes=named)


async def consume(harness: Harness, batch: int = 1_000) -> None:
    """A consumer that starts, folds everything, and stops."""
    async with harness.consuming(batch=batch) as reader:
        await reader.drain()


async def rejected(harness: Harness, game: str = "arcade", player: str | None = None) -> list[RejectionLine]:
    """What a game's live generation says that does not count, newest first."""
    generation = await harness.value("SELECT live_generation FROM games WHERE name = $1", game)
    return await rejections(harness.pool, generation, player, None, 1_000_000)


async def stored(harness: Harness) -> dict[str, list[tuple[Any, ...]]]:
    """What the live generation holds of contests, apart from its number."""
    queries = {
        "picks": "fixture, player, market, epoch, ms, seq, event, choice, stake",
        "rejections": "epoch, shard, ms, seq, event, player, field, reason",
        "fixtures": "fixture, revision, round, starts_ms, state",
        "players": "player, joined_ms",
    }
    return {
        table: sorted(
            (
                tuple(row)
                for row in await harness.pool.fetch(
                    f"SELECT {names} FROM {table} WHERE generation_id = (SELECT live_generation FROM games)"
                )
            ),
            key=repr,
        )
        for table, names in queries.items()
    }
