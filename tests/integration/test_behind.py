"""What is behind the places as of an instant: explanations and statistics are given again, and their parts make the places."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api_stack import Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]
[sources.runs]
origin = "score"
[sources.rulings]
origin = "adjustment"
[sources.picks]
origin = "picks"
lock = { at = "never" }
grades = [{ points = 3 }]
[boards.total]
sources = ["runs", "rulings"]
rank_by = ["points desc"]
periods = ["all", "round"]
[boards.total.metrics]
points = { op = "sum", of = "points" }
runs = { op = "count" }
[boards.best]
sources = ["runs"]
keep = { mode = "best", by = "points", n = 2 }
rank_by = ["points desc"]
segments = { country = "player", level = "mark" }
movement = "round"
[boards.best.metrics]
points = { op = "sum", of = "points" }
[boards.regulars]
sources = ["runs"]
rank_by = ["points desc"]
qualify = { runs = { min = 3 } }
[boards.regulars.metrics]
points = { op = "max", of = "points" }
runs = { op = "count" }
[boards.picks]
sources = ["picks", "rulings"]
rank_by = ["points desc"]
periods = ["all", "round"]
[boards.picks.metrics]
points = { op = "sum", of = "points" }
right = { op = "count", where = { verdict = "win" } }
[boards.week]
sources = ["runs"]
rank_by = ["points desc"]
windows = [2]
[boards.week.metrics]
points = { op = "sum", of = "points" }
"""
GAME = "/v1/games/arcade"
BOARDS = ("total", "best", "regulars", "picks")
PLAYERS = [f"p{number}" for number in range(5)]
PATHS = [
    f"{GAME}/boards/{board}/players/{player}/explain?limit=1000&view=public" for board in BOARDS for player in PLAYERS
]
PATHS += [f"{GAME}/boards/best/players/{player}/explain?segment=country:NO&view=public" for player in PLAYERS[:2]]
PATHS += [f"{GAME}/players/{player}/stats?board={board}&view=public" for board in BOARDS for player in PLAYERS[:2]]
ASKED = ("known_at", "request_id", "frozen", "effective_at", "rejections")


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        yield stack


class Said:
    """Events of every kind that changes what is behind a place."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        self.ids: list[str] = []
        self.fixtures = 0

    def take(self, stack: Stack, count: int) -> list[dict[str, Any]]:
        return [self._one(stack) for _ in range(count)]

    def _one(self, stack: Stack) -> dict[str, Any]:
        chance = self.random
        self.count += 1
        kind, player, id_ = chance.random(), chance.choice(PLAYERS), f"e{self.count}"
        fixture = f"m{chance.randrange(max(1, self.fixtures))}"
        if kind < 0.08:
            status = chance.choice(["hidden", "active", "active", "banned"])
            country = chance.choice(["NO", "DE"])
            return {"id": id_, "type": "player", "player": player, "status": status, "attributes": {"country": country}}
        if kind < 0.2 and self.ids:
            type_ = chance.choice(["void", "void", "reinstate"])
            return {"id": id_, "type": type_, "event": chance.choice(self.ids), "reason": "wrong"}
        if kind < 0.3 or not self.fixtures:
            self.fixtures += 1
            far = 4_000_000_000_000
            fixture = f"m{self.fixtures - 1}"
            return {"id": id_, "type": "fixture", "fixture": fixture, "round": self.fixtures % 3, "starts_at": far}
        self.ids.append(id_)
        if kind < 0.5:
            return {
                "id": id_,
                "type": "pick",
                "player": player,
                "fixture": fixture,
                "choice": chance.choice(["a", "b"]),
            }
        if kind < 0.6:
            revision, outcomes = self.count, {"winner": [chance.choice(["a", "b"])]}
            outcome = {"revision": revision, "status": "final", "outcomes": outcomes}
            return {"id": id_, "type": "result", "fixture": fixture, **outcome}
        if kind < 0.65:
            values = {"points": chance.randrange(-5, 5)}
            return {"id": id_, "type": "adjustment", "player": player, "values": values, "reason": "ruled", "round": 1}
        level = {"level": str(chance.randrange(2))}
        return score(id_, player, chance.randrange(12), round=chance.randrange(3), attributes=level)


def bare(answer: Any) -> Any:
    """What an answer says, but for what it was asked, and the titles of nobody's own."""
    value = answer.json
    return answer.status, {name: held for name, held in value.items() if name not in ASKED}


async def record(stack: Stack, more: str = "") -> dict[str, Any]:
    found = {}
    for path in PATHS:
        answer = await stack.get(path + more)
        assert answer.status in (200, 404), (path, answer.body)
        found[path] = bare(answer)
    return found


async def sums(stack: Stack, more: str) -> int:
    """The parts of every explanation make the place that is displayed at the same instant; how many were looked at."""
    count = 0
    for board in BOARDS:
        for player in PLAYERS:
            path = f"{GAME}/boards/{board}/players/{player}"
            place, why = await stack.get(f"{path}?{more}"), await stack.get(f"{path}/explain?limit=1000&{more}")
            if place.status == 404:
                assert why.status == 404 or why.json["rank"] is None, why.body
                continue
            count += 1
            page = why.json
            assert page["complete"], page
            assert {line["metric"]: line["value"] for line in page["metrics"]} == place.json["metrics"]
            assert (page["rank"], page["total"]) == (place.json["rank"], place.json["total"])
            gives = [part["gives"]["points"] for part in page["parts"] if "points" in part["gives"] and part["counts"]]
            if board != "regulars":
                assert sum(gives) == place.json["metrics"]["points"], page
    return count


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_was_behind_the_places_is_told_again(stack: Stack, seed: int) -> None:
    said = Said(seed)
    then: dict[str, dict[str, Any]] = {}
    for _ in range(5):
        await stack.publish(*said.take(stack, 14))
        then[(await stack.get(f"{GAME}/boards/total")).json["position"]] = await record(stack)
    for position, answers in then.items():
        now = await record(stack, f"&known_at={position}")
        for path, answer in answers.items():
            assert _told(now[path]) == _told(answer), (path, position)
        assert await sums(stack, f"known_at={position}") > 3
    frozen = await record(stack)
    await stack.publish({"id": "f", "type": "freeze"})
    await stack.publish(*said.take(stack, 14))
    held = await record(stack)
    for path, answer in frozen.items():
        assert _told(held[path]) == _told(answer), path
    assert await sums(stack, "view=public") > 3


def _told(answer: tuple[int, Any]) -> Any:
    """An answer but for names, standing and who decided later: those are of now."""
    status, page = answer
    if status != 200:
        return status
    return {name: held for name, held in page.items() if name not in ("position", "status", "name", "hidden")}


async def test_what_was_true_adds_up_at_every_instant(stack: Stack) -> None:
    said = Said(3)
    positions = []
    for _ in range(4):
        positions.append((await stack.publish(*said.take(stack, 15)))["position"])
    await stack.publish(*said.take(stack, 15))
    for position in positions:
        assert await sums(stack, f"effective_at={position}") > 3
    statistics = (await stack.get(f"{GAME}/players/p1/stats?board=total&effective_at={positions[-1]}")).json
    place = (await stack.get(f"{GAME}/boards/total/players/p1?effective_at={positions[-1]}")).json
    assert (statistics["totals"], statistics["rank"]) == (place["metrics"], place["rank"])
    assert statistics["effective_at"] == positions[-1]


async def test_a_round_that_was_frozen_before_tells_nothing_newer(stack: Stack) -> None:
    await stack.publish(score("e1", "p1", 5, round=1), score("e2", "p2", 9, round=1))
    await stack.publish({"id": "f1", "type": "freeze", "board": "total", "period": "round:1"})
    await stack.publish(score("e3", "p1", 50, round=1), score("e4", "p3", 50, round=1), score("e5", "p1", 1, round=2))
    path = f"{GAME}/players/p1/stats?board=total"

    async def lines(more: str) -> Any:
        return {
            line["round"]: (line["rank"], line["metrics"]["points"])
            for line in (await stack.get(path + more)).json["rounds"]
        }

    assert await lines("") == {1: (2, 5), 2: (1, 1)}
    await stack.publish({"id": "f2", "type": "freeze", "board": "total"})
    await stack.publish(score("e6", "p1", 100, round=2))
    now = (await stack.get(f"{GAME}/boards/other")).headers
    assert now is not None
    assert await lines("") == {1: (2, 5), 2: (1, 1)}
    assert await lines("&view=official") == {1: (1, 55), 2: (1, 101)}
    assert (await stack.get(f"{GAME}/players/p3/stats?board=total")).json["rounds"] == []


async def test_who_was_erased_later_is_not_explained(stack: Stack) -> None:
    sent = await stack.publish(score("e1", "p1", 5), score("e2", "p1", 5), score("e3", "p1", 2), score("e4", "p2", 1))
    await stack.publish({"id": "x", "type": "player", "player": "p1", "status": "erased"})
    for board in BOARDS[:3]:
        path = f"{GAME}/boards/{board}/players/p1/explain?known_at={sent['position']}"
        assert (await stack.get(path)).status == 404
    assert (await stack.get(f"{GAME}/players/p1/stats?board=regulars&known_at={sent['position']}")).status == 404


async def test_a_large_game_answers_with_a_job(database_url: str, redis_log_url: str, redis_rankings_url: str) -> None:
    async with running(database_url, redis_log_url, redis_rankings_url, fold_events_max=3) as stack:
        far = 4_000_000_000_000
        await stack.publish(
            ruleset(RULES), {"id": "m", "type": "fixture", "fixture": "m", "round": 1, "starts_at": far}
        )
        await stack.publish({"id": "p", "type": "pick", "player": "p1", "fixture": "m", "choice": "a"})
        outcomes = {"revision": 1, "status": "final", "outcomes": {"winner": ["a"]}}
        await stack.publish({"id": "r", "type": "result", "fixture": "m", **outcomes}, score("s", "p1", 5))
        await stack.publish({"id": "f", "type": "freeze"})
        await stack.publish({"id": "v", "type": "void", "event": "p", "reason": "no"}, score("t", "p1", 6))
        own = await stack.get(f"{GAME}/boards/total/players/p1/explain")
        assert (own.status, len(own.json["parts"])) == (200, 1), own.body
        accepted = await stack.get(f"{GAME}/boards/picks/players/p1/explain")
        assert accepted.status == 202, accepted.body

        async def done() -> Any:
            told = (await stack.get(accepted.headers["Location"])).json
            return told if told["state"] != "running" else None

        told = await eventually(done)
        assert told["result"]["parts"][0]["picks"] == ["p"]
        assert (await stack.get(f"{GAME}/boards/picks/players/p1/explain")).json["metrics"][0]["value"] == 3
