"""Windows of the last days in the live system: days pass, live equals replay, and readers see the copies of a board."""

from typing import Any

import pytest

from tests.harness import Harness, event, ruleset, score
from tests.integration import api_stack
from tests.integration.test_clock import append, noon

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
time_zone = "Europe/Berlin"
[metrics.points]
[boards.sums]
rank_by = ["points desc"]
windows = [1, 3]
segments = { repo = "mark" }
metrics.points = { op = "sum", of = "points", caps = [{ most = 10 }] }
[boards.best]
rank_by = ["points desc", "reached"]
keep = { mode = "best", by = "points", n = 2 }
windows = [3]
metrics.points = { op = "sum", of = "points" }
"""
ENTRIES: list[tuple[int, list[tuple[str, int]]]] = [
    (29, [("ann", 7), ("bob", 4), ("ann", 8)]),
    (30, [("bob", 3)]),
    (31, [("ann", 2), ("cas", 12)]),
    (32, []),
    (33, [("bob", 5)]),
    (38, []),
]
"""(day of March 2024, on whose 31st clocks go forward, who scored how much); without scores a tick passes the day."""


def bodies(day: int, scores: list[tuple[str, int]]) -> list[Any]:
    if not scores:
        return [event("tick", f"tick-{day}", at=noon(day))]
    return [
        score(f"{day}-{number}", player, points, attributes={"repo": player[0]})
        for number, (player, points) in enumerate(scores)
    ]


def window(day: int, days: int) -> list[tuple[int, str, int]]:
    """(day, player, points) of the scores in a window that ends with `day`."""
    return [(on, *one) for on, scores in ENTRIES if day - days < on <= day for one in scores]


def capped(day: int, days: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for on in range(day - days + 1, day + 1):
        for who in "ann", "bob", "cas":
            mine = [points for at, player, points in window(day, days) if (at, player) == (on, who)]
            if mine:
                found[who] = found.get(who, 0) + min(10, sum(mine))
    return found


def best(day: int, days: int) -> dict[str, int]:
    players = {player for _, player, _ in window(day, days)}
    mine = {who: sorted(points for _, player, points in window(day, days) if player == who) for who in players}
    return {who: sum(points[-2:]) for who, points in mine.items()}


async def shown(harness: Harness, board: str, period: str) -> dict[str, int]:
    return {player: metrics["points"] for player, metrics in (await harness.board(board, period)).items()}


@pytest.mark.parametrize(("batch", "cache_rows"), [(1, 1), (2, 100_000), (1_000, 100_000)])
async def test_windows_move_with_the_days_and_live_equals_replay(harness: Harness, batch: int, cache_rows: int) -> None:
    await append(harness, noon(28), ruleset(RULES))
    for day, scores in ENTRIES:
        await append(harness, noon(day), *bodies(day, scores))
        async with harness.consuming(batch=batch, cache_rows=cache_rows) as reader:
            await reader.drain()
        await harness.assert_exact("arcade")
        for days in (1, 3):
            assert await shown(harness, "sums", f"last:{days}d") == capped(day, days)
        assert await shown(harness, "best", "last:3d") == best(day, 3)
    assert await shown(harness, "sums", "all") == capped(38, 100)
    assert await harness.value("SELECT count(*) FROM dues") == 0


async def test_windows_over_http(database_url: str, redis_log_url: str, redis_rankings_url: str) -> None:
    async with api_stack.running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(api_stack.ruleset(RULES))
        long_ago = api_stack.score("e1", "ann", 5, attributes={"repo": "a"})
        now = api_stack.score("e2", "bob", 4, attributes={"repo": "a"}, occurred_at=None)
        await stack.publish(long_ago, {name: value for name, value in now.items() if value is not None})
        board = "/v1/games/arcade/boards/sums"
        page = (await stack.get(f"{board}?period=last:3d")).json
        assert [(line["player"], line["metrics"]["points"]) for line in page["entries"]] == [("bob", 4)]
        assert page["period"] == "last:3d"
        assert (await stack.get(f"{board}?period=all")).json["total"] == 2
        assert (await stack.get(f"{board}?period=last:1d&segment=repo:a")).json["total"] == 1
        assert (await stack.get(f"{board}/players/ann?period=last:3d")).status == 404
        refused = await stack.get(f"{board}?period=last:2d")
        assert refused.status == 400
        assert "all, last:1d, last:3d" in refused.body.decode()
        line = next(one for one in (await stack.get("/v1/games/arcade")).json["boards"] if one["board"] == "sums")
        assert line["period_kinds"] == ["all", "last:1d", "last:3d"]
        assert sorted(line["periods"]) == ["all", "last:1d", "last:3d"]
