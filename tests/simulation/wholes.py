"""The judgement of spread games as readers see them: parts as one, over HTTP, in pages and by player, and their generations."""

from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from api.app import make_app
from projections.replay import verify_all
from tests.harness import Harness, silent
from tests.simulation.accepting import Account, RawEntry
from tests.simulation.auditor import Boards, Line, RankingName
from tests.simulation.discrepancy import Discrepancy, by_rank, compared
from tests.simulation.freezing import held, together

PAGE = 4
GENERATIONS = """
SELECT n.generation_id, n.status, n.reason, n.peer FROM games g JOIN generations n USING (game_id)
WHERE g.name = $1 AND g.part = 0 AND n.status IN ('shadow', 'failed')
"""
MIXED = """
SELECT count(DISTINCT n.peer) + count(DISTINCT n.peer IS NULL) FROM games g
JOIN generations n ON n.generation_id = g.live_generation WHERE g.name = $1
"""


async def judge_spread(harness: Harness, games: dict[str, list[Account]], entries: dict[int, list[RawEntry]]) -> None:
    """Raises Discrepancy unless every spread game of which all parts are there is shown as one."""
    spread = {name: parts for name, parts in games.items() if len(parts) == parts[0].parts > 1}
    if not spread:
        return
    # A snapshot may name an erased player until it is made anew.
    for key in await harness.rankings.keys("*@*"):
        await harness.rankings.delete(key)
    app = make_app(harness.pool, harness.log, harness.rankings, shards=len(entries))
    position = ",".join("1.{}.{}-{}".format(shard, *log[-1][:2]) for shard, log in entries.items())
    async with TestClient(TestServer(app, access_log=None)) as client:
        for name, parts in spread.items():
            await _judge_generations(harness, name)
            await _Reader(client, name, position).judge(parts)


async def _judge_generations(harness: Harness, name: str) -> None:
    """All parts show one generation; shadows are what a fold of the archive gives, and none has failed."""
    if await harness.value(MIXED, name) > 2:
        raise Discrepancy(f"{name}: the parts show different generations")
    for row in await harness.pool.fetch(GENERATIONS, name):
        if row["status"] == "failed":
            raise Discrepancy(f"{name}: generation {row['generation_id']} has failed: {row['reason']}")
        found = await verify_all(harness.pool, name, silent, generation_id=row["generation_id"])
        if found.differences:
            raise Discrepancy(
                f"{name}: shadow {row['generation_id']} is not what a replay gives: {found.differences[:3]}"
            )


class _Reader:
    """Reads the boards of one spread game as anybody does."""

    def __init__(self, client: TestClient[Any, Any], game: str, position: str) -> None:
        self.client = client
        self.game = game
        self.position = position

    async def judge(self, parts: list[Account]) -> None:
        """Everything that is shown is what the auditor says of all parts together."""
        frozen = [held(account) for account in parts]
        for name, lines in together(parts, public=True).items():
            whole = await self._page(name, limit=1_000)
            shown = [_line(entry) for entry in whole["entries"]]
            still = any(name[0] == board or not board for one in frozen for board, _, _ in one)
            order = by_rank if still else list
            words = compared(_one(name, order(shown)), _one(name, order(lines)))
            if words or whole["total"] != len(lines):
                raise Discrepancy(f"{self.game}, all parts: {words[0] if words else whole['total']}")
            await self._walk(name, whole["entries"])
            for at in (0, len(lines) // 2, len(lines) - 1):
                await self._place(name, whole["entries"], at)

    async def _walk(self, name: RankingName, entries: list[Any]) -> None:
        """Small pages, one after the other, are the whole."""
        page = await self._page(name, limit=PAGE)
        found = list(page["entries"])
        while page["next"]:
            page = await self._page(name, limit=PAGE, after=page["next"])
            found += page["entries"]
        if found != entries:
            raise Discrepancy(f"{self.game} {name}: pages give {found}, and not {entries}")

    async def _place(self, name: RankingName, entries: list[Any], at: int) -> None:
        """A player is where the page has him, among the same neighbours."""
        player = entries[at]["player"]
        place = await self._get(name, f"/players/{player}", around=2)
        around = entries[max(0, at - 2) : at + 3]
        if (place["rank"], place["ordinal"], place["total"]) != (entries[at]["rank"], at + 1, len(entries)):
            raise Discrepancy(f"{self.game} {name}: {player} is line {at + 1} of {len(entries)}, and {place}")
        if place["around"] != around:
            raise Discrepancy(f"{self.game} {name}: around {player} are {place['around']}, and not {around}")

    async def _page(self, name: RankingName, **options: Any) -> Any:
        return await self._get(name, "", **options)

    async def _get(self, name: RankingName, path: str, **options: Any) -> Any:
        board, period, segment = name
        query = {"period": period, "min_position": self.position, **({"segment": segment} if segment else {})}
        query |= {key: str(value) for key, value in options.items()}
        async with self.client.get(f"/v1/games/{self.game}/boards/{board}{path}", params=query) as answer:
            found = await answer.json()
        if answer.status != 200:
            raise Discrepancy(f"{self.game} {name} {path}: {answer.status} {found}")
        return found


def _line(entry: Any) -> Line:
    return Line(entry["rank"], entry["player"], entry["metrics"])


def _one(name: RankingName, lines: list[Line]) -> Boards:
    return {name: lines}
