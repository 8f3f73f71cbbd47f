"""The touchdown season through the real servers: every player's statistics against a plain reading of the rules."""

import json
from collections.abc import AsyncIterator, Container, Iterable
from pathlib import Path
from typing import Any

import pytest

from examples.touchdown_picks.season import GAME, PLAYERS, Season
from schemas.codec import encode
from tests.integration.api_stack import Stack, ruleset, running

pytestmark = pytest.mark.services
ROOT = Path(__file__).parents[2]
RULES = (ROOT / "examples" / "touchdown_picks" / "touchdown.toml").read_text()
# The example was recorded long after its games, and locks go by recorded time.
OPEN_RULES = RULES.replace('lock = { at = "start" }', 'lock = { at = "never" }').replace(
    'guess = "absolute"', 'guess = "absolute"\nlock = { at = "never" }'
)
Fields = dict[str, Any]
SEASON = range(1, 9)


@pytest.fixture
async def stack(database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Stack]:
    async with running(database_url, redis_log_url, redis_rankings_url) as stack:
        yield stack


class Reading:
    """The rules of the example in plain words, over any part of its season; nothing of the engine is used."""

    def __init__(self, events: Iterable[Fields]) -> None:
        self.fixtures: dict[str, Fields] = {}
        self.results: dict[str, Fields] = {}
        self.picks: dict[tuple[str, str, str], str] = {}
        for event in events:
            if event["type"] == "fixture":
                self.fixtures[event["fixture"]] = event
            elif event["type"] == "pick":
                self.picks[event["player"], event["fixture"], event["market"]] = event["choice"]
            elif event["type"] == "result":
                self.results[event["fixture"]] = event
        self.played = sorted(self.results, key=lambda name: (self.fixtures[name]["starts_at"], name))

    def graded(self, player: str) -> list[tuple[int, int]]:
        """(week, points) of his picks in the order of the games."""
        found = []
        for name in self.played:
            choice = self.picks.get((player, name, "touchdown"))
            outcomes = self.results[name].get("outcomes")
            if choice is not None and outcomes is not None:
                points = 3 * (choice in outcomes["first-touchdown"]) + (choice in outcomes["touchdown"])
                found.append((self.fixtures[name]["round"], points))
        return found

    def distance(self, player: str) -> tuple[int, int] | None:
        """(week, distance) of his guess."""
        for name in self.played:
            guess = self.picks.get((player, name, "total"))
            outcomes = self.results[name].get("outcomes")
            if guess is not None and outcomes is not None:
                return self.fixtures[name]["round"], abs(int(guess) - int(outcomes["total"][0]))
        return None

    def pending(self, player: str) -> int:
        return sum(
            who == player and market == "touchdown" and name not in self.results for who, name, market in self.picks
        )

    def standings(self, weeks: Container[int]) -> dict[str, tuple[int, int, int]]:
        """(points, right picks, minus the distance) of everybody who was graded in these weeks."""
        found = {}
        for player in PLAYERS:
            graded = [points for at, points in self.graded(player) if at in weeks]
            guess = self.distance(player)
            near = None if guess is None or guess[0] not in weeks else -guess[1]
            if graded or near is not None:
                wins = sum(points > 0 for points in graded)
                found[player] = sum(graded), wins, -(10**9) if near is None else near
        return found

    def place(self, player: str, weeks: Container[int]) -> tuple[int, int, int] | None:
        """(rank, tied, total)."""
        standings = self.standings(weeks)
        if player not in standings:
            return None
        mine = standings[player]
        return 1 + sum(other > mine for other in standings.values()), [*standings.values()].count(mine), len(standings)


def expected(reading: Reading, player: str) -> Fields:
    graded = reading.graded(player)
    wins, losses = sum(points > 0 for _, points in graded), sum(points == 0 for _, points in graded)
    weeks = [week for week in SEASON if player in reading.standings([week])]
    scores = {week: reading.standings([week])[player] for week in weeks}
    place = reading.place(player, SEASON)
    present = max((week for week in SEASON if reading.standings([week])), default=1)
    before = reading.place(player, range(1, present))
    run = longest = 0
    for _, points in graded:
        run = run + 1 if points else 0
        longest = max(longest, run)
    return {
        "place": place,
        "movement": None if place is None or before is None else before[0] - place[0],
        "points": sum(points for _, points in graded) if weeks else None,
        "wins": wins,
        "losses": losses,
        "pending": reading.pending(player),
        "percentage": f"{(20_000 * wins + wins + losses) // (2 * (wins + losses)) / 10_000:.4f}" if graded else None,
        "best": max(weeks, key=lambda week: (scores[week], -week), default=None),
        "worst": min(weeks, key=lambda week: (scores[week], week), default=None),
        "rounds": [(week, *(reading.place(player, [week]) or ()), scores[week][0], scores[week][1]) for week in weeks],
        "streaks": {"streak": run, "longest": longest} if weeks else {},
    }


def told(answer: Fields) -> Fields:
    """What the API says, in the form of `expected`."""
    lines = answer["rounds"]
    place = answer["rank"], answer["tied"], answer["total"]
    same = ("movement", "wins", "losses", "pending", "percentage", "streaks")
    return {name: answer[name] for name in same} | {
        "place": None if answer["rank"] is None else place,
        "points": answer["totals"] and answer["totals"]["points"],
        "best": answer["best"] and answer["best"]["round"],
        "worst": answer["worst"] and answer["worst"]["round"],
        "rounds": [
            (at["round"], at["rank"], at["tied"], at["total"], at["metrics"]["points"], at["metrics"]["wins"])
            for at in lines
        ],
    }


async def test_a_season_is_followed_from_the_first_pick_to_the_last_correction(stack: Stack) -> None:
    await stack.publish(ruleset(OPEN_RULES), game=GAME)
    events = [json.loads(encode(event)) for event in Season().events()]
    corrected = next(at for at, event in enumerate(events) if event.get("revision") == 2)
    done, changed, waited = 0, 0, 0
    for end in (60, 470, corrected, corrected + 1, len(events)):
        before = expected(Reading(events[:done]), "ada")
        for at in range(done, end, 500):
            await stack.publish(*events[at : min(end, at + 500)], game=GAME)
        done = end
        reading = Reading(events[:end])
        waited += sum(reading.pending(player) for player in PLAYERS)
        for player in PLAYERS:
            answer = await stack.get(f"/v1/games/{GAME}/players/{player}/stats")
            if not any(who == player for who, _, _ in reading.picks):
                assert answer.status == 404
                continue
            assert told(answer.json) == expected(reading, player), (end, player)
        changed += expected(reading, "ada") != before
    assert changed >= 3
    assert waited > 50
