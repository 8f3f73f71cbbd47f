"""Following a spread game: changes of any part are told, as those of one game."""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.integration.api_stack import Stack, running, score
from tests.integration.spread_twin import PLAYERS, play
from tests.integration.test_spread import SHARDS

pytestmark = pytest.mark.services


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url, shards=SHARDS) as stack:
        yield stack


@contextlib.asynccontextmanager
async def following(stack: Stack, path: str, **headers: str) -> AsyncIterator[Callable[[], Awaitable[tuple[str, Any]]]]:
    """Listens; what it gives reads the next event: its id and its data."""
    async with stack.client.get(f"/v1/games/{path}", headers=headers) as response:
        assert response.status == 200

        async def read() -> tuple[str, Any]:
            seen = ""
            async for line in response.content:
                if line.startswith(b"id: "):
                    seen = line[4:].decode().strip()
                if line.startswith(b"data: "):
                    return seen, json.loads(line[6:])
            raise AssertionError("the stream has ended")

        yield read


async def test_live_changes_of_any_part(stack: Stack) -> None:
    await play(stack)
    async with (
        following(stack, "arcade/boards/total/live?top=100") as board,
        following(stack, f"arcade/boards/total/players/{PLAYERS[0]}/live") as player,
    ):
        lines = {}
        seen, state = await board()
        assert state["full"]
        assert len(state["position"].split(",")) == SHARDS
        lines = {entry["player"]: entry for entry in state["entries"]}
        assert (await player())[1]["entries"][0]["player"] == PLAYERS[0]
        for number, who in enumerate(PLAYERS[:6]):
            await stack.publish(score(f"live-{number}", who, 1_000 * (6 - number)))
            page = (await stack.get("/v1/games/arcade/boards/total?limit=100")).json
            while [
                (entry["player"], entry["rank"], entry["metrics"])
                for entry in sorted(lines.values(), key=lambda entry: int(entry["ordinal"]))
            ] != [(entry["player"], entry["rank"], entry["metrics"]) for entry in page["entries"]]:
                earlier, (seen, change) = seen, await board()
                assert not change["full"]
                assert seen != earlier
                lines |= {entry["player"]: entry for entry in change["entries"]}
        assert (await player())[1]["entries"][0]["metrics"]["points"] > 5_000
    # Who comes back with the last id that he saw is told nothing twice.
    async with following(stack, "arcade/boards/total/live?top=100", **{"Last-Event-ID": seen}) as board:
        await stack.publish(score("once more", PLAYERS[20], 100_000))
        _, change = await board()
        assert not change["full"]
    socket = await stack.client.ws_connect(f"/v1/games/arcade/boards/total/ws?top=3&last_event_id={seen}")
    told = await socket.receive_json()
    assert told["data"]["full"]
    assert told["data"]["entries"][0]["player"] == PLAYERS[20]
    await socket.close()
