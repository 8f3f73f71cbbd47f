"""Small invented seasons in the form of the Formula 1 corpus, with the tables that a plain reading of the rules gives.

The reference is written without the engine, on fractions and sorted tuples, so that both agree only if both are right.
"""

import csv
import json
import random
from collections import Counter, defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

SPLIT = "1 point, split equally between drivers credited with the same time, whatever their finish"
TOP = "1 point if classified in the top 4 of the race"
SCORING = "countback over points-scoring race finishes; equal positions shared"
CLASSIFIED = "countback over all classified race finishes (sprints do not count); equal positions shared"
REACHED = "countback over points-scoring race finishes; full ties ordered by who reached the result first, not shared"

ERAS: dict[int, dict[str, Any]] = {
    2901: {
        "best": [4],
        "fastest": SPLIT,
        "shared": "divided equally",
        "tie": SCORING,
        "listed": "only entrants with points",
    },
    2902: {
        "best": [3, 2],
        "fastest": None,
        "shared": "no points",
        "tie": SCORING,
        "listed": "only entrants with points",
    },
    2903: {
        "best": [None],
        "fastest": None,
        "shared": "no points",
        "tie": REACHED,
        "listed": "only entrants with points",
    },
    2904: {
        "best": [None],
        "fastest": TOP,
        "shared": "no points",
        "tie": CLASSIFIED,
        "listed": "every driver with at least one classified race finish",
        "sprint": [3, 2, 1],
    },
    2905: {"best": [None], "fastest": None, "shared": "no points", "tie": CLASSIFIED, "listed": "every entered driver"},
}
POINTS = [9, 6, 4, 3, 2, 1]
TEAM_POINTS = [8, 6, 4, 3, 2, 1]
ROUNDS = 7
DRIVERS = [f"driver-{number:02d}" for number in range(12)]
HALF_ROUND = 5
DEDUCTION_ROUND = 4
BANNED = "driver-03"


def rules_of(era: dict[str, Any]) -> dict[str, Any]:
    """An era as an entry of rules.json."""
    bounds = [(1, ROUNDS)] if len(era["best"]) == 1 else [(1, 4), (5, ROUNDS)]
    segments = [
        {"from_round": low, "to_round": high, "best": n} for (low, high), n in zip(bounds, era["best"], strict=True)
    ]
    return {
        "race_points": POINTS,
        "sprint_points": era.get("sprint"),
        "fastest_lap_point": era["fastest"],
        "half_or_double_rounds": {str(HALF_ROUND): "0.5"},
        "drivers_segments": segments,
        "shared_drives": f"points {era['shared']} for a shared car",
        "tie_break": era["tie"],
        "listed": era["listed"],
        "constructors": {
            "cars_counted": "all cars" if era["best"] == [None] else "best car of each constructor+engine per race",
            "segments": segments,
            "race_points": TEAM_POINTS,
            "fastest_lap_point": None,
            "indianapolis_500_counts": False,
            "tie_break": era["tie"]
            .replace(", not shared", "")
            .replace("; full ties ordered by who reached the result first", ""),
        },
    }


def write(folder: Path, seed: int) -> None:
    """Writes a corpus folder of invented seasons."""
    chance = random.Random(seed)
    races: list[dict[str, Any]] = []
    tables: dict[str, list[dict[str, Any]]] = {"driver": [], "constructor": []}
    for year, era in ERAS.items():
        held = [_session(chance, year, number, kind) for number in range(1, ROUNDS + 1) for kind in _kinds(era, number)]
        races += [row for session in held for row in session]
        reference = Reference(rules_of(era), year)
        for number in range(1, ROUNDS + 1):
            for session in held:
                if session[0]["round"] == number:
                    reference.add(session)
            reference.publish(str(number), number, tables)
        reference.publish("final", ROUNDS, tables)
    decisions = [_deduction(year) for year in ERAS] + [_exclusion(year) for year in ERAS]
    _write(folder / "races.csv", races)
    _write(folder / "driver_standings.csv", tables["driver"])
    _write(folder / "constructor_standings.csv", tables["constructor"])
    _write(folder / "adjustments.csv", decisions)
    (folder / "rules.json").write_text(json.dumps({str(year): rules_of(era) for year, era in ERAS.items()}))


def _kinds(era: dict[str, Any], number: int) -> list[str]:
    return ["sprint", "race"] if era.get("sprint") and number % 2 == 0 else ["race"]


def _deduction(year: int) -> dict[str, Any]:
    row = {"scope": "constructor", "season": year, "effective_round": DEDUCTION_ROUND, "entity": "team-1+engine-1"}
    return {**row, "kind": "points", "value": "-2.5", "reason": "a part that was not allowed"}


def _exclusion(year: int) -> dict[str, Any]:
    row = {"scope": "driver", "season": year, "effective_round": "final", "entity": BANNED}
    return {**row, "kind": "excluded_keeps_points", "value": "", "reason": "left a race in the wrong direction"}


def _session(chance: random.Random, year: int, number: int, kind: str) -> list[dict[str, Any]]:
    """A session's rows. Some cars have two drivers, and one driver may be in two cars."""
    cars = chance.sample(range(len(DRIVERS)), len(DRIVERS) - 2)
    classified = chance.randint(6, len(cars))
    fastest = set(chance.sample(cars, chance.choice([1, 1, 2, 3]))) if kind == "race" else set()
    rows: list[dict[str, Any]] = []
    for place, car in enumerate(cars, 1):
        crew = [car, *([chance.choice(cars)] if kind == "race" and chance.random() < 0.15 else [])]
        for order, driver in enumerate(dict.fromkeys(crew)):
            position = str(place) if place <= classified else ""
            rows.append(
                {
                    "season": year,
                    "round": number,
                    "date": f"{year}-{number:02d}-10" if kind == "race" else "",
                    "race": "indianapolis" if number == 3 else f"race-{number}",
                    "kind": kind,
                    "result_order": len(rows) + 1,
                    "position": position,
                    "position_text": position or "DNF",
                    "car_number": car + 1,
                    "driver_id": DRIVERS[driver],
                    "constructor_id": f"team-{car % 4}",
                    "engine_id": f"engine-{car % 2}",
                    "shared_car": "true" if order else "false",
                    "fastest_lap": "true" if car in fastest and order == 0 else "false",
                    "points": "",
                }
            )
    return rows


class Reference:
    """One season by the book: what every entrant scored in each round, and his finishes."""

    def __init__(self, rules: dict[str, Any], year: int) -> None:
        self.rules = rules
        self.year = year
        self.scores: dict[str, dict[str, dict[int, list[Fraction]]]] = {
            board: defaultdict(lambda: defaultdict(list)) for board in ("driver", "constructor")
        }
        self.finishes: dict[str, dict[str, Counter[int]]] = {
            board: defaultdict(Counter) for board in ("driver", "constructor")
        }
        self.classified: set[tuple[str, str]] = set()
        self.reached: dict[str, tuple[Any, int]] = {}

    def add(self, session: list[dict[str, Any]]) -> None:
        """Scores a session for both championships."""
        first = session[0]
        for row in session:
            self._score("driver", row["driver_id"], row, session, self.rules)
            if first["race"] != "indianapolis":
                team = f"{row['constructor_id']}+{row['engine_id']}"
                self._score("constructor", team, row, session, self.rules["constructors"])
        totals = {driver: self._key("driver", driver) for driver in self.scores["driver"]}
        for driver, key in totals.items():
            if self.reached.get(driver, (None, 0))[0] != key:
                self.reached[driver] = (key, first["round"])

    def _score(
        self, board: str, who: str, row: dict[str, Any], session: list[dict[str, Any]], own: dict[str, Any]
    ) -> None:
        race = row["kind"] == "race"
        table = own["race_points"] if race else self.rules["sprint_points"]
        points = Fraction(0)
        if row["position"] and int(row["position"]) <= len(table):
            crew = sum(1 for other in session if other["car_number"] == row["car_number"])
            points = Fraction(table[int(row["position"]) - 1])
            if race and row["round"] == HALF_ROUND:
                points /= 2
            if crew > 1:
                points = points / crew if "equally" in self.rules["shared_drives"] else Fraction(0)
        if row["fastest_lap"] == "true" and own["fastest_lap_point"] == SPLIT:
            points += Fraction(1, sum(1 for other in session if other["fastest_lap"] == "true"))
        if row["fastest_lap"] == "true" and own["fastest_lap_point"] == TOP and row["position"]:
            points += 1 if int(row["position"]) <= 4 else 0
        points = Fraction((200 * points + 1) // 2, 100)
        self.scores[board][who][row["round"]].append(points)
        if race and row["position"]:
            self.classified.add((board, who))
            if "points-scoring" not in own["tie_break"] or points > 0:
                self.finishes[board][who][int(row["position"])] += 1

    def _key(self, board: str, who: str) -> tuple[Any, ...]:
        own = self.rules if board == "driver" else self.rules["constructors"]
        best_car = own.get("cars_counted", "").startswith("best car")
        rounds = {
            number: max(scored) if best_car else sum(scored, Fraction(0))
            for number, scored in self.scores[board][who].items()
        }
        if board == "constructor" and who == "team-1+engine-1" and self._round >= DEDUCTION_ROUND:
            rounds[DEDUCTION_ROUND] = rounds.get(DEDUCTION_ROUND, Fraction(0)) - Fraction(5, 2)
        total = Fraction(0)
        for segment in own["drivers_segments" if board == "driver" else "segments"]:
            inside = [rounds[n] for n in rounds if segment["from_round"] <= n <= segment["to_round"]]
            total += sum(sorted(inside, reverse=True)[: segment["best"]], Fraction(0))
        return total, tuple(self.finishes[board][who][place] for place in range(1, 20))

    _round = 0

    def publish(self, label: str, number: int, tables: dict[str, list[dict[str, Any]]]) -> None:
        """Appends the tables as they stand to the published ones."""
        self._round = number
        for board in ("driver", "constructor"):
            own = self.rules if board == "driver" else self.rules["constructors"]
            keys = {who: self._key(board, who) for who in self.scores[board]}
            if "not shared" in own["tie_break"]:
                keys = {who: (*key, -self.reached[who][1]) for who, key in keys.items()}
            listed = [who for who, key in keys.items() if self._is_listed(board, who, key[0])]
            out = [who for who in listed if (board, label, who) == ("driver", "final", BANNED)]
            ranked = [who for who in listed if who not in out]
            for who in listed:
                place = "" if who in out else str(1 + sum(1 for other in ranked if keys[other] > keys[who]))
                tables[board].append(self._line(board, label, who, place, keys[who][0]))

    def _is_listed(self, board: str, who: str, points: Fraction) -> bool:
        words = self.rules["listed"]
        if "with points" in words:
            return points > 0
        return "entered" in words or (board, who) in self.classified

    def _line(self, board: str, label: str, who: str, place: str, points: Fraction) -> dict[str, Any]:
        line = {"season": self.year, "round": label, "position": place, "position_text": place or "DSQ"}
        name = (
            {"driver_id": who}
            if board == "driver"
            else dict(zip(("constructor_id", "engine_id"), who.split("+"), strict=True))
        )
        return {**line, **name, "points": f"{float(points):.2f}".rstrip("0").rstrip("."), "championship_won": "false"}


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
