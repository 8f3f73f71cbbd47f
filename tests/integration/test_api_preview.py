"""Previews: they write nothing, and what they say is what comes when the same is published."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from projections import generations, preview
from tests.integration.api_stack import Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
AT = 1_770_000_000_000

RULES = """
game = "arcade"
[metrics.points]
[metrics.bonus]

[sources.score]
origin = "score"
[sources.ruling]
origin = "adjustment"
[sources.race]
origin = "placements"
points = [25, 18, 15]
[sources.tip]
origin = "picks"
grades = [{ points = 3 }]

[boards.best]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc", "reached"]
periods = ["all", "daily"]
metrics = { points = { op = "max", of = "points" } }

[boards.total]
sources = ["score", "ruling"]
rank_by = ["points desc"]
ranks = "dense"
segments = { country = "player" }
[boards.total.metrics]
points = { op = "sum", of = "points" }
runs = { op = "count" }

[boards.cup]
sources = ["race"]
rank_by = ["points desc"]
periods = ["all", "round"]
metrics = { points = { op = "sum", of = "points" } }

[boards.tips]
sources = ["tip"]
rank_by = ["points desc"]
metrics = { points = { op = "sum", of = "points" } }
"""


def adjustment(id_: str, player: str, points: int, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "type": "adjustment", "player": player, "values": {"points": points}, "reason": "r", **fields}


def said(id_: str, type_: str, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "type": type_, **fields}


def race(id_: str, fixture: str, *order: str, revision: int = 1) -> dict[str, Any]:
    placements = [{"player": player, "position": at} for at, player in enumerate(order, 1)]
    return said(id_, "result", fixture=fixture, revision=revision, placements=placements)


FACTS = [
    *(score(f"s{n}", f"p{n % 9}", 100 + 37 * n % 50) for n in range(40)),
    score("top", "p3", 900),
    *(said(f"who{n}", "player", player=f"p{n}", attributes={"country": "NO" if n % 2 else "SE"}) for n in range(5)),
    said("name", "player", player="p3", name="Ada"),
    said("f1", "fixture", fixture="r1", round=1, starts_at="2099-01-01T10:00:00Z"),
    said("f2", "fixture", fixture="r2", round=2, starts_at="2099-01-08T10:00:00Z"),
    said("t1", "pick", player="p1", fixture="r2", choice="home"),
    said("t2", "pick", player="p2", fixture="r2", choice="away"),
    race("x1", "r1", "p1", "p2", "p3", revision=2),
    said("x2", "result", fixture="r2", revision=1, outcomes={"winner": ["home"]}),
    said("hide", "player", player="p8", status="hidden"),
    said("v0", "void", event="s7", reason="r"),
]

CHANGES: dict[str, list[dict[str, Any]]] = {
    "a score": [score("n1", "p5", 950)],
    "a new player": [score("n1", "new", 130)],
    "a score that changes little": [score("n1", "p0", 1)],
    "the best run is voided": [said("n1", "void", event="top", reason="r")],
    "voided again": [said("n1", "void", event="s7", reason="r")],
    "reinstated": [said("n1", "reinstate", event="s7", reason="r")],
    "a void of what comes before it here": [score("n1", "p5", 950), said("n2", "void", event="n1", reason="r")],
    "a void of what nobody has seen": [said("n1", "void", event="unseen", reason="r")],
    "an adjustment": [adjustment("n1", "p1", -150)],
    "adjustments of two": [adjustment("n1", "p1", -150), adjustment("n2", "p2", 30), adjustment("n3", "p1", 5)],
    "another order of arrival": [race("n1", "r1", "p3", "p2", "p1", revision=3)],
    "a lower revision": [race("n1", "r1", "p3", "p2", "p1")],
    "other winners": [said("n1", "result", fixture="r2", revision=2, outcomes={"winner": ["away"]})],
    "a result is voided": [said("n1", "void", event="x1", reason="r")],
    "a pick is voided": [said("n1", "void", event="t1", reason="r")],
    "banned": [said("n1", "player", player="p3", status="banned")],
    "hidden": [said("n1", "player", player="p3", status="hidden")],
    "shown again": [said("n1", "player", player="p8", status="active")],
    "of another country": [said("n1", "player", player="p3", attributes={"country": "SE"})],
    "all at once": [
        score("n1", "p5", 950),
        said("n2", "void", event="top", reason="r"),
        race("n3", "r1", "p4", "p2", revision=3),
        said("n4", "player", player="p2", status="banned"),
        adjustment("n5", "p6", 40),
    ],
}
VIEWS = [
    ("best", "all", ""),
    ("best", "daily:2026-02-02", ""),
    ("total", "all", ""),
    ("total", "all", "country:NO"),
    ("total", "all", "country:SE"),
    ("cup", "all", ""),
    ("cup", "round:1", ""),
    ("tips", "all", ""),
]
Boards = dict[tuple[str, str, str], dict[str, tuple[int, Any]]]


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        await stack.publish(*FACTS)
        yield stack


async def boards(stack: Stack, views: list[tuple[str, str, str]] = VIEWS) -> Boards:
    """Rank and metrics of everybody on every board, as anybody reads them."""
    found: Boards = {}
    for board, period, segment in views:
        path = f"/v1/games/arcade/boards/{board}?period={period}&limit=1000" + (
            f"&segment={segment}" if segment else ""
        )
        page = (await stack.get(path)).json
        found[board, period, segment] = {line["player"]: (line["rank"], line["metrics"]) for line in page["entries"]}
    return found


def differences(before: Boards, after: Boards) -> dict[tuple[str, str, str, str], tuple[Any, Any]]:
    return {
        (*name, player): (was.get(player), now.get(player))
        for (name, was), now in zip(before.items(), after.values(), strict=True)
        for player in was.keys() | now.keys()
        if was.get(player) != now.get(player)
    }


def previewed(answer: Any) -> dict[tuple[str, str, str, str], tuple[Any, Any]]:
    def place(standing: Any) -> Any:
        return None if standing is None else (standing["rank"], standing["metrics"])

    return {
        (one["board"], one["period"], one["segment"], one["player"]): (place(one["before"]), place(one["after"]))
        for one in answer["changes"]
    }


async def everything(stack: Stack) -> dict[str, Any]:
    """All that is stored anywhere, but for what other processes tell about themselves."""
    tables = await stack.pool.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    held: dict[str, Any] = {}
    for (table,) in tables:
        if table not in ("jobs", "consumers", "leases"):
            held[table] = await stack.pool.fetchval(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t"
            )
    for redis, name in ((stack.log, "log"), (stack.rankings, "rankings")):
        for key in sorted(await redis.keys("*")):
            held[f"{name} {key!r}"] = await redis.dump(key)
    return held


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_previewed_is_what_comes(stack: Stack, change: str) -> None:
    before, held = await boards(stack), await everything(stack)
    answer = await stack.post("/v1/games/arcade/preview", {"events": CHANGES[change], "limit": 10_000})
    assert answer.status == 200, answer.body
    assert await everything(stack) == held
    assert await boards(stack) == before
    await stack.publish(*CHANGES[change])
    expected = differences(before, await boards(stack))
    assert previewed(answer.json) == expected
    assert answer.json["total"] == len(expected)


async def test_the_list_is_cut_and_ordered(stack: Stack) -> None:
    events = [score("n1", "p5", 950)]
    whole = (await stack.post("/v1/games/arcade/preview", {"events": events})).json
    keys = [(one["board"], one["period"], one["segment"], one["after"]["rank"]) for one in whole["changes"]]
    assert keys == sorted(keys)
    own = [one for one in whole["changes"] if one["changed"]]
    assert {one["player"] for one in own} == {"p5"}
    assert next(one["name"] for one in whole["changes"] if one["player"] == "p3") == "Ada"
    few = (await stack.post("/v1/games/arcade/preview", {"events": events, "limit": len(own)})).json
    assert (few["changes"], few["total"]) == (own, whole["total"])
    one_board = (await stack.post("/v1/games/arcade/preview", {"events": events, "board": "total"})).json
    assert one_board["changes"] == [one for one in whole["changes"] if one["board"] == "total"]


async def test_what_would_not_count_is_said(stack: Stack) -> None:
    events = [
        score("s1", "p5", 5_000),
        said("n1", "void", event="hide", reason="r"),
        said("n2", "pick", player="p1", fixture="nowhere", choice="home"),
    ]
    answer = (await stack.post("/v1/games/arcade/preview", {"events": events})).json
    assert {problem["event"] for problem in answer["problems"]} == {"s1", "n1", "n2"}
    assert (answer["changes"], answer["total"]) == ([], 0)


async def test_much_is_a_job(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = await stack.post("/v1/games/arcade/preview", {"events": [score("n1", "p5", 950)]})
    rules = RULES.replace("25, 18, 15", "10, 9, 1")
    rules_at_once = await stack.post("/v1/games/arcade/preview", {"ruleset": rules})
    # Ten places are too much for events; the archive's events are too many for rules.
    monkeypatch.setattr(preview, "ROWS_MAX", 10)
    for body, expected in (({"events": [score("n1", "p5", 950)]}, at_once), ({"ruleset": rules}, rules_at_once)):
        answer = await stack.post("/v1/games/arcade/preview", body)
        assert answer.status == 202
        assert answer.headers["Location"] == f"/v1/jobs/{answer.json['job']}"

        async def done(path: str = answer.headers["Location"]) -> Any:
            told = (await stack.get(path)).json
            return told if told["state"] != "running" else None

        told = await eventually(done)
        assert told["state"] == "done", told
        assert told["result"] == expected.json


NEW_RULES = {
    "other points": RULES.replace("25, 18, 15", "10, 9, 1"),
    "another order": RULES.replace(
        'rank_by = ["points desc"]\nranks = "dense"', 'rank_by = ["runs desc", "points asc"]'
    ),
    "shared ranks": RULES.replace('ranks = "dense"', 'ranks = "modified"'),
    "the same": RULES + "\n# a remark\n",
}


@pytest.mark.parametrize("change", NEW_RULES)
async def test_rules_that_are_previewed_are_those_that_come(stack: Stack, change: str) -> None:
    before, held = await boards(stack), await everything(stack)
    answer = await stack.post("/v1/games/arcade/preview", {"ruleset": NEW_RULES[change], "limit": 10_000})
    assert answer.status == 200, answer.body
    assert await everything(stack) == held
    await stack.publish(ruleset(NEW_RULES[change], 2))
    generation = await generations.begin(stack.pool, "arcade")
    await generations.build(stack.pool, stack.rankings, generation, lambda done, total: None, to="live")

    async def swapped() -> bool:
        return bool((await stack.get("/v1/games/arcade")).json["ruleset_version"] == 2)

    await eventually(swapped)
    expected = differences(before, await boards(stack))
    assert previewed(answer.json) == expected
    assert answer.json["total"] == len(expected)


async def test_boards_that_come_and_go_are_said(stack: Stack) -> None:
    rules = RULES.replace("[boards.cup", "[boards.grand-prix")
    answer = (await stack.post("/v1/games/arcade/preview", {"ruleset": rules})).json
    assert (answer["boards_added"], answer["boards_gone"], answer["changes"]) == (["grand-prix"], ["cup"], [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "events"),
        ({"events": [], "ruleset": RULES}, "events"),
        ({"events": []}, "events"),
        ({"events": [score("n1", "p1", 5)], "limit": 0}, "limit"),
        ({"events": [score("n1", "p1", 5)], "limit": "x"}, "body"),
        ({"events": [score("n1", "p1", 5)], "unknown": 1}, "body"),
        ({"events": [score("n1", "", 5)]}, "player"),
        ({"events": [score("n1", "p1", 5), score("n2", "p1", 5) | {"values": {"goals": 1}}]}, "values.goals"),
        ({"events": [said("n1", "player", player="p1", status="erased")]}, "status"),
        ({"events": [ruleset(RULES, 2)]}, "type"),
        ({"ruleset": RULES.replace("rank_by", "rank_bye")}, "boards.best.rank_bye"),
        ({"ruleset": "game = "}, ""),
    ],
)
async def test_bad_questions_name_field_and_rule(stack: Stack, body: dict[str, Any], field: str) -> None:
    answer = await stack.post("/v1/games/arcade/preview", body)
    assert answer.status == 400, answer.body
    assert any(problem["field"].startswith(field) for problem in answer.json["problems"]), answer.json
    assert "appended" not in answer.json["detail"]


async def test_what_is_not_there(stack: Stack) -> None:
    body = {"events": [score("n1", "p1", 5)]}
    assert (await stack.post("/v1/games/nowhere/preview", body)).status == 404
    assert (await stack.post("/v1/games/arcade/preview", body | {"board": "nowhere"})).status == 404


def test_the_bound_is_the_one_that_is_documented() -> None:
    assert preview.ROWS_MAX == 200_000
