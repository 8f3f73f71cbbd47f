"""Voided and reinstated events through the real services: every board is that of a log in which they never were."""

import random
from typing import Any

import pytest

from tests.harness import Harness, event, ruleset

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]

[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[sources.races]
origin = "placements"
points = [5, 3, 1]
[sources.picks]
origin = "picks"
lock = { at = "never" }
grades = [{ when = "choice", points = 7 }]

[boards.total]
sources = ["score", "adjustment"]
rank_by = ["points desc", "reached"]
periods = ["all", "daily"]
metrics.points = { op = "sum", of = "points" }

[boards.plain]
sources = ["score", "adjustment"]
rank_by = ["points desc"]
metrics.points = { op = "sum", of = "points" }

[boards.best]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc", "reached"]
metrics.points = { op = "max", of = "points" }

[boards.contests]
sources = ["races", "picks"]
rank_by = ["points desc"]
metrics.points = { op = "sum", of = "points" }
"""
BOARDS = ("total", "plain", "best", "contests")
PLAYERS = [f"p{number}" for number in range(12)]


def said(seed: int, count: int) -> list[dict[str, Any]]:
    """Events that may be voided, one by one."""
    chance = random.Random(seed)
    events: list[dict[str, Any]] = []
    for number in range(count):
        player, kind = chance.choice(PLAYERS), chance.random()
        if kind < 0.7:
            events.append(event("score", f"e{number}", player=player, values={"points": chance.randint(-5, 50)}))
        elif kind < 0.8:
            events.append(
                event("adjustment", f"e{number}", player=player, values={"points": chance.randint(-9, 9)}, reason="x")
            )
        elif kind < 0.9:
            lines = [{"player": who, "position": at} for at, who in enumerate(chance.sample(PLAYERS, 3), 1)]
            outcomes = {"winner": [chance.choice("ab")]}
            fixture, revision = chance.choice(["f", "g", "h"]), number + 1
            fields: dict[str, Any] = {"fixture": fixture, "revision": revision, "placements": lines}
            events.append(event("result", f"e{number}", outcomes=outcomes, **fields))
        else:
            fixture = chance.choice(["f", "g", "h"])
            events.append(event("pick", f"e{number}", player=player, fixture=fixture, choice=chance.choice("ab")))
    return events


def plans() -> list[dict[str, Any]]:
    return [event("fixture", f"plan-{name}", fixture=name, round=1, starts_at=4_000_000_000_000) for name in "fgh"]


def corrections(seed: int, events: list[dict[str, Any]], count: int) -> tuple[list[dict[str, Any]], set[str]]:
    """Voids and reinstatements, and who is void in the end."""
    chance = random.Random(seed)
    made, voided = [], set[str]()
    for number in range(count):
        target = chance.choice(events)["id"]
        kind = "reinstate" if target in voided and chance.random() < 0.5 else "void"
        made.append(event(kind, f"{seed}-c{number}", event=target, reason="checked"))
        (voided.add if kind == "void" else voided.discard)(target)
    return made, voided


async def shown(harness: Harness) -> dict[str, Any]:
    return {board: await harness.board(board) for board in BOARDS}


@pytest.mark.parametrize(("batch", "cache_rows"), [(7, 1_000_000), (1_000, 1_000_000), (40, 5)])
async def test_boards_live_replayed_and_swapped_are_those_of_the_corrected_log(
    harness: Harness, batch: int, cache_rows: int
) -> None:
    events = said(3, 150)
    early, voided_early = corrections(4, events, 12)
    late, voided_late = corrections(5, events, 25)
    corrected = [*plans(), *early[:6], *events[:100], *early[6:], *events[100:], *late]
    final = {line["event"]: line["type"] == "void" for line in corrected if line["type"] in ("void", "reinstate")}
    await harness.publish(ruleset(RULES), *corrected)
    async with harness.consuming(batch=batch, cache_rows=cache_rows) as reader:
        await reader.drain()
        await harness.assert_exact()
        live = await shown(harness)
    async with harness.consuming(batch=batch) as reader:
        # Started again, it knows what is void.
        again = [event("void", f"again-{name}", event=name, reason="x") for name in ("e1", "e2", "e140")]
        await harness.publish(
            *again,
            *(
                event("reinstate", f"back-{line['event']}", event=line["event"], reason="x")
                for line in again
                if not final.get(line["event"])
            ),
        )
        await reader.drain()
        await harness.assert_exact()
        assert await shown(harness) == live
        await harness.swap()
        await harness.shown()
        assert await shown(harness) == live
        await harness.assert_exact()
    clean = [line for line in [*plans(), *events] if not final.get(line["id"])]
    assert live == await clean_boards(harness, clean)
    assert voided_early | voided_late


async def clean_boards(harness: Harness, events: list[dict[str, Any]]) -> dict[str, Any]:
    """The boards of another game in which only these events were ever said."""
    moved = [{**line, "game": "clean"} for line in events]
    await harness.publish(ruleset(RULES.replace('"arcade"', '"clean"'), game="clean"), *moved)
    async with harness.consuming(batch=500) as reader:
        await reader.drain()
        return {board: await harness.board(board, game="clean") for board in BOARDS}
