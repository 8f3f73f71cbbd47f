"""A seeded stream of everything that a game's log may hold, and a naive account of what must come out of it."""

import random
from collections import Counter
from typing import Any

import msgspec

from tests.harness import Harness, event, score

Body = dict[str, Any] | bytes


class Workload:
    """Bodies for the log of the game of `tests.harness.RULES`. `check` compares what was folded with its own account."""

    def __init__(self, seed: int, players: int = 60, game: str = "arcade") -> None:
        self.game = game
        self.totals: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        self.banned: set[str] = set()
        self.accepted = 0
        self.duplicates = 0
        self.refused = 0
        self._random = random.Random(seed)
        self._players = [f"p{number}" for number in range(players)]
        self._said: list[dict[str, Any]] = []
        self._results: dict[str, tuple[int, list[str]]] = {}
        self._number = 0

    def take(self, count: int) -> list[Body]:
        """The next bodies."""
        return [self._next() for _ in range(count)]

    def _next(self) -> Body:
        kind = self._random.random()
        if kind < 0.12 and self._said:
            self.duplicates += 1
            return self._random.choice(self._said)
        if kind < 0.16 and self._said:
            self.refused += 1
            return {**self._random.choice(self._said), "occurred_at": self._random.randrange(1 << 40)}
        if kind < 0.20:
            self.refused += 1
            return self._random.choice((b"{", b"\xc1", msgspec.json.encode(score(self._id(), "", 1, game=self.game))))
        self.accepted += 1
        said = self._say(self._random.random())
        self._said.append(said)
        return said

    def _say(self, kind: float) -> dict[str, Any]:
        player = self._random.choice(self._players)
        points = self._random.randrange(1_000)
        if kind < 0.8:
            self.totals[player] += points
            self.runs[player] += 1
            values = {"points": points, "seconds": f"{self._random.randrange(500)}.{self._random.randrange(10)}"}
            return score(self._id(), player, points, values=values, game=self.game)
        if kind < 0.88:
            self.totals[player] -= points
            return event(
                "adjustment", self._id(), self.game, player=player, values={"points": -points}, reason="a penalty"
            )
        if kind < 0.93:
            status = "active" if player in self.banned else "banned"
            (self.banned.discard if status == "active" else self.banned.add)(player)
            return event("player", self._id(), self.game, player=player, status=status)
        return self._result(f"f{self._random.randrange(12)}")

    def _result(self, fixture: str) -> dict[str, Any]:
        revision = self._results.get(fixture, (0, []))[0] + self._random.randrange(1, 3)
        ranked = self._random.sample(self._players, 5)
        self._results[fixture] = (revision, ranked)
        lines = [{"player": player, "position": at} for at, player in enumerate(ranked, 1)]
        return event(
            "result",
            self._id(),
            self.game,
            fixture=fixture,
            revision=revision,
            placements=lines,
            round=int(fixture[1:]),
        )

    def _id(self) -> str:
        self._number += 1
        return f"{self.game}-{self._number}"

    async def check(self, harness: Harness) -> None:
        """Nothing was lost and nothing counted twice."""
        await self.check_scores(harness)
        verdicts = dict(
            await harness.pool.fetch(
                "SELECT verdict, count(*) FROM log WHERE game_id IN (0, (SELECT game_id FROM games WHERE name = $1))"
                " GROUP BY verdict",
                self.game,
            )
        )
        assert (verdicts[0], verdicts.get(1, 0), verdicts.get(2, 0)) == (
            self.accepted + 1,
            self.duplicates,
            self.refused,
        )

    async def check_scores(self, harness: Harness) -> None:
        """Every accepted event counts once, however often it was published."""
        shown = [player for player in self.totals if player not in self.banned]
        total = await harness.board("total", game=self.game)
        assert total == {player: {"points": self.totals[player], "runs": self.runs[player]} for player in shown}
        cup: Counter[str] = Counter()
        for _, ranked in self._results.values():
            cup.update(dict(zip(ranked, (25, 18, 15, 0, 0), strict=True)))
        assert await harness.points("cup", self.game) == {
            player: points for player, points in cup.items() if player not in self.banned
        }
        accepted = "SELECT count(*) FROM log JOIN games USING (game_id) WHERE name = $1 AND verdict = 0"
        assert await harness.value(accepted, self.game) == self.accepted + 1
