"""Reading a spread game: what one game that is not spread would have answered, but for positions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api_stack import Stack, ruleset, running, score
from tests.integration.test_spread import RULES, SHARDS

pytestmark = pytest.mark.services
PLAYERS = [f"player-{number:02}" for number in range(30)]
TWIN = RULES.replace('game = "arcade"', 'game = "twin"').replace("spread = true", "")


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url, shards=SHARDS) as stack:
        yield stack


async def play(stack: Stack) -> None:
    """The same events for a spread game and for one that is not."""
    for game, text in (("arcade", RULES), ("twin", TWIN)):
        await stack.publish(ruleset(text), game=game)
        events: list[dict[str, Any]] = [
            score(f"s{number}", player, number * 7 % 10, round=1) for number, player in enumerate(PLAYERS)
        ]
        events.append({"id": "h1", "type": "player", "player": PLAYERS[3], "status": "hidden", "name": "Hidden"})
        events.append({"id": "n1", "type": "player", "player": PLAYERS[4], "name": "Nora"})
        await stack.publish(*events, game=game)


async def alike(stack: Stack, path: str, *, method: str = "GET", **options: Any) -> Any:
    """The answer of the spread game, which is that of the other one but for names and positions."""
    answers = []
    for game in ("arcade", "twin"):
        answer = await stack.request(method, f"/v1/games/{game}{path}", **options)
        assert answer.status == 200, answer.body
        held = answer.json
        held.pop("position")
        assert held.pop("game") == game
        answers.append(held)
    assert answers[0] == answers[1]
    return answers[0]


async def test_pages_and_places(stack: Stack) -> None:
    await play(stack)
    for flushed in (False, True):
        if flushed:
            await stack.rankings.flushdb()
        page = await alike(stack, "/boards/total?limit=7")
        seen = list(page["entries"])
        while page["next"]:
            page = await alike(stack, f"/boards/total?limit=7&after={page['next']}")
            seen += page["entries"]
        assert {entry["player"] for entry in seen} == {*PLAYERS} - {PLAYERS[3]}
        back = []
        while page["previous"]:
            page = await alike(stack, f"/boards/total?limit=7&before={page['previous']}")
            back = page["entries"] + back
        assert back == seen[: len(back)]
        for player in PLAYERS[:8]:
            await alike(stack, f"/boards/total/players/{player}?around=3")
        await alike(stack, "/boards/total/ranks", method="POST", json={"players": [*PLAYERS[:12], "nobody"]})
