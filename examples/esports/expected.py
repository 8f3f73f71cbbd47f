"""What the standings of a season must be, from its events alone: python -m examples.esports.expected < season.jsonl

A plain reading of the rules in README.md. It shares no code with the engine, the ruleset or what made the season up.
"""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

PLACES = [12, 9, 7, 5, 4, 3, 2, 1]
CIRCUIT = [100, 70, 50, 50, 30, 24, 18, 12, 8, 4]
Event = dict[str, Any]
Standing = list[list[Any]]
"""Lines of [rank, team, tier, numbers as the board shows them ...]."""


def standings(events: Iterable[Event]) -> dict[str, Standing]:
    """Every ranking after the last event, by `board period`."""
    season = _Season()
    for event in events:
        season.take(event)
    return season.standings()


def badges(events: Iterable[Event]) -> set[tuple[str, str, str]]:
    """(ranking, team, badge) of all that were ever earned."""
    season, earned = _Season(), set()
    for event in events:
        season.take(event)
        for ranking, lines in season.standings().items():
            for _, team, _, *numbers in lines:
                if ranking.startswith("cup ") and numbers[2] >= 25:
                    earned.add((ranking, team, "hunter"))
                if ranking == "season all" and numbers[2] >= 2:
                    earned.add((ranking, team, "double"))
    return earned


class _Season:
    """What is known so far: fixtures by name, the latest result of each, what officials took off, who is out."""

    def __init__(self) -> None:
        self.fixtures: dict[str, Event] = {}
        self.results: dict[str, Event] = {}
        self.taken: list[Event] = []
        self.out: set[str] = set()

    def take(self, event: Event) -> None:
        kind = event["type"]
        if kind == "fixture":
            self.fixtures[event["fixture"]] = event
        elif kind == "result" and event.get("revision", 1) >= self.results.get(event["fixture"], {}).get("revision", 0):
            self.results[event["fixture"]] = {"revision": 1, **event}
        elif kind == "adjustment":
            self.taken.append(event)
        elif kind == "player" and event.get("status") == "banned":
            self.out.add(event["player"])

    def held(self, kind: str, cup: int | None = None) -> list[tuple[Event, Event]]:
        """(fixture, result) of a kind, in the order in which they were held."""
        found = [
            (fixture, self.results[name])
            for name, fixture in self.fixtures.items()
            if fixture["attributes"]["kind"] == kind and name in self.results and cup in (None, fixture["round"])
        ]
        return sorted(found, key=lambda pair: str(pair[0]["starts_at"]))

    def standings(self) -> dict[str, Standing]:
        cups = sorted({fixture["round"] for fixture in self.fixtures.values()})
        found = {"season all": self._season(), "playoffs all": self._playoffs(None), "hunters all": self._hunters()}
        for cup in cups:
            found[f"cup round:{cup}"] = self._cup(cup)
            found[f"playoffs round:{cup}"] = self._playoffs(cup)
        return {ranking: lines for ranking, lines in found.items() if lines}

    def _lobbies(self, cup: int | None) -> dict[str, list[tuple[int, int, int]]]:
        """(points, place, kills) of every lobby that a team played."""
        teams: dict[str, list[tuple[int, int, int]]] = {}
        for _, result in self.held("lobby", cup):
            for line in result["placements"]:
                if line.get("status") == "played":
                    place, kills = line["position"], line["values"]["kills"]
                    points = kills + (PLACES[place - 1] if place <= len(PLACES) else 0)
                    if place == 1 and kills >= 8:
                        points += 2
                    teams.setdefault(line["player"], []).append((points, place, kills))
        return teams

    def _cup(self, cup: int) -> Standing:
        teams = {}
        for team, lobbies in self._lobbies(cup).items():
            taken = sum(
                event["values"]["points"] for event in self.taken if (event["player"], event["round"]) == (team, cup)
            )
            best = sorted((points for points, _, _ in lobbies), reverse=True)[:5]
            places = [place for _, place, _ in lobbies]
            numbers = [sum(best) + taken, places.count(1), sum(kills for _, _, kills in lobbies), min(places)]
            teams[team] = (numbers, [numbers[0], numbers[1], numbers[2], *_firsts(places)])
        return self._ranked(teams, lambda rank, _: "play-offs" if rank <= 4 else None)

    def _season(self) -> Standing:
        cups: dict[str, list[int]] = {}
        for _, result in self.held("cup"):
            for line in result["placements"]:
                if line.get("status") is None:
                    cups.setdefault(line["player"], []).append(line["position"])
        teams = {}
        for team, places in cups.items():
            points = [CIRCUIT[place - 1] if place <= len(CIRCUIT) else 0 for place in places]
            total = sum(sorted(points, reverse=True)[:3])
            teams[team] = ([total, len(places), places.count(1), min(places)], [total, *_firsts(places)])

        def tier(rank: int, of: int) -> str | None:
            if rank == 1:
                return "champion"
            # Half of them, rounded up.
            return "invited" if rank <= 4 else "seeded" if rank <= (of + 1) // 2 else None

        return self._ranked(teams, tier)

    def _playoffs(self, cup: int | None) -> Standing:
        played: dict[str, list[tuple[int, int]]] = {}
        for fixture, result in self.held("series", cup):
            score = result["score"]
            if max(score) * 2 > fixture["attributes"]["games"]:
                for side, own, other in zip(fixture["sides"], score, reversed(score), strict=True):
                    played.setdefault(side, []).append((own, other))
        teams = {}
        for team, series in played.items():
            points = 3 * sum(own > other for own, other in series)
            own, other = (sum(column) for column in zip(*series, strict=True))
            form = "".join("W" if own > other else "L" for own, other in series[-5:])
            teams[team] = ([points, len(series), own, other, own - other, form], [points, own - other, own])
        return self._ranked(teams, lambda *_: None)

    def _hunters(self) -> Standing:
        teams = {}
        for team, lobbies in self._lobbies(None).items():
            if len(lobbies) >= 4:
                kills, places = [kills for _, _, kills in lobbies], [place for _, place, _ in lobbies]
                hundredths = (200 * sum(places) + len(places)) // (2 * len(places))
                average = f"{hundredths // 100}.{hundredths % 100:02d}"
                teams[team] = ([sum(kills), len(lobbies), average, max(kills)], [sum(kills), -hundredths])
        return self._ranked(teams, lambda *_: None)

    def _ranked(
        self, teams: dict[str, tuple[list[Any], list[int]]], tier: Callable[[int, int], str | None]
    ) -> Standing:
        """Teams by their keys, the greatest first; equal keys share a rank, and who is out leaves no gap."""
        inside = {team: held for team, held in teams.items() if team not in self.out}
        lines: Standing = []
        for team, (numbers, key) in sorted(inside.items(), key=lambda item: ([-part for part in item[1][1]], item[0])):
            rank = 1 + sum(other > key for _, other in inside.values())
            lines.append([rank, team, tier(rank, len(inside)), *numbers])
        return lines


def _firsts(places: list[int]) -> list[int]:
    """How many first places, second places, and so on."""
    return [places.count(place) for place in range(1, 13)]


if __name__ == "__main__":
    json.dump(standings(map(json.loads, sys.stdin)), sys.stdout, indent=1)
