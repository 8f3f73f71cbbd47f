"""A small invented capture-the-flag event in the form of the corpus, with the standings that a plain reading gives."""

import csv
import random
from collections.abc import Iterable
from pathlib import Path

TEAMS = [f"t{number}" for number in range(1, 31)]
STAFF = "t13"
CHALLENGES = range(1, 16)
START_MS = 1_800_000_000_000


def write(folder: Path, seed: int) -> None:
    """Writes solves.csv, challenges.csv and standings.csv."""
    chance = random.Random(seed)
    worth = {number: chance.choice([50, 100, 100, 200]) for number in CHALLENGES}
    division = {team: 9 if team == STAFF else chance.choice([1, 2]) for team in TEAMS}
    score, solved, last = dict.fromkeys(TEAMS, 0), dict.fromkeys(TEAMS, 0), dict.fromkeys(TEAMS, 0)
    solves = []
    at = START_MS
    # Few teams solve much, and some nothing, so that many are level.
    pairs = [(team, number) for team in TEAMS[4:] for number in CHALLENGES]
    for team, number in chance.sample(pairs, 80):
        at += chance.randrange(1, 100_000)
        points = chance.choice([worth[number], worth[number], 0])
        solves.append((at, team, number, chance.choice(["Normal", "FirstBlood"]), points))
        score[team] += points
        solved[team] += 1
        last[team] = at if points else last[team]

    def order(team: str) -> tuple[int, int, float]:
        return -score[team], last[team], chance.random()

    ordered = sorted(TEAMS, key=order)
    ranked = [team for team in ordered if team != STAFF]
    lines = []
    for team in ordered:
        inside = [other for other in ordered if division[other] == division[team]]
        rank = 0 if team == STAFF else ranked.index(team) + 1
        when = last[team] or ""
        lines.append((team, division[team], score[team], solved[team], when, rank, inside.index(team) + 1))
    _write(folder / "solves.csv", "time_ms,team_id,challenge_id,type,score", solves)
    challenges = [(number, "Misc", points, 0, "true") for number, points in worth.items()]
    _write(folder / "challenges.csv", "challenge_id,category,final_value,solved,blood_bonus", challenges)
    _write(folder / "standings.csv", "team_id,division,score,solved,last_submission_ms,rank,division_rank", lines)


def _write(path: Path, header: str, lines: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(lines)
