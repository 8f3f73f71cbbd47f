"""A player's season over HTTP: numbers that were worked out by hand, who is hidden, pages, and how many queries it takes."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer

from api.app import make_app
from projections.database import queries
from tests.integration.api_stack import Stack, ruleset, running

pytestmark = pytest.mark.services
Fields = dict[str, Any]


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        yield stack


async def stats(stack: Stack, game: str, player: str, query: str = "") -> Any:
    answer = await stack.get(f"/v1/games/{game}/players/{player}/stats{query}")
    assert answer.status == 200, answer.body
    return answer.json


CUP = """
game = "cup"
seasons = [{ id = "2030", first = "2030-01-01", last = "2030-12-31" }]
[metrics.points]
[sources.winner]
origin = "picks"
grades = [{ points = 3 }]
wrong = -1
void = "zero"
[sources.score]
origin = "score"

[boards.main]
sources = ["winner"]
rank_by = ["points desc"]
periods = ["round", "all"]
segments = { kind = "mark", team = "player" }
badges = { two = { where = { points = { min = 2 } }, title = "Two" } }
[boards.main.metrics]
points = { op = "sum", of = "points" }

[boards.sharp]
sources = ["winner"]
rank_by = ["share desc", "points desc"]
periods = ["season", "round"]
qualify = { graded = { min = 3 } }
[boards.sharp.metrics]
points = { op = "sum", of = "points" }
wins = { op = "count", where = { verdict = "win" } }
graded = { op = "count", where = { verdict = ["win", "loss"] } }
share = { op = "ratio", of = "wins", by = "graded", scale = 4 }

[boards.runs]
sources = ["score"]
rank_by = ["points asc"]
periods = ["all", "round"]
[boards.runs.metrics]
points = { op = "sum", of = "points" }
"""
BACKGROUND = ("catalog", "told", "rankings_after", "rankings_of", "ruleset_texts", "shards")
OF_READERS = {
    text
    for name in ("reader", "statistics", "badges", "contests")
    for query, text in queries(name).items()
    if query not in BACKGROUND
}
"""What answers ask PostgreSQL, without what is asked in the background; asyncpg and the pool ask things of their own."""

PLAYED = {"f1": 1, "f2": 1, "g1": 2, "g2": 2, "h1": "final"}


def result(fixture: str, winner: str | None = None, revision: int = 1, **fields: Any) -> Fields:
    outcomes = {} if winner is None else {"outcomes": {"winner": [winner]}}
    return {
        "type": "result",
        "id": f"{fixture}-{revision}",
        "fixture": fixture,
        "revision": revision,
        **outcomes,
        **fields,
    }


def run(number: int, player: str, round_: int, points: int) -> Fields:
    values = {"points": points}
    return {"type": "score", "id": f"run-{number}", "player": player, "round": round_, "values": values}


async def play_cup(stack: Stack) -> None:
    """Round 1: red wins, a push. Round 2: blue wins, a void. The final is still to be played."""
    fixtures = [
        {
            "type": "fixture",
            "id": name,
            "fixture": name,
            "round": round_,
            "starts_at": f"2030-02-0{at + 1}T20:00:00Z",
            "attributes": {"kind": "cup" if name in ("f1", "h1") else "league"},
        }
        for at, (name, round_) in enumerate(PLAYED.items())
    ]
    chosen = {
        "ann": dict.fromkeys(PLAYED, "red"),
        "bob": {"f1": "blue", "f2": "red", "g1": "blue"},
        "cid": {"h1": "x"},
    }
    picks = [
        {"type": "pick", "id": f"{who}-{name}", "player": who, "fixture": name, "choice": choice}
        for who, choices in chosen.items()
        for name, choice in choices.items()
    ]
    results = [result("g1", "blue"), result("f1", "red"), result("f2", status="push"), result("g2", status="void")]
    await stack.publish(ruleset(CUP), *fixtures, *picks, *results, game="cup")


ANN = {
    "game": "cup",
    "player": "ann",
    "status": "active",
    "board": "main",
    "period": "all",
    "rank": 1,
    "tied": 2,
    "total": 2,
    "totals": {"points": 2},
    "wins": 1,
    "losses": 1,
    "draws": 0,
    "pushes": 1,
    "voids": 1,
    "pending": 1,
    "percentage": "0.5000",
    "best": {"round": 1, "period": "round:1", "rank": 1, "tied": 1, "total": 2, "metrics": {"points": 3}},
    "worst": {"round": 2, "period": "round:2", "rank": 2, "tied": 1, "total": 2, "metrics": {"points": -1}},
    "streaks": {"win": 0, "longest_win": 1, "loss": 1, "longest_loss": 1},
    "next": None,
}


async def test_every_number_as_it_was_worked_out_by_hand(stack: Stack) -> None:
    await play_cup(stack)
    answer = await stats(stack, "cup", "ann")
    assert answer["rounds"] == [ANN["best"], ANN["worst"]]
    assert [(badge["badge"], badge["title"]) for badge in answer["badges"]] == [("two", "Two")]
    earned = await stack.pool.fetch(
        "SELECT player, ms, seq FROM badges WHERE board = 'main' AND period = 'all' ORDER BY player"
    )
    assert [row["player"] for row in earned] == ["ann", "bob"]
    assert answer["badges"][0]["position"] == f"1.0.{earned[0]['ms']}-{earned[0]['seq']}"
    assert answer["badges"][0]["occurred_at"].endswith("Z")
    assert {name: answer[name] for name in ANN} == ANN
    assert "hidden" not in answer
    bob = await stats(stack, "cup", "bob")
    assert (bob["totals"], bob["wins"], bob["pending"], len(bob["badges"])) == ({"points": 2}, 1, 0, 1)
    assert "movement" not in answer
    # Who has only picked so far has no place, but something to wait for.
    cid = await stats(stack, "cup", "cid")
    assert (cid["rank"], cid["totals"], cid["wins"], cid["pending"], cid["percentage"]) == (None, None, 0, 1, None)
    assert (cid["best"], cid["worst"], cid["rounds"]) == (None, None, [])
    cup = await stats(stack, "cup", "ann", "?segment=kind:cup")
    assert (cup["totals"], cup["wins"], cup["losses"], cup["pending"]) == ({"points": 3}, 1, 0, 1)
    assert ([line["round"] for line in cup["rounds"]], cup["segment"]) == ([1], "kind:cup")
    # Among his team he is alone; his marks are those of the whole board.
    await stack.publish({"type": "player", "id": "p1", "player": "ann", "attributes": {"team": "a"}}, game="cup")
    team = await stats(stack, "cup", "ann", "?segment=team:a")
    alone = {"rank": 1, "tied": 1, "total": 1}
    assert {name: team[name] for name in ANN} == {
        **ANN,
        **alone,
        "best": ANN["best"] | alone,
        "worst": ANN["worst"] | alone,
    }
    assert (await stats(stack, "cup", "bob", "?segment=team:a"))["rank"] is None


async def test_a_result_that_is_settled_again_changes_everything_that_follows_from_it(stack: Stack) -> None:
    await play_cup(stack)
    await stack.publish(result("g1", "red", 3), result("g1", "blue", 2), result("h1", "red"), game="cup")
    ann = await stats(stack, "cup", "ann")
    assert (ann["rank"], ann["tied"], ann["total"], ann["totals"]) == (1, 1, 3, {"points": 9})
    assert (ann["wins"], ann["losses"], ann["pending"], ann["percentage"]) == (3, 0, 0, "1.0000")
    assert ann["streaks"] == {"win": 3, "longest_win": 3, "loss": 0, "longest_loss": 0}
    assert [(line["round"], line["rank"], line["metrics"]["points"]) for line in ann["rounds"]] == [
        (1, 1, 3),
        (2, 1, 3),
        ("final", 1, 3),
    ]
    # All three are level: the first is the best and the worst one.
    assert (ann["best"], ann["worst"]) == (ann["rounds"][0], ann["rounds"][0])
    bob = await stats(stack, "cup", "bob")
    assert (bob["rank"], bob["totals"], bob["losses"], bob["percentage"]) == (3, {"points": -2}, 2, "0.0000")


async def test_the_same_out_of_postgresql(stack: Stack) -> None:
    await play_cup(stack)
    await stack.publish({"type": "player", "id": "p1", "player": "bob", "status": "hidden"}, game="cup")
    before = [await stats(stack, "cup", player, "?limit=1") for player in ("ann", "bob", "cid")]
    await stack.pause()
    await stack.rankings.flushall()
    after = [await stats(stack, "cup", player, "?limit=1") for player in ("ann", "bob", "cid")]
    assert before == after


async def test_who_is_hidden_or_banned(stack: Stack) -> None:
    await play_cup(stack)
    before = await stats(stack, "cup", "ann")
    await stack.publish(
        {"type": "player", "id": "p1", "player": "ann", "status": "hidden", "name": "Ann A."}, game="cup"
    )
    hidden = await stats(stack, "cup", "ann")
    assert {**before, "position": "", "status": "hidden", "hidden": True, "name": "Ann A."} == {
        **hidden,
        "position": "",
    }
    assert (await stats(stack, "cup", "bob"))["total"] == 1
    await stack.publish({"type": "player", "id": "p2", "player": "ann", "status": "banned"}, game="cup")
    banned = await stats(stack, "cup", "ann")
    assert (banned["status"], banned["rank"], banned["totals"], banned["wins"]) == ("banned", None, None, None)
    assert (banned["pending"], banned["streaks"], banned["rounds"]) == (0, {}, [])
    assert "badges" not in banned
    await stack.publish({"type": "player", "id": "p3", "player": "ann", "status": "active"}, game="cup")
    assert {**await stats(stack, "cup", "ann"), "position": ""} == {**before, "position": "", "name": "Ann A."}


async def test_who_does_not_qualify_sees_what_he_has(stack: Stack) -> None:
    await play_cup(stack)
    ann = await stats(stack, "cup", "ann", "?board=sharp&period=season:2030")
    assert (ann["period"], ann["rank"], ann["total"]) == ("season:2030", None, None)
    assert ann["totals"] == {"points": 2, "wins": 1, "graded": 2, "share": "0.5000"}
    assert [(line["round"], line["rank"], line["metrics"]["share"]) for line in ann["rounds"]] == [
        (1, None, "1.0000"),
        (2, None, "0.0000"),
    ]
    assert (ann["best"]["round"], ann["worst"]["round"], ann["pending"]) == (1, 2, 1)
    await stack.publish(result("h1", "blue"), game="cup")
    ann = await stats(stack, "cup", "ann", "?board=sharp&period=season:2030")
    assert (ann["rank"], ann["total"], ann["totals"]["share"]) == (1, 1, "0.3333")
    # It is the season that is shown by default: none is running, and no other has begun.
    assert (await stats(stack, "cup", "ann", "?board=sharp")) == ann
    # In a season of another year he has nothing.
    other = await stats(stack, "cup", "ann", "?board=sharp&period=season:2031")
    assert (other["totals"], other["rounds"], other["wins"]) == (None, [], 0)


async def test_rounds_of_scores_come_in_pages(stack: Stack) -> None:
    await play_cup(stack)
    points = {11: 5, 9: 7, 10: 5, 2: 7}
    await stack.publish(*(run(at, "dan", round_, of) for at, (round_, of) in enumerate(points.items())), game="cup")
    whole = await stats(stack, "cup", "dan", "?board=runs")
    assert [(line["round"], line["metrics"]["points"]) for line in whole["rounds"]] == [
        (2, 7),
        (9, 7),
        (10, 5),
        (11, 5),
    ]
    assert (whole["best"]["round"], whole["worst"]["round"]) == (10, 2)
    assert (whole["wins"], whole["percentage"], whole["streaks"], whole["pending"]) == (None, None, {}, 0)
    seen, after = [], ""
    while after is not None:
        page = await stats(stack, "cup", "dan", f"?board=runs&limit=3{after and '&after=' + after}")
        seen += page["rounds"]
        after = page["next"]
        assert (page["best"], page["worst"]) == (whole["best"], whole["worst"])
    assert seen == whole["rounds"]


async def test_what_does_not_exist_or_cannot_be(stack: Stack) -> None:
    await play_cup(stack)
    for path in ("cup/players/nobody", "chess/players/ann", "cup/players/ann/stats?board=nope"):
        answer = await stack.get(f"/v1/games/{path}" + ("" if "?" in path else "/stats"))
        assert (answer.status, answer.json["type"].rpartition("/")[2]) == (404, "not-found")
    wrong = ["limit=0", "after=round:9", "period=round:1", "segment=x", "segment=kind", "min_position=x", "q=1"]
    for query in wrong:
        answer = await stack.get(f"/v1/games/cup/players/ann/stats?{query}")
        assert answer.status == 400, query


async def test_the_number_of_queries_depends_on_nothing(stack: Stack, database_url: str) -> None:
    await play_cup(stack)
    await stack.publish(run(0, "dan", 0, 1), game="cup")
    asked: list[str] = []
    pool = await asyncpg.create_pool(database_url, min_size=1, init=lambda one: count(one, asked))

    async def needed(client: TestClient[Any, Any], path: str) -> list[str]:
        asked.clear()
        async with client.get(f"/v1/games/cup/players/{path}") as response:
            assert response.status == 200
        return [text for text in asked if text in OF_READERS]

    app = make_app(pool, stack.log, stack.rankings)
    try:
        async with TestClient(TestServer(app, access_log=None)) as client:
            paths = ("dan/stats?board=runs&limit=1000", "ann/stats", "ann/stats?board=sharp&period=season:2030")
            few = [len(await needed(client, path)) for path in paths]
            many = [run(1 + at, f"p{at % 20}" if at % 2 else "dan", at, at) for at in range(600)]
            await stack.publish(*many, game="cup")
            assert len((await stats(stack, "cup", "dan", "?board=runs&limit=1000"))["rounds"]) == 300
            assert [len(await needed(client, path)) for path in paths] == few
            assert max(few) <= 6
            # One more while Redis does not have the rankings.
            await stack.pause()
            await stack.rankings.flushall()
            assert [len(await needed(client, path)) for path in paths[:2]] == [few[0] + 1, few[1] + 1]
    finally:
        await pool.close()


async def count(connection: asyncpg.Connection, asked: list[str]) -> None:
    connection.add_query_logger(lambda record: asked.append(record.query))
