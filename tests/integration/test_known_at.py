"""What was displayed: every answer that was given once is given again for its position, whatever has happened since."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from projections import generations
from projections.retention import forget
from tests.harness import silent
from tests.integration.api_stack import Stack, ruleset, running, score
from tests.services import eventually

pytestmark = pytest.mark.services
RULES = """
game = "arcade"
[metrics.points]
[boards.best]
rank_by = ["points desc", "reached"]
movement = "round"
segments = { country = "player", level = "mark" }
tiers = [{ name = "gold", top = 1 }]
[boards.best.metrics]
points = { op = "sum", of = "points" }
runs = { op = "count" }
[boards.best.badges]
thirty = { where = { points = { min = 30 } }, title = "Thirty points" }
[boards.rounds]
rank_by = ["points desc"]
periods = ["all", "round"]
[boards.rounds.metrics]
points = { op = "sum", of = "points" }
[boards.dense]
rank_by = ["points desc"]
ranks = "dense"
periods = ["all", "daily"]
[boards.dense.metrics]
points = { op = "max", of = "points" }
"""
BOARD = "/v1/games/arcade/boards/best"
DENSE = "/v1/games/arcade/boards/dense"
PATHS = (
    f"{BOARD}?limit=3",
    f"{BOARD}?segment=country:NO",
    f"{BOARD}?segment=level:1",
    f"{BOARD}?q=p1",
    f"{BOARD}/players/p1?around=2",
    f"{BOARD}/players/p2",
    f"{BOARD}/players/p3/history",
    f"{BOARD}/export?format=jsonl",
    f"{DENSE}?limit=1000",
    f"{DENSE}/players/p4?around=1",
    f"{DENSE}/export",
    f"{DENSE}?period=daily:2026-02-02",
)
DAY_MS = 86_400_000


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset(RULES))
        yield stack


def body_of(answer: Any) -> Any:
    """What an answer says, but for what it was asked."""
    if "json" not in answer.headers["Content-Type"] or answer.headers["Content-Type"].startswith("application/jsonl"):
        return answer.status, answer.body, answer.headers.get("Rankfold-Position")
    value = answer.json
    value.pop("known_at", None)
    value.pop("request_id", None)
    return answer.status, value


async def record(stack: Stack, known_at: str | None = None) -> dict[str, Any]:
    """The answers of all paths, now or then."""
    found = {}
    for path in PATHS:
        asked = path if known_at is None else f"{path}{'&' if '?' in path else '?'}known_at={known_at}"
        found[path] = body_of(await stack.get(asked))
    ranks = f"{BOARD}/ranks" + ("" if known_at is None else f"?known_at={known_at}")
    found["ranks"] = body_of(await stack.post(ranks, {"players": [f"p{number}" for number in range(9)]}))
    return found


class Said:
    """Events of every kind that moves places."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids: list[str] = []
        self.voided: list[str] = []

    def take(self, stack: Stack, count: int) -> list[dict[str, Any]]:
        return [self._one(stack) for _ in range(count)]

    def _one(self, stack: Stack) -> dict[str, Any]:
        kind, player = self.random.random(), f"p{self.random.randrange(8)}"
        id_ = f"e{len(self.ids)}"
        self.ids.append(id_)
        if kind < 0.1:
            status = self.random.choice(["hidden", "active", "banned"])
            country = self.random.choice(["NO", "DE"])
            return {"id": id_, "type": "player", "player": player, "status": status, "attributes": {"country": country}}
        if kind < 0.25 and len(self.ids) > 5:
            return {"id": id_, "type": "void", "event": self.random.choice(self.ids), "reason": "wrong"}
        return score(
            id_,
            player,
            self.random.randrange(12),
            occurred_at=stack.now_ms,
            round=len(self.ids) // 12,
            attributes={"level": str(self.random.randrange(2))},
        )


async def swap(stack: Stack, *, back: bool = False) -> None:
    """Another generation under the same rules, or the one that was live before."""
    before = (await stack.get("/v1/games/arcade")).json["generation"]
    if back:
        await generations.swap_back(stack.pool, stack.rankings, "arcade", silent)
    else:
        generation = await generations.begin(stack.pool, "arcade")
        await generations.build(stack.pool, stack.rankings, generation, silent, to="live")

    async def seen() -> bool:
        return bool((await stack.get("/v1/games/arcade")).json["generation"] != before)

    await eventually(seen)


async def test_every_answer_is_given_again(stack: Stack) -> None:
    said = Said(1)
    then: dict[str, dict[str, Any]] = {}
    for number in range(10):
        stack.set_clock(stack.now_ms)
        sent = await stack.publish(*said.take(stack, 7))
        answers = await record(stack)
        # A position is that of a batch, and an answer names the last one: `visible` waits for it.
        then[answers[PATHS[0]][1]["position"]] = answers
        assert answers[PATHS[0]][1]["position"] >= sent["position"]
        if number in (3, 7):
            await swap(stack, back=number == 7)
        stack.now_ms += DAY_MS // 3
    for position, answers in then.items():
        assert await record(stack, position) == answers, position
    # By now the snapshots are in Redis, and say the same.
    await eventually(lambda: many_snapshots(stack))
    for position, answers in then.items():
        assert await record(stack, position) == answers, position


async def test_what_cannot_be_told(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5))
    future = await stack.get(f"{BOARD}?known_at=2999-01-01T00:00:00Z")
    assert (future.status, future.json["problems"][0]["field"]) == (400, "known_at")
    for position in ("9.0.1-0", "9999999999.0.1-0", "1.9999999999.1-0"):
        assert (await stack.get(f"{BOARD}?known_at={position}")).status == 400
    assert (await stack.get(f"{BOARD}?known_at=0&before=AAAA")).status == 400
    for early in ("0", "1.0.1-0"):
        before = await stack.get(f"{BOARD}?known_at={early}")
        assert (before.status, before.json["entries"], before.json["known_at"]) == (200, [], early)
    assert (await stack.get(f"{BOARD}/players/ann?known_at=0")).status == 404
    assert (await stack.get("/v1/games/arcade/boards/none?known_at=0")).status == 404


async def test_a_time_stands_for_the_last_publication_before_it(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5))
    first = (await stack.get(f"{BOARD}/players/ann/history")).json["history"][0]["from"]
    await stack.publish(score("e2", "ann", 6))
    rows = (await stack.get(f"{BOARD}/players/ann/history")).json["history"]
    assert [row["metrics"]["points"] for row in rows] == [11, 5]
    for row in rows:
        place = (await stack.get(f"{BOARD}/players/ann?known_at={row['from'].replace('+', '%2B')}")).json
        assert (place["metrics"], place["position"]) == (row["metrics"], row["position"])
    then = (await stack.get(f"{BOARD}/players/ann/history?known_at={first}")).json["history"]
    assert [(row["metrics"]["points"], row["to"]) for row in then] == [(5, None)]


async def test_what_a_generation_displayed_whose_rows_are_gone_is_kept_no_longer(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5))
    position = (await stack.get(BOARD)).json["position"]
    await stack.publish(score("e2", "ann", 5))
    await swap(stack)
    assert (await stack.get(f"{BOARD}?known_at={position}")).json["entries"][0]["metrics"]["points"] == 5
    await stack.pool.execute("UPDATE live_spans SET generation_id = NULL WHERE to_version IS NOT NULL")
    gone = await stack.get(f"{BOARD}?limit=5&known_at={position}")
    assert (gone.status, gone.json["type"]) == (410, "/problems/gone")


async def test_snapshots_in_redis_may_go_at_any_time(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5), score("e2", "bob", 5))
    position = (await stack.get(BOARD)).json["position"]
    asked = f"{BOARD}?known_at={position}"
    answer = (await stack.get(asked)).json
    await eventually(lambda: snapshots(stack))
    assert (await stack.get(asked)).json == answer
    for key in await snapshots(stack):
        assert 0 < await stack.rankings.ttl(key) <= 900
        await stack.rankings.delete(key)

    async def made() -> Any:
        assert (await stack.get(asked)).json == answer
        return await snapshots(stack)

    await eventually(made)


async def snapshots(stack: Stack) -> list[bytes]:
    """The keys of complete snapshots."""
    return [key async for key in stack.rankings.scan_iter("rankfold:*:z@*") if key.count(b":") == 2]


async def many_snapshots(stack: Stack) -> bool:
    return len(await snapshots(stack)) >= 20


async def test_what_was_displayed_long_ago_is_forgotten(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5))
    old = (await stack.get(BOARD)).json["position"]
    await stack.publish(score("e2", "ann", 6), score("e3", "bob", 1))
    kept = (await stack.get(BOARD)).json
    await stack.publish(score("e4", "ann", 7))
    now = (await stack.get(BOARD)).json
    # As if all but the last two publications were from long ago.
    await stack.pool.execute(
        "UPDATE publications SET committed_at = committed_at - interval '1 hour'"
        " WHERE version < (SELECT max(version) FROM publications)"
    )
    assert await forget(stack.pool, 0, 1_800) > 0
    assert (await stack.get(f"{BOARD}?known_at={old}&limit=9")).status == 410
    assert (await stack.get(f"{BOARD}?known_at=1&limit=9")).status == 410
    assert (await stack.get(f"{BOARD}?known_at={kept['position']}")).json["entries"] == kept["entries"]
    assert (await stack.get(BOARD)).json == now
    rows = (await stack.get(f"{BOARD}/players/ann/history")).json["history"]
    assert [row["metrics"]["points"] for row in rows] == [18, 11]
    assert await forget(stack.pool, 0, 1_800) == 0


async def test_what_a_frozen_board_shows_is_not_forgotten(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5))
    await stack.publish({"id": "f", "type": "freeze"})
    await stack.publish(score("e2", "ann", 6))
    await stack.publish(score("e3", "ann", 6))
    await stack.pool.execute("UPDATE publications SET committed_at = committed_at - interval '1 hour'")
    await forget(stack.pool, 0, 60)
    await eventually(lambda: frozen(stack))
    assert (await stack.get(f"{BOARD}?limit=7")).json["entries"][0]["metrics"]["points"] == 5


async def aged(stack: Stack, version: int) -> None:
    """As if what was displayed up to a version were from long ago; forgets it, and says that something was forgotten."""
    await stack.pool.execute(
        "UPDATE publications SET committed_at = committed_at - interval '1 hour' WHERE version <= $1", version
    )
    assert await forget(stack.pool, 0, 1_800) > 0


async def latest(stack: Stack) -> int:
    found: int = await stack.pool.fetchval("SELECT max(version) FROM publications")
    return found


async def test_a_close_keeps_no_more_than_it_shows(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 4))
    await stack.publish(score("e2", "ann", 5))
    await stack.publish({"id": "c", "type": "close", "board": "dense"})
    await stack.publish(score("e3", "ann", 6))
    await stack.publish(score("e4", "ann", 7))
    old = (await stack.get(BOARD)).json["position"]
    await stack.publish(score("e5", "ann", 8))
    await aged(stack, await latest(stack))
    assert await stack.pool.fetchval("SELECT count(*) FROM publications") == 2
    assert (await stack.get(f"{BOARD}?known_at={old}")).status == 410
    assert [entry["metrics"]["points"] for entry in (await stack.get(f"{DENSE}?limit=9")).json["entries"]] == [5]
    assert b'"points":5' in (await stack.get(f"{DENSE}/export?format=jsonl")).body
    rows = (await stack.get(f"{DENSE}/players/ann/history")).json["history"]
    assert [row["metrics"]["points"] for row in rows] == [5]


async def test_what_was_shown_of_a_freeze_is_kept_as_long_as_any_of_it(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5))
    await stack.publish({"id": "f", "type": "freeze"})
    await stack.publish(score("e2", "ann", 6))
    await stack.publish(score("e3", "ann", 7))
    during, position = (
        await latest(stack),
        await stack.pool.fetchval(
            "SELECT format('%s.%s.%s-%s', epoch, shard, ms, seq) FROM publications ORDER BY version DESC LIMIT 1"
        ),
    )
    await stack.publish({"id": "t", "type": "thaw"})
    await stack.publish(score("e4", "ann", 8))
    path = f"{BOARD}?known_at={position}"
    before = (await stack.get(path)).json["entries"]
    assert before[0]["metrics"]["points"] == 5
    await aged(stack, during)
    # With it go the snapshots that were made of the history, which alone is to tell.
    await stack.rankings.flushdb()
    assert (await stack.get(f"{path}&limit=9")).json["entries"] == before


async def frozen(stack: Stack) -> bool:
    return bool((await stack.get("/v1/games/arcade")).json["frozen"])


async def ranks(stack: Stack, by: str, more: str = "") -> list[tuple[Any, ...]]:
    lines = (await stack.get(f"{BOARD}/players/ann/history?by={by}{more}")).json["ranks"]
    return [(line.get("round") or line.get("day"), line["rank"], line["total"]) for line in lines]


async def test_how_a_rank_has_gone(stack: Stack) -> None:
    await stack.publish(score("e1", "ann", 5, round=1))
    await stack.publish(score("e2", "bob", 9, round=1), score("e3", "cid", 9, round=1))
    early = (await stack.get(BOARD)).json["position"]
    await stack.publish(score("e4", "ann", 2, round=2))
    await swap(stack)
    await stack.publish(score("e5", "ann", 9, round=3))
    assert await ranks(stack, "change") == [(None, 1, 3), (None, 3, 3), (None, 1, 1)]
    assert await ranks(stack, "change", "&limit=1") == [(None, 1, 3)]
    [today] = await ranks(stack, "day", "&limit=1")
    assert today[1:] == (1, 3)
    assert await ranks(stack, "day", f"&limit=1&known_at={early}") == [(today[0], 3, 3)]
    refused = await stack.get(f"{BOARD}/players/ann/history?by=round")
    assert (refused.status, refused.json["problems"][0]["field"]) == (400, "by")
    assert (await stack.get(f"{BOARD}/players/ann/history?by=year")).status == 400
    board = "/v1/games/arcade/boards/rounds"
    answer = (await stack.get(f"{board}/players/ann/history?by=round&period=all")).json
    assert [(line["round"], line["rank"]) for line in answer["ranks"]] == [("3", 1), ("2", 3), ("1", 3)]
    # Days without publications stand as the days before have left them.
    await stack.pool.execute(
        "UPDATE publications SET committed_at = committed_at - interval '3 days' WHERE version < 4"
    )
    days = await ranks(stack, "day", "&limit=3")
    assert [line[1] for line in days[:2]] == [1, 3 if len(days) > 1 else None]
