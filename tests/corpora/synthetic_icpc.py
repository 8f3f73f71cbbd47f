"""Small invented programming contests in the form of the corpus, with the standings that a plain reading gives.

Times fall on few minutes, so that teams are level on everything, or on all but the last accepted run, now and then.
"""

import csv
import random
from pathlib import Path

CONTESTS = ("finals-2901", "Finals 2902 (by name)", "2903")
BY_NAME = CONTESTS[1]
"""Below the first ten, this one lists teams with as many problems by name."""

TEAMS, PROBLEMS = 40, "ABCDEF"
VERDICTS = {"accepted": ["AC"], "rejected": ["WA", "TLE", "RTE"], "no_penalty": ["CE", ""]}
Run = tuple[int, str, str, str]
"""(time in ms, team, problem, result)."""


def write(folder: Path, seed: int) -> None:
    """Writes runs.csv and standings.csv."""
    chance = random.Random(seed)
    runs: list[list[object]] = []
    lines: list[list[object]] = []
    for contest in CONTESTS:
        names = {f"{number}": f"Team {chance.choice('abcxyz')}{number:03d}" for number in range(1, TEAMS + 1)}
        outside = set(chance.sample(sorted(names), 4)) if contest != CONTESTS[2] else set()
        held = _runs(chance, sorted(names)[2:])
        # The file has the runs of a contest in whatever order; no two of one team at the same time.
        shuffled = sorted(held, key=lambda _: chance.random())
        runs += [
            [contest, at, team, problem, result, chance.choice(VERDICTS[result])]
            for at, team, problem, result in shuffled
        ]
        runs.append([contest, 1_000, "jury", "A", "accepted", "AC"])
        for row, team in enumerate(_order(contest, names, held), 1):
            solved, penalty, _ = _score(held, team)
            lines.append([contest, row, team, names[team], solved, penalty, "false" if team in outside else "true"])
    _write(folder / "runs.csv", "contest,time_ms,team_id,problem,result,verdict", runs)
    _write(folder / "standings.csv", "contest,row,team_id,team,solved,penalty_minutes,official", lines)


def _runs(chance: random.Random, teams: list[str]) -> list[Run]:
    held: dict[tuple[int, str], Run] = {}
    for team in teams:
        for _ in range(chance.randrange(10)):
            at = chance.randrange(0, 300, 30) * 60_000 + chance.randrange(60_000)
            result = chance.choices(["accepted", "rejected", "no_penalty"], [4, 3, 1])[0]
            held[at, team] = (at, team, chance.choice(PROBLEMS), result)
    return sorted(held.values())


def _score(runs: list[Run], team: str) -> tuple[int, int, int]:
    """Problems solved, penalty minutes, and the minute of the last accepted run of one team."""
    solved = penalty = last = 0
    for problem in PROBLEMS:
        own = [(at, result) for at, who, which, result in runs if who == team and which == problem]
        results = [result for _, result in own]
        if "accepted" in results:
            first = results.index("accepted")
            minute = own[first][0] // 60_000
            solved += 1
            penalty += minute + 20 * results[:first].count("rejected")
            last = max(last, minute)
    return solved, penalty, last


def _order(contest: str, names: dict[str, str], runs: list[Run]) -> list[str]:
    def place(team: str) -> tuple[int, int, int, str]:
        solved, penalty, last = _score(runs, team)
        return -solved, penalty, last, names[team]

    ordered = sorted(names, key=place)
    if contest != BY_NAME:
        return ordered
    return ordered[:10] + sorted(ordered[10:], key=lambda team: (place(team)[0], names[team]))


def _write(path: Path, header: str, lines: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(lines)
