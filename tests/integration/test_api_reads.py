"""Reading over HTTP, against real databases: pages, places, ties, history, and what happens while Redis is empty."""

import json
import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from projections.names import applied_key, ranking_keys
from schemas.position import Position
from tests.integration.api_stack import Answer, Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
BOARD = "/v1/games/arcade/boards/best"
PLAYERS = f"{BOARD}/players/"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset())
        yield stack


async def tied_scores(stack: Stack, count: int = 57) -> dict[str, int]:
    """Scores with many ties, published; by player."""
    chance = random.Random(1)
    scores = {f"p{number:03d}": chance.randrange(12) for number in range(count)}
    await stack.publish(*(score(f"e-{player}", player, points) for player, points in scores.items()))
    return scores


def standings(scores: dict[str, int]) -> list[tuple[int, str, int, bool]]:
    """(rank, player, points, tied) from the plain definition of competition ranks."""
    values = list(scores.values())
    return sorted(
        (1 + sum(value > points for value in values), player, points, values.count(points) > 1)
        for player, points in scores.items()
    )


def lines(page: Any) -> list[tuple[int, str, int, bool]]:
    return [(line["rank"], line["player"], line["metrics"]["points"], line["tied"]) for line in page["entries"]]


def same_but_position(one: Answer, other: Answer) -> bool:
    return {**one.json, "position": ""} == {**other.json, "position": ""}


async def test_cursors_walk_a_board_both_ways_without_gaps(stack: Stack) -> None:
    scores = await tied_scores(stack)
    expected = standings(scores)
    for limit in (1, 7, 20, 57, 1000):
        page = (await stack.get(f"{BOARD}?limit={limit}")).json
        assert (page["previous"], page["total"]) == (None, len(scores))
        seen = lines(page)
        while page["next"]:
            page = (await stack.get(f"{BOARD}?limit={limit}&after={page['next']}")).json
            seen += lines(page)
        assert seen == expected
        back = lines(page)
        while page["previous"]:
            page = (await stack.get(f"{BOARD}?limit={limit}&before={page['previous']}")).json
            back = lines(page) + back
        assert back == expected


async def test_a_page_says_what_it_is(stack: Stack) -> None:
    await stack.publish(score("e1", "ada", 5, values={"points": 5, "seconds": "61.5"}))
    page = (await stack.get(BOARD)).json
    assert Position.parse(page.pop("position"))
    assert page == {
        "game": "arcade",
        "board": "best",
        "title": "Best runs",
        "period": "all",
        "ranks": "competition",
        "total": 1,
        "entries": [{"rank": 1, "player": "ada", "metrics": {"points": 5, "seconds": "61.5"}, "tied": False}],
        "next": None,
        "previous": None,
    }


async def test_ties_and_percentages(stack: Stack) -> None:
    await stack.publish(*(score(f"e{n}", f"p{n}", points) for n, points in enumerate([10, 8, 8, 8, 3])))
    places = [(await stack.get(f"{PLAYERS}p{n}")).json for n in range(5)]
    shown = [(p["rank"], p["ordinal"], p["tied"], p["top_percent"], p["percentile"]) for p in places]
    assert shown == [(1, 1, 1, 20, 100), (2, 2, 3, 40, 80), (2, 3, 3, 40, 80), (2, 4, 3, 40, 80), (5, 5, 1, 100, 20)]
    assert {place["total"] for place in places} == {5}
    assert places[0]["around"] == []


async def test_around_a_player(stack: Stack) -> None:
    scores = await tied_scores(stack)
    expected = standings(scores)
    for at, (_, player, _, _) in enumerate(expected):
        place = (await stack.get(f"{PLAYERS}{player}?around=3")).json
        around = lines({"entries": place["around"]})
        assert around == expected[max(0, at - 3) : at + 4]
        for field, parameter, wanted in (
            ("next", "after", expected[at + 4 :]),
            ("previous", "before", expected[: max(0, at - 3)]),
        ):
            cursor = place[field]
            assert (cursor is None) == (wanted == [])
            if cursor is not None:
                assert lines((await stack.get(f"{BOARD}?limit=1000&{parameter}={cursor}")).json) == wanted


async def test_dense_ranks_and_the_present_period(stack: Stack) -> None:
    await stack.publish(*(score(f"e{n}", f"p{n}", points) for n, points in enumerate([10, 8, 8, 3])))
    page = (await stack.get("/v1/games/arcade/boards/today")).json
    assert page["period"] == "daily:2026-02-02"
    assert [line["rank"] for line in page["entries"]] == [1, 2, 2, 3]
    place = (await stack.get("/v1/games/arcade/boards/today/players/p3")).json
    assert (place["rank"], place["ordinal"], place["percentile"]) == (3, 4, 25)


async def test_friends_are_ranked_globally_and_among_themselves(stack: Stack) -> None:
    await stack.publish(*(score(f"e{n}", f"p{n}", points) for n, points in enumerate([10, 9, 8, 8, 8, 3])))
    answer = await stack.post(f"{BOARD}/ranks", {"players": ["p5", "nobody", "p2", "p4", "p1", "p2"]})
    assert answer.status == 200
    shown = [(p["player"], p["rank"], p["tied"], p["rank_among"]) for p in answer.json["players"]]
    assert shown == [("p1", 2, 1, 1), ("p2", 3, 3, 2), ("p4", 3, 3, 2), ("p5", 6, 1, 4)]
    assert (answer.json["missing"], answer.json["total"]) == (["nobody"], 6)
    empty = await stack.post(f"{BOARD}/ranks?period=daily:2020-01-01", {"players": ["p1"]})
    assert (empty.json["players"], empty.json["missing"]) == ([], ["p1"])


@pytest.mark.parametrize(
    "value",
    [[], {}, {"players": []}, {"players": "ada"}, {"players": ["a"] * 1001}, {"players": ["a", ""]}, {"players": [7]},
     {"players": ["a"], "more": 1}],
)  # fmt: skip
async def test_bad_lists_of_players_are_refused(stack: Stack, value: Any) -> None:
    answer = await stack.post(f"{BOARD}/ranks", value)
    assert (answer.status, answer.json["problems"][0]["field"]) == (400, "players")


async def test_a_thousand_friends(stack: Stack) -> None:
    await tied_scores(stack)
    answer = await stack.post(f"{BOARD}/ranks", {"players": [f"p{n:03d}" for n in range(1000)]})
    assert (len(answer.json["players"]), len(answer.json["missing"])) == (57, 943)


HOSTILE = [
    "a/b",
    "a b",
    "100%",
    "%2F",
    "..",
    "../../etc/passwd",
    "a?b=c&d#e",
    "été",
    "日本語",
    "🏁",
    "'; DROP TABLE games; --",
    "<script>alert(1)</script>",
    '"quoted"\\',
    "{0}",
    "a+b",
    ";a=b",
    "x" * 128,
    "é" * 64,
]


async def test_hostile_player_ids_are_only_ids(stack: Stack) -> None:
    await stack.publish(*(score(f"e{n}", player, n) for n, player in enumerate(HOSTILE)))
    for n, player in enumerate(HOSTILE):
        # Clients resolve ".." themselves unless its dots are encoded.
        segment = quote(player, safe="").replace(".", "%2E")
        answer = await stack.get(f"{PLAYERS}{segment}?around=1")
        assert answer.status == 200, player
        assert (answer.json["player"], answer.json["rank"]) == (player, len(HOSTILE) - n)
        history = await stack.get(f"{PLAYERS}{segment}/history")
        assert history.json["player"] == player
    page = (await stack.get(f"{BOARD}?limit=1000")).json
    assert [line["player"] for line in page["entries"]] == HOSTILE[::-1]
    answer = await stack.post(f"{BOARD}/ranks", {"players": HOSTILE})
    assert answer.json["missing"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{PLAYERS}nobody", 404),
        (f"{PLAYERS}%ff", 400),
        (f"{PLAYERS}a%00b", 400),
        (f"{PLAYERS}{'x' * 129}", 400),
        (f"{PLAYERS}nobody/history", 404),
        (f"{BOARD}?period=daily:2026-02-30", 400),
        (f"{BOARD}?period=weekly:2026-02-02", 400),
        (f"{BOARD}?period=%00", 400),
        (f"{BOARD}?period=", 400),
        (f"{BOARD}?limit=0", 400),
        (f"{BOARD}?limit=1001", 400),
        (f"{BOARD}?after=zzzz", 400),
        (f"{BOARD}?min_position=1.7.1-0", 400),
        (f"{BOARD}?colour=red", 400),
        (f"{PLAYERS}ada?around=51", 400),
        ("/v1/games/arcade/boards/none", 404),
        ("/v1/games/none/boards/best", 404),
        ("/v1/games/none", 404),
        ("/v1/games/%2e%2e/boards/best", 404),
        ("/v1/games/arcade/boards/best/players", 404),
        ("/v1//games", 404),
        ("/nothing", 404),
    ],
)
async def test_what_is_wrong_or_missing_is_a_problem(stack: Stack, path: str, status: int) -> None:
    answer = await stack.get(path)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.json) <= {"type", "title", "status", "detail", "problems", "request_id"}
    assert answer.json["type"].startswith("/problems/")


async def test_a_period_without_a_ranking_is_an_empty_board(stack: Stack) -> None:
    answer = await stack.get(f"{BOARD}?period=daily:2020-01-01")
    assert answer.status == 200
    assert (answer.json["total"], answer.json["entries"], answer.json["next"]) == (0, [], None)
    assert (await stack.get(f"{PLAYERS}ada?period=daily:2020-01-01")).status == 404


@pytest.mark.parametrize("path", [BOARD, f"{PLAYERS}ada", f"{BOARD}?limit=1"])
async def test_what_has_not_changed_is_not_sent_again(stack: Stack, path: str) -> None:
    await stack.publish(score("e1", "ada", 5))
    first = await stack.get(path)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    for held in (tag, f'"x", {tag}', "*", tag.removeprefix("W/")):
        again = await stack.get(path, headers={"If-None-Match": held})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert (await stack.get(path, headers={"If-None-Match": '"x"'})).status == 200
    answer = await stack.publish(score("e2", "ada", 6))
    changed = await stack.get(
        path + ("&" if "?" in path else "?") + f"min_position={answer['position']}", headers={"If-None-Match": tag}
    )
    assert changed.status == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize(
    "path", [BOARD, f"{PLAYERS}ada", f"{PLAYERS}ada/history", "/v1/games", "/v1/games/arcade", "/health/live", "/no"]
)
async def test_head_is_get_without_a_body(stack: Stack, path: str) -> None:
    await stack.publish(score("e1", "ada", 5))
    get, head = await stack.get(path), await stack.request("HEAD", path)
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers["Content-Length"] == str(len(get.body))
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


async def test_min_position_waits_for_it(stack: Stack) -> None:
    for number in range(20):
        answer = await stack.publish(score(f"e{number}", "ada", number), wait=False)
        place = await stack.get(f"{PLAYERS}ada?min_position={answer['position']}")
        assert place.json["metrics"]["points"] == number
        assert Position.parse(place.json["position"]) >= Position.parse(answer["position"])
        page = await stack.get(f"{BOARD}?limit=10&min_position={answer['position']}")
        assert page.json["entries"][0]["metrics"]["points"] == number


async def test_min_position_does_not_wait_for_ever(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.views.MIN_POSITION_WAIT_S", 0.05)
    answer = await stack.get(f"{BOARD}?min_position=1.0.99999999999999-0")
    assert (answer.status, answer.json["type"]) == (503, "/problems/not-yet")
    assert answer.headers["Retry-After"]


async def test_a_page_is_never_staler_than_it_may_be(stack: Stack) -> None:
    # Served again and again, so that it comes out of memory; each new score must show up all the same.
    for number in range(5):
        await stack.publish(score(f"e{number}", "ada", number))

        async def shows(number: int = number) -> bool:
            page = (await stack.get(f"{BOARD}?limit=3")).json
            return bool(page["entries"]) and page["entries"][0]["metrics"]["points"] == number

        await eventually(shows)


async def test_history_tells_what_was_shown(stack: Stack) -> None:
    positions = [(await stack.publish(score(f"e{n}", "ada", 10 + n)))["position"] for n in range(3)]
    answer = (await stack.get(f"{PLAYERS}ada/history")).json
    rows = answer["history"]
    assert [row["metrics"]["points"] for row in rows] == [12, 11, 10]
    assert [row["position"] for row in rows] == positions[::-1]
    assert rows[0]["to"] is None
    assert [row["to"] for row in rows[1:]] == [row["from"] for row in rows[:-1]]
    limited = (await stack.get(f"{PLAYERS}ada/history?limit=1")).json
    assert limited["history"] == rows[:1]


async def test_games_and_boards_are_listed(stack: Stack) -> None:
    await stack.publish(score("e1", "ada", 5))
    for name in ("b-game", "c-game"):
        await stack.publish(ruleset(ruleset()["text"].replace('"arcade"', f'"{name}"')), game=name)
        # Asking for a new game by its name makes the process know it; lists may be half a second old.
        assert (await stack.get(f"/v1/games/{name}")).status == 200
    page = (await stack.get("/v1/games?limit=2")).json
    assert [game["game"] for game in page["games"]] == ["arcade", "b-game"]
    rest = (await stack.get(f"/v1/games?limit=2&after={page['next']}")).json
    assert ([game["game"] for game in rest["games"]], rest["next"]) == (["c-game"], None)
    game = (await stack.get("/v1/games/arcade")).json
    assert (game["title"], game["ruleset_version"], game["shard"]) == ("Arcade", 1, 0)
    best = next(board for board in game["boards"] if board["board"] == "best")
    assert best["period_kinds"] == ["all", "daily"]
    assert sorted(best["periods"]) == ["all", "daily:2026-02-02"]
    assert best["ranked_by"] == ["points (most first)"]


async def paths(stack: Stack) -> dict[str, Answer]:
    page = (await stack.get(f"{BOARD}?limit=10")).json
    wanted = [
        f"{BOARD}?limit=10",
        f"{BOARD}?limit=10&after={page['next']}",
        f"{BOARD}?limit=10&before={page['next']}",
        f"{PLAYERS}p007?around=4",
        "/v1/games/arcade/boards/today?limit=30",
        "/v1/games/arcade/boards/today/players/p007?around=4",
    ]
    return {path: await stack.get(path) for path in wanted}


async def test_an_emptied_redis_changes_no_answer(stack: Stack) -> None:
    await tied_scores(stack)
    before = await paths(stack)
    await stack.pause()
    await stack.rankings.flushall()
    during = await paths(stack)
    assert all(same_but_position(before[path], during[path]) for path in before)
    assert await stack.rankings.exists(applied_key(0)) == 0
    await stack.consume()
    await eventually(lambda: stack.rankings.exists(applied_key(0)))
    after = await paths(stack)
    assert all(same_but_position(before[path], after[path]) for path in before)


async def test_a_lost_ranking_is_read_from_postgresql_and_asked_for(stack: Stack) -> None:
    await tied_scores(stack)
    before = await stack.get(f"{PLAYERS}p007?around=4")
    ranking_id = await stack.pool.fetchval("SELECT ranking_id FROM rankings WHERE board = 'best' AND period = 'all'")
    await stack.rankings.delete(*ranking_keys(ranking_id))
    assert same_but_position(await stack.get(f"{PLAYERS}p007?around=4"), before)
    await eventually(lambda: stack.rankings.exists(ranking_keys(ranking_id)[0]), what="the ranking is rebuilt")
    assert same_but_position(await stack.get(f"{PLAYERS}p007?around=4"), before)


async def test_metrics_keep_their_json_types(stack: Stack) -> None:
    least = {"points": -(2**53) + 1}
    await stack.publish(score("e1", "ada", 5, values={"points": 5, "seconds": 3}), score("e2", "bob", 5, values=least))
    raw = (await stack.get(BOARD)).body
    assert b'"metrics":{"points":5,"seconds":"3.0"}' in raw
    assert json.loads(raw)["entries"][1]["metrics"] == least | {"seconds": None}
