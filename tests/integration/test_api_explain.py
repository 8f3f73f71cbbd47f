"""Explanations over HTTP: parts that sum to what the board shows, on boards of every shape, with what was corrected and why."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api_stack import Stack, ruleset, running

pytestmark = pytest.mark.services
Fields = dict[str, Any]
NOON = 1_770_000_000_000
RULES = """
game = "arcade"
[metrics.points]
[metrics.seconds]
scale = 1
[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[sources.race]
origin = "placements"
points = [5, 3, 1]
[sources.picks]
origin = "picks"
lock = { at = "never" }
grades = [{ points = 7 }]

[boards.total]
sources = ["score", "adjustment"]
rank_by = ["points desc", "runs asc", "reached"]
segments = { level = "mark", team = "player" }
[boards.total.metrics]
points = { op = "sum", of = "points" }
runs = { op = "count" }
pace = { op = "average", of = "seconds", scale = 2 }

[boards.best]
sources = ["score", "adjustment"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc"]
metrics = { points = { op = "max", of = "points" } }

[boards.two]
sources = ["score", "adjustment"]
keep = { mode = "best", n = 2, by = "points" }
rank_by = ["points desc"]
qualify = { runs = { min = 2 } }
[boards.two.metrics]
points = { op = "sum", of = "points" }
runs = { op = "count", over = "all" }

[boards.capped]
sources = ["score", "adjustment"]
rank_by = ["points desc"]
metrics = { points = { op = "sum", of = "points", caps = [{ most = 12 }] } }

[boards.contests]
sources = ["race", "picks"]
rank_by = ["points desc"]
[boards.contests.metrics]
points = { op = "sum", of = "points" }
"""


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        yield stack


def run(id_: str, player: str, points: int, seconds: str, at: int, **attributes: Any) -> Fields:
    return {
        "id": id_,
        "type": "score",
        "player": player,
        "values": {"points": points, "seconds": seconds},
        "occurred_at": NOON + at * 60_000,
        "attributes": attributes or None,
    }


def without_none(event: Fields) -> Fields:
    return {name: value for name, value in event.items() if value is not None}


EVENTS = [
    without_none(event)
    for event in (
        {"id": "team", "type": "player", "player": "ann", "attributes": {"team": "red"}},
        run("a1", "ann", 5, "10.5", 0, level="one"),
        run("a2", "ann", 9, "8.5", 10),
        run("a3", "ann", 100, "1.0", 20),
        run("a4", "ann", 2, "9.5", 30, level="one"),
        run("b1", "bob", 13, "5.0", 5),
        run("b2", "bob", 0, "5.0", 6),
        run("c1", "cid", 20, "5.0", 7),
        {"id": "fix", "type": "adjustment", "player": "ann", "values": {"points": -3}, "reason": "left early"},
        {"id": "oops", "type": "void", "event": "a3", "reason": "the machine was broken"},
    )
]


async def explained(stack: Stack, board: str, player: str, query: str = "") -> Any:
    answer = await stack.get(f"/v1/games/arcade/boards/{board}/players/{player}/explain{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def place(stack: Stack, board: str, player: str, query: str = "") -> Any:
    return (await stack.get(f"/v1/games/arcade/boards/{board}/players/{player}{query}")).json


def given(page: Any, metric: str) -> list[Any]:
    return [part["gives"].get(metric) for part in page["parts"]]


async def test_the_parts_are_what_the_board_shows(stack: Stack) -> None:
    await stack.publish(*EVENTS)
    page = await explained(stack, "total", "ann")
    shown = await place(stack, "total", "ann")
    assert {line["metric"]: line["value"] for line in page["metrics"]} == shown["metrics"]
    assert shown["metrics"] == {"points": 13, "runs": 3, "pace": "9.50"}
    assert (page["rank"], page["total"], page["complete"], page["ruleset_version"]) == (3, 3, True, 1)
    assert [part["event"] for part in page["parts"]] == ["a1", "a2", "a4", "fix"]
    assert given(page, "points") == [5, 9, 2, -3]
    assert given(page, "runs") == [1, 1, 1, None]
    assert given(page, "pace") == ["10.5", "8.5", "9.5", None]
    assert [part["running"] for part in page["parts"]] == [5, 14, 16, 13]
    assert page["parts"][-1]["reason"] == "left early"
    assert page["parts"][0]["attributes"] == {"level": "one"}
    assert all(part["counts"] and part["position"].startswith("1.0.") for part in page["parts"])
    [void] = page["voided"]
    assert (void["event"], void["type"], void["voided_by"]) == ("a3", "score", "oops")
    assert (void["reason"], void["values"]) == ("the machine was broken", {"points": 100, "seconds": "1.0"})


async def test_the_neighbours_say_what_decides(stack: Stack) -> None:
    await stack.publish(*EVENTS)
    page = await explained(stack, "total", "ann")
    assert page["behind"] is None
    assert (page["ahead"]["player"], page["ahead"]["level_on"], page["ahead"]["decides"]) == ("bob", ["points"], "runs")
    assert page["ahead"]["words"] == "level on points; behind on runs 3-2"
    assert [line["value"] for line in page["criteria"]] == [13, 3, None]
    assert page["criteria"][2]["reached_at"].startswith("20")
    bob = await explained(stack, "total", "bob")
    assert bob["ahead"]["words"] == "behind on points 13-20"
    assert bob["behind"]["words"] == "level on points; ahead on runs 2-3"


async def test_pages_sum_up_what_they_leave_out(stack: Stack) -> None:
    await stack.publish(*EVENTS)
    page = await explained(stack, "total", "ann", "?limit=2")
    assert [part["number"] for part in page["parts"]] == [3, 4]
    assert page["older"] == {
        "marks": 2,
        "gives": {"points": 14, "runs": 2, "pace": "19.0"},
        "adjustments": {},
        "averaged": {"pace": 2},
    }
    assert page["newer"] is None
    rest = await explained(stack, "total", "ann", f"?limit=1&after={page['next']}")
    assert [part["event"] for part in rest["parts"]] == ["a2"]
    assert rest["older"]["gives"]["points"] == 5
    assert (rest["newer"]["gives"]["points"], rest["newer"]["adjustments"]) == (2, {"points": -3})
    assert rest["next"] == "2"
    last = await explained(stack, "total", "ann", "?limit=1&after=2")
    assert last["next"] is None


async def test_what_keep_drops_is_listed_and_does_not_count(stack: Stack) -> None:
    await stack.publish(*EVENTS)
    best = await explained(stack, "best", "ann")
    assert [part["counts"] for part in best["parts"]] == [False, True, False, True]
    assert (given(best, "points"), best["metrics"][0]["value"]) == ([None, 9, None, -3], 6)
    assert best["keep"] == "the best mark by points"
    two = await explained(stack, "two", "ann")
    assert given(two, "points") == [5, 9, None, -3]
    assert given(two, "runs") == [1, 1, 1, None]
    assert two["keep"] == "the best 2 marks by points"
    cid = await explained(stack, "two", "cid")
    assert (cid["rank"], cid["metrics"][0]["value"], cid["criteria"]) == (None, 20, [])


async def test_segments_and_caps(stack: Stack) -> None:
    await stack.publish(*EVENTS)
    capped = await explained(stack, "capped", "ann")
    assert (given(capped, "points")[:3], capped["complete"]) == ([5, 7, 0], True)
    for query in ("?segment=team:red", "?segment=level:one"):
        page = await explained(stack, "total", "ann", query)
        assert page["complete"], query
        shown = (await place(stack, "total", "ann", query))["metrics"]
        assert {line["metric"]: line["value"] for line in page["metrics"]} == shown
    level = await explained(stack, "total", "ann", "?segment=level:one")
    assert [part["event"] for part in level["parts"]] == ["a1", "a4"]


async def test_contests_tell_their_results_and_picks(stack: Stack) -> None:
    plan = {"id": "plan", "type": "fixture", "fixture": "final", "round": 3, "starts_at": NOON}
    lines = [{"player": who, "position": at} for at, who in enumerate(("bob", "ann"), 1)]
    first = {"id": "r1", "type": "result", "fixture": "final", "placements": lines, "outcomes": {"winner": ["bob"]}}
    ruling = {**first, "id": "r2", "revision": 2, "placements": lines[1:], "reason": "bob was disqualified"}
    pick = {"id": "p1", "type": "pick", "player": "ann", "fixture": "final", "choice": "bob"}
    late = {**pick, "id": "p2", "fixture": "nowhere"}
    await stack.publish(plan, pick, late, first, ruling)
    page = await explained(stack, "contests", "ann")
    assert page["metrics"][0]["value"] == (await place(stack, "contests", "ann"))["metrics"]["points"] == 10
    assert sorted(given(page, "points")) == [3, 7]
    for part in page["parts"]:
        assert (part["fixture"], part["round"], part["picks"]) == ("final", 3, ["p1"])
        assert [(line["event"], line["revision"], line["holds"]) for line in part["results"]] == [
            ("r1", 1, False),
            ("r2", 2, True),
        ]
        assert part["reason"] == "bob was disqualified"
    assert [part.get("verdict") for part in page["parts"] if part["gives"]["points"] == 7] == ["win"]
    assert [line["event"] for line in page["rejections"]] == ["p2"]
    await stack.publish({"id": "v", "type": "void", "event": "p1", "reason": "taken back"})
    page = await explained(stack, "contests", "ann")
    assert given(page, "points") == [3]
    assert [(line["event"], line["type"], line["reason"]) for line in page["voided"]] == [("p1", "pick", "taken back")]


async def test_who_is_not_shown_has_no_explanation(stack: Stack) -> None:
    await stack.publish(*EVENTS, {"id": "ban", "type": "player", "player": "bob", "status": "banned"})
    for path in ("total/players/bob", "total/players/nobody", "nothing/players/ann"):
        assert (await stack.get(f"/v1/games/arcade/boards/{path}/explain")).status == 404
    answer = await stack.get("/v1/games/arcade/boards/total/players/ann/explain?after=0")
    assert answer.status == 400


async def test_what_was_said_of_who_was_erased_explains_nobody_else(stack: Stack) -> None:
    await stack.publish(*EVENTS, {"id": "gone", "type": "player", "player": "ann", "status": "erased"})
    assert (await stack.get("/v1/games/arcade/boards/total/players/ann/explain")).status == 404
    await stack.publish(run("new", "ann", 1, "7.0", 60))
    page = await explained(stack, "total", "ann")
    assert ([part["event"] for part in page["parts"]], page["complete"]) == (["new"], True)
    assert page["voided"] == []


async def test_a_team_is_explained_by_what_its_players_did(stack: Stack) -> None:
    rules = """
    game = "teams"
    [metrics.points]
    [sources.score]
    origin = "score"
    entrant = "team"
    [boards.b]
    rank_by = ["points desc"]
    metrics = { points = { op = "sum", of = "points" } }
    """
    score = {"id": "s", "type": "score", "player": "ann", "values": {"points": 4}, "attributes": {"team": "red"}}
    await stack.publish(ruleset(rules), score, game="teams")
    page = (await stack.get("/v1/games/teams/boards/b/players/red/explain")).json
    assert (page["complete"], page["metrics"][0]["value"]) == (True, 4)
    assert [(part["event"], part["gives"]) for part in page["parts"]] == [("s", {"points": 4})]


DAYS = """
game = "days"
[metrics.points]
[boards.b]
rank_by = ["points desc"]
windows = [5]
metrics = { points = { op = "sum", of = "points" } }
[boards.s]
rank_by = ["days desc", "points desc"]
metrics.points = { op = "sum", of = "points" }
metrics.days = { op = "streak", where = { points = { min = 0 } }, per = "day" }
"""


async def test_what_time_takes_away_is_told(stack: Stack) -> None:
    day, now = 86_400_000, time.time_ns() // 1_000_000
    old, new = (
        {"id": id_, "type": "score", "player": "ann", "values": {"points": points}, "occurred_at": at}
        for id_, points, at in (("old", 3, now - 4 * day), ("new", 4, now))
    )
    await stack.publish(ruleset(DAYS), old, new, {"id": "t", "type": "tick", "at": now + 3 * day}, game="days")
    path = "/v1/games/days/boards/{}/players/ann{}"
    for board, query, values, events in (
        ("b", "", {"points": 7}, ["old", "new"]),
        ("b", "?period=last:5d", {"points": 4}, ["new"]),
        ("s", "", {"points": 7, "days": 0}, ["old", "new"]),
    ):
        page = (await stack.get(path.format(board, "/explain" + query))).json
        assert (await stack.get(path.format(board, query))).json["metrics"] == values
        assert {line["metric"]: line["value"] for line in page["metrics"]} == values
        assert ([part["event"] for part in page["parts"]], page["complete"]) == (events, True)
    assert [line.get("lapsed") for line in page["metrics"]] == [None, 1]
