"""What was true at an instant, by all that is known now; what was displayed then is another question."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.effective import Cut
from engine.fold import Fold
from engine.rules import Game
from schemas.codec import decode
from schemas.position import Position
from schemas.ruleset import parse
from tests.given import ranking
from tests.integration.api_stack import Answer, Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]
[boards.best]
rank_by = ["points desc", "reached"]
movement = "round"
segments = { level = "mark" }
tiers = [{ name = "gold", top = 1 }]
periods = ["all", "daily"]
[boards.best.metrics]
points = { op = "sum", of = "points" }
runs = { op = "count" }
[boards.best.badges]
ten = { where = { points = { min = 10 } }, title = "Ten" }
[boards.top]
keep = { mode = "best", by = "points" }
rank_by = ["points desc"]
ranks = "dense"
metrics = { points = { op = "max", of = "points" } }
"""
BOARD = "/v1/games/arcade/boards/best"
TOP = "/v1/games/arcade/boards/top"
NOW = 1_770_000_000_000
HOUR = 3_600_000


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        yield stack


def void(id_: str, event: str, type_: str = "void") -> dict[str, Any]:
    return {"id": id_, "type": type_, "event": event, "reason": "checked"}


def points(answer: Answer) -> list[tuple[str, int]]:
    assert answer.status == 200, answer.body
    return [(entry["player"], entry["metrics"]["points"]) for entry in answer.json["entries"]]


async def test_a_late_correction_changes_what_was_true_but_not_what_was_displayed(stack: Stack) -> None:
    await stack.publish(
        score("e1", "ann", 9, occurred_at=NOW - 5 * HOUR),
        score("e2", "bob", 5, occurred_at=NOW - 5 * HOUR),
        score("e3", "bob", 1, occurred_at=NOW - 1 * HOUR),
    )
    then, past = f"effective_at={NOW - 2 * HOUR}", (await stack.get(BOARD)).json["position"]
    assert points(await stack.get(f"{BOARD}?{then}")) == [("ann", 9), ("bob", 5)]
    moved = await stack.publish(void("v1", "e1"), score("e4", "cid", 7, occurred_at=NOW - 4 * HOUR))
    fresh = f"min_position={moved['position']}"
    answer = await stack.get(f"{BOARD}?{then}&{fresh}")
    assert points(answer) == [("cid", 7), ("bob", 5)]
    assert (answer.json["effective_at"], answer.json["position"]) == (str(NOW - 2 * HOUR), moved["position"])
    # By position the same correction holds, but not the score that was not recorded yet.
    assert points(await stack.get(f"{BOARD}?effective_at={past}&{fresh}")) == [("bob", 6)]
    assert points(await stack.get(f"{BOARD}?known_at={past}")) == [("ann", 9), ("bob", 6)]
    await stack.publish(
        void("v2", "e1", "reinstate"), {"id": "p1", "type": "player", "player": "cid", "status": "banned"}
    )
    fresh = f"min_position={(await stack.get(BOARD)).json['position']}"
    assert points(await stack.get(f"{BOARD}?{then}&{fresh}")) == [("ann", 9), ("bob", 5)]


async def test_voids_of_what_came_later_take_nothing_away(stack: Stack) -> None:
    await stack.publish(
        score("e1", "ann", 9, occurred_at=NOW - 5 * HOUR),
        score("e2", "ann", 4, occurred_at=NOW - HOUR),
        void("v1", "e2"),
        score("e3", "ann", 3, occurred_at=NOW - HOUR),
        void("v2", "e3"),
        void("v3", "e3", "reinstate"),
    )
    for board in (BOARD, TOP):
        assert points(await stack.get(f"{board}?effective_at={NOW - 2 * HOUR}")) == [("ann", 9)]
    assert points(await stack.get(f"{BOARD}?effective_at={NOW}")) == [("ann", 12)]


async def test_every_read_sees_the_same(stack: Stack) -> None:
    """Pages, their cursors, places, several players, movement, tiers, segments and files: as they are shown at present."""
    dice = random.Random(5)
    events = [
        score(
            f"e{at}",
            f"p{dice.randrange(12)}",
            dice.randrange(9),
            round=at // 20,
            attributes={"level": dice.randrange(2)},
            occurred_at=NOW - dice.randrange(100),
        )
        for at in range(60)
    ]
    await stack.publish(*events, void("v1", "e7"), {"id": "h", "type": "player", "player": "p3", "status": "hidden"})
    at = f"effective_at={NOW}"
    asked = [
        f"{board}{path}" for board in (BOARD, TOP) for path in ("", "?limit=3", "/players/p1?around=2", "/players/p3")
    ]
    for path in (*asked, f"{BOARD}?segment=level:1", f"{BOARD}?period=daily:2026-02-02", f"{BOARD}/players/p4"):
        live = (await stack.get(path)).json
        truth = (await stack.get(path + ("&" if "?" in path else "?") + at)).json
        assert truth.pop("effective_at") == str(NOW)
        live.pop("badges", None)
        assert truth == live
    page, seen = (await stack.get(f"{BOARD}?limit=5&{at}")).json, []
    while True:
        seen += [entry["player"] for entry in page["entries"]]
        if page["next"] is None:
            break
        page = (await stack.get(f"{BOARD}?limit=5&{at}&after={page['next']}")).json
    assert seen == [entry["player"] for entry in (await stack.get(BOARD)).json["entries"]]
    for form in ("csv", "jsonl"):
        live_file, file = [await stack.get(f"{BOARD}/export?format={form}{more}") for more in ("", f"&{at}")]
        assert (file.status, file.body) == (200, live_file.body)
        assert file.headers["Rankfold-Position"] == live_file.headers["Rankfold-Position"]
    friends = {"players": ["p5", "p1", "nobody"]}
    live = (await stack.post(f"{BOARD}/ranks", friends)).json
    assert (await stack.post(f"{BOARD}/ranks?{at}", friends)).json == live | {"effective_at": str(NOW)}
    page = await stack.get(f"{BOARD}?{at}")
    assert (await stack.get(f"{BOARD}?{at}", headers={"If-None-Match": page.headers["ETag"]})).status == 304


async def test_every_instant_shows_what_the_offline_fold_shows(stack: Stack) -> None:
    dice = random.Random(11)
    events: list[dict[str, Any]] = []
    for at in range(60):
        roll, occurred = dice.random(), NOW - dice.randrange(40) * HOUR
        if roll < 0.2 and events:
            target = f"e{dice.randrange(at)}"
            events.append(void(f"e{at}", target, dice.choice(["void", "void", "reinstate"])))
        else:
            events.append(score(f"e{at}", f"p{dice.randrange(5)}", dice.randrange(9), occurred_at=occurred))
    for start in range(0, 60, 7):
        await stack.publish(*events[start : start + 7])
    rows = await stack.pool.fetch(
        "SELECT epoch, shard, ms, seq, body FROM log WHERE verdict = 0 ORDER BY epoch, ms, seq"
    )
    log = [(Position(*row[:4]), decode(row["body"])) for row in rows]
    instants: list[int | Position] = [NOW - hours * HOUR for hours in range(-1, 42, 6)]
    for when in [*instants, *(position for position, _ in log[::9])]:
        cut, state = Cut(when), Fold(Game(parse(RULES)))
        cut.begin(state)
        for position, event in log:
            if cut.counts(event, position):
                state.apply(event, position)
        state.settle()
        for name, path in (("best", BOARD), ("top", TOP)):
            plan = state.game.boards[name]
            expected = [
                (entry.rank, entry.player, plan.decode(entry.prefix, entry.extra))
                for entry in ranking(state, name).window(0, 99).entries
            ]
            answer = (await stack.get(f"{path}?effective_at={when}")).json
            assert [(line["rank"], line["player"], line["metrics"]) for line in answer["entries"]] == expected, when


async def test_what_cannot_be_asked_is_refused_by_name(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5))
    for query, field in (
        ("effective_at=2999-01-01T00:00:00Z", "effective_at"),
        ("effective_at=1.0.9770000000000-0", "effective_at"),
        ("effective_at=1.3.5-0", "effective_at"),
        ("effective_at=soon", "effective_at"),
        (f"effective_at={NOW}&known_at={NOW}", "effective_at"),
        (f"effective_at={NOW}&q=a", "effective_at"),
    ):
        answer = await stack.get(f"{BOARD}?{query}")
        assert (answer.status, answer.json["problems"][0]["field"]) == (400, field), answer.body
    assert (await stack.get(f"{BOARD}/players/ann/history?effective_at={NOW}")).status == 400
    assert (await stack.get(f"{BOARD}/players/ann?effective_at=0")).status == 404
    assert (await stack.get(f"/v1/games/arcade/boards/none?effective_at={NOW}")).status == 404
    assert points(await stack.get(f"{BOARD}?effective_at=0")) == []


async def test_the_public_learns_nothing_of_a_frozen_board(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5), score("e2", "bob", 4))
    await stack.publish({"id": "f1", "type": "freeze"})
    at = (await stack.publish(score("e3", "bob", 9), void("v1", "e1")))["position"]
    path = f"{BOARD}?effective_at={NOW}&min_position={at}"
    answer = await stack.get(path)
    assert points(answer) == [("ann", 5), ("bob", 4)]
    assert answer.json["frozen"] == (await stack.get(BOARD)).json["frozen"]
    assert points(await stack.get(f"{path}&view=official")) == [("bob", 13)]


async def test_a_game_with_many_events_is_folded_by_a_job(
    database_url: str, redis_log_url: str, redis_rankings_url: str
) -> None:
    async with running(database_url, redis_log_url, redis_rankings_url, fold_events_max=3) as stack:
        await stack.publish(ruleset(RULES), score("e1", "ann", 5), score("e2", "bob", 7), score("e3", "cid", 6))
        friends = {"players": ["ann"]}
        for method, path, options in (
            ("GET", BOARD, {"headers": {"If-None-Match": "*"}}),
            ("GET", f"{BOARD}/players/ann", {}),
            ("POST", f"{BOARD}/ranks", {"json": friends}),
        ):
            live = (await stack.request(method, path, **(options if method == "POST" else {}))).json
            # An instant of its own each, or the truth that the job before it has left would answer.
            asked = NOW + len(path)
            accepted = await stack.request(method, f"{path}?effective_at={asked}", **options)
            assert (accepted.status, accepted.json["kind"]) == (202, "effective_at")
            location = accepted.headers["Location"]

            async def done(location: str = location) -> Any:
                told = (await stack.get(location)).json
                return told if told["state"] != "running" else None

            told = await eventually(done)
            live.pop("badges", None)
            assert (told["state"], told["total"]) == ("done", 4)
            assert told["result"] == live | {"effective_at": str(asked)}
            assert (await stack.request(method, f"{path}?effective_at={asked}", **options)).status in (200, 304)
        assert (await stack.get(f"{BOARD}/export?effective_at={NOW - 1}")).status == 400
        # What cannot be answered is refused at once.
        for when in ("2999-01-01T00:00:00Z", "1.0.2770000000000-0"):
            assert (await stack.get(f"{BOARD}?effective_at={when}")).status == 400
        missing = await stack.get(f"{BOARD}/players/nobody?effective_at={NOW + 99}")
        told = await eventually(lambda: done(missing.headers["Location"]))
        assert (told["state"], told["error"]) == ("failed", "no such player: nobody")
        await stack.publish(void("v1", "e1"))


async def test_a_job_sees_what_it_was_told_to_wait_for(
    database_url: str, redis_log_url: str, redis_rankings_url: str
) -> None:
    async with running(database_url, redis_log_url, redis_rankings_url, fold_events_max=3) as stack:
        await stack.publish(ruleset(RULES), score("e1", "ann", 5), score("e2", "bob", 7), score("e3", "cid", 6))

        async def asked(query: str) -> Any:
            accepted = await stack.get(f"{BOARD}?effective_at={NOW}{query}")
            assert accepted.status == 202, accepted.body

            async def done() -> Any:
                told = (await stack.get(accepted.headers["Location"])).json
                return told if told["state"] != "running" else None

            return await eventually(done)

        first = await asked("")
        assert [line["player"] for line in first["result"]["entries"]] == ["bob", "cid", "ann"]
        at = (await stack.publish(void("v1", "e2")))["position"]
        second = await asked(f"&min_position={at}")
        assert second["error"] is None
        assert [line["player"] for line in second["result"]["entries"]] == ["cid", "ann"]


async def test_nothing_is_written(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5), void("v1", "e1"), score("e2", "bob", 7))

    async def all_rows() -> dict[str, Any]:
        names = await stack.pool.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('leases', 'processes')"
        )
        return {name: await stack.pool.fetchval(f'SELECT count(*) FROM "{name}"') for (name,) in names}

    before, keys = await all_rows(), sorted(await stack.rankings.keys("*"))
    assert points(await stack.get(f"{BOARD}?effective_at={NOW}")) == [("bob", 7)]
    assert (await all_rows(), sorted(await stack.rankings.keys("*"))) == (before, keys)
