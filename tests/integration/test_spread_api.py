"""A spread game over HTTP: what goes where, and once only."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.spread import part_of
from projections.names import stream_key
from tests.integration.api_stack import Stack, ruleset, running, score
from tests.integration.test_spread import RULES, SHARDS

pytestmark = pytest.mark.services
PLAYERS = ("ann", "bob", "cid", "dot", "eve", "fay")


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url, shards=SHARDS) as stack:
        yield stack


async def logged(stack: Stack) -> list[int]:
    """How many entries each shard's stream has."""
    return [int(await stack.log.xlen(stream_key(shard))) for shard in range(SHARDS)]


def shards_of(text: str) -> list[int]:
    """The shards of the positions in an answer."""
    return [int(position.split(".")[1]) for position in text.split(",")]


async def archived(stack: Stack) -> list[tuple[int, str]]:
    """(part, player) of every row of the board."""
    rows = await stack.pool.fetch(
        "SELECT g.part, s.player FROM games g JOIN rankings r ON r.generation_id = g.live_generation AND r.period = 'all'"
        " JOIN standings s USING (ranking_id) WHERE r.board = 'total' ORDER BY s.player"
    )
    return [(row["part"], row["player"]) for row in rows]


async def test_events_go_where_their_player_is_and_rules_everywhere(stack: Stack) -> None:
    made = await stack.publish(ruleset(RULES))
    assert shards_of(made["position"]) == shards_of(made["positions"][0]) == list(range(SHARDS))
    sent = await stack.publish(*(score(f"s-{player}", player, 5) for player in PLAYERS))
    assert [shards_of(position) for position in sent["positions"]] == [[part_of(player, SHARDS)] for player in PLAYERS]
    assert await archived(stack) == [(part_of(player, SHARDS), player) for player in PLAYERS]
    again = await stack.publish(*(score(f"s-{player}", player, 5) for player in PLAYERS))
    assert (again["duplicates"], again["positions"]) == (len(PLAYERS), sent["positions"])


async def test_an_id_names_one_event_of_the_whole_game(stack: Stack) -> None:
    await stack.publish(ruleset(RULES))
    ann, other = "ann", next(player for player in PLAYERS if part_of(player, SHARDS) != part_of("ann", SHARDS))
    await stack.publish(score("s1", ann, 5))
    before = await logged(stack)
    refused = await stack.post("/v1/games/arcade/events", [score("s1", other, 5)])
    assert refused.status == 409
    void = {"id": "s1", "type": "void", "event": "s1", "reason": "same id"}
    assert (await stack.post("/v1/games/arcade/events", [void])).status == 409
    assert await logged(stack) == before


async def test_what_reached_some_shards_only_is_completed_by_the_retry(stack: Stack) -> None:
    await stack.publish(ruleset(RULES))
    fixture: dict[str, Any] = {
        "id": "f1",
        "type": "fixture",
        "fixture": "r1",
        "round": 1,
        "starts_at": "2100-01-01T12:00:00Z",
    }
    epoch = f"rankfold:log:{{{SHARDS - 1}}}:epoch"
    held = await stack.log.getdel(epoch)
    before = await logged(stack)
    assert (await stack.post("/v1/games/arcade/events", [fixture])).status == 503
    assert [after - was for after, was in zip(await logged(stack), before, strict=True)] == [1, 1, 0]
    assert held is not None
    await stack.log.set(epoch, held)
    sent = await stack.publish(fixture)
    assert sent["duplicates"] == 0
    assert shards_of(sent["position"]) == list(range(SHARDS))
    assert [after - was for after, was in zip(await logged(stack), before, strict=True)] == [1, 1, 1]
    assert (await stack.publish(fixture))["duplicates"] == 1


async def test_a_ranking_that_only_one_part_has_shows_its_players_once(stack: Stack) -> None:
    """The first part's is not that of a part which has none."""
    await stack.publish(ruleset(RULES))
    for shard in range(SHARDS):
        player = next(f"p{number}" for number in range(100) if part_of(f"p{number}", SHARDS) == shard)
        await stack.publish(score(f"only-{shard}", player, 5, round=shard))
        page = (await stack.get(f"/v1/games/arcade/boards/total?period=round:{shard}")).json
        assert (page["total"], [entry["player"] for entry in page["entries"]]) == (1, [player])
