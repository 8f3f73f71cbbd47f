"""Finding players on a board by the beginning of an id or a name, through the real servers."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from api import search
from projections.database import queries
from tests.integration.api_stack import Stack, ruleset, running, score

pytestmark = pytest.mark.services
BOARD = "/v1/games/arcade/boards/best"


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        await stack.publish(ruleset())
        yield stack


def named(player: str, name: str) -> dict[str, Any]:
    return {"id": f"n-{player}", "type": "player", "player": player, "name": name}


async def found(stack: Stack, text: str, more: str = "") -> list[tuple[int, str]]:
    answer = await stack.get(f"{BOARD}?q={quote(text, safe='')}{more}")
    assert answer.status == 200, answer.body
    return [(line["rank"], line["player"]) for line in answer.json["entries"]]


async def test_by_id_and_by_name_whatever_the_case(stack: Stack) -> None:
    await stack.publish(
        *(score(f"s{i}", f"p{i}", 100 - i) for i in range(12)),
        named("p3", "Anna"),
        named("p7", "ANNABEL"),
        named("p5", "Joanna"),
        named("p9", "p1 of another team"),
        score("t", "Anna", 50),
        named("nobody", "Anna who never played"),
    )
    assert await found(stack, "anna") == [(4, "p3"), (8, "p7")]
    assert await found(stack, "Anna") == [(4, "p3"), (8, "p7"), (13, "Anna")]
    assert await found(stack, "p1") == [(2, "p1"), (10, "p9"), (11, "p10"), (12, "p11")]
    assert await found(stack, "zzz") == []
    answer = (await stack.get(BOARD + "?q=ANNAB")).json
    assert answer["entries"][0]["name"] == "ANNABEL"
    assert (answer["q"], answer["matches"], answer["complete"], answer["total"]) == ("ANNAB", 1, True, 13)
    assert (answer["next"], answer["previous"]) == (None, None)


async def test_what_means_something_to_sql_is_plain_text(stack: Stack) -> None:
    players = ["a%b", "a_b", "a\\b", "a'b", "axb", "é", "\U0001f3c6 cup"]
    await stack.publish(*(score(f"s{i}", player, 100 - i) for i, player in enumerate(players)))
    for rank, player in enumerate(players, 1):
        assert await found(stack, player) == [(rank, player)]
    assert await found(stack, "%") == []
    assert [player for _, player in await found(stack, "a")] == players[:5]


async def test_pages_of_matches_go_both_ways(stack: Stack) -> None:
    await stack.publish(*(score(f"s{i}", f"{'odd' if i % 2 else 'even'}-{i:02}", 100 - i) for i in range(40)))
    everyone = await found(stack, "odd-", "&limit=1000")
    assert len(everyone) == 20
    seen, cursor = [], ""
    while cursor is not None:
        page = (await stack.get(f"{BOARD}?q=odd-&limit=7" + (f"&after={cursor}" if cursor else ""))).json
        assert page["matches"] == 20
        seen.append([(line["rank"], line["player"]) for line in page["entries"]])
        cursor, back = page["next"], page["previous"]
    assert [line for lines in seen for line in lines] == everyone
    assert await found(stack, "odd-", f"&limit=7&before={back}") == seen[1]


async def test_hidden_players_are_not_found(stack: Stack) -> None:
    await stack.publish(
        score("a", "ann", 1),
        score("b", "annabel", 2),
        {"id": "h", "type": "player", "player": "annabel", "name": "Ann", "status": "hidden"},
    )
    assert await found(stack, "ann") == [(1, "ann")]


async def test_a_search_is_bounded_and_says_so(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    await stack.publish(*(score(f"s{i}", f"p{i}", 100 - i) for i in range(10)))
    monkeypatch.setattr(search, "FOUND_MAX", 4)
    answer = (await stack.get(BOARD + "?q=p")).json
    assert (answer["matches"], answer["complete"]) == (4, False)
    # The first ones by id, with the places that they have on the whole board.
    assert [(line["rank"], line["player"]) for line in answer["entries"]] == [(n + 1, f"p{n}") for n in range(4)]


async def test_it_works_while_redis_is_empty_and_on_empty_boards(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 1), score("b", "bob", 2))
    await stack.pause()
    await stack.rankings.flushdb()
    assert await found(stack, "ann") == [(2, "ann")]
    assert await found(stack, "ann", "&period=daily:2030-01-01") == []


async def test_what_cannot_be_looked_for_is_refused(stack: Stack) -> None:
    for text in ("", "x" * 65, "%00"):
        assert (await stack.get(f"{BOARD}?q={text}")).status == 400


async def test_both_ways_of_finding_use_an_index(stack: Stack) -> None:
    await stack.publish(score("a", "ann", 1))
    async with stack.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        for query, arguments, index in (
            (queries("rankings")["found_by_id"], (1, "a", 10), "standings_pkey"),
            (queries("rankings")["found_by_name"], (1, 1, "a", 10, 100), "players_name"),
        ):
            plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN " + query, *arguments))
            assert index in plan, plan
            assert "Index Cond" in plan.split(index, 1)[1], plan
