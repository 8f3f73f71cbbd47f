"""Reads a folder of programming contests (runs.csv, standings.csv) and turns each contest into events."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from examples.f1.corpus import Line, rows
from schemas.events import Player, Score

RULES = Path(__file__).with_name("icpc.toml")
RESULTS = ("accepted", "rejected", "no_penalty")
YES = ("true", "1", "yes")
START_MS = 946_684_800_000
"""The files tell times from the start of a contest; which day that was does not matter to its standings."""

MINUTE_MS = 60_000


@dataclass(frozen=True)
class Contest:
    """One contest: its published lines in their order, and the runs of the teams that these name, in order of time."""

    name: str
    game: str
    lines: list[Line] = field(default_factory=list)
    runs: list[Line] = field(default_factory=list)

    @property
    def ruleset(self) -> str:
        """The rules are the same for all contests; only the game's name differs."""
        return RULES.read_text(encoding="utf-8").replace('game = "icpc"', f'game = "{self.game}"', 1)


def read_contests(folder: Path) -> dict[str, Contest]:
    """The contests of a folder, by name, in the order in which their standings come."""
    contests: dict[str, Contest] = {}
    for line in rows(folder / "standings.csv"):
        name = line["contest"]
        if name not in contests:
            contests[name] = Contest(name, _game(len(contests) + 1, name))
        contests[name].lines.append(line)
    if not contests:
        raise ValueError("no standings.csv with contests in it")
    teams = {name: {line["team_id"] for line in contest.lines} for name, contest in contests.items()}
    for run in rows(folder / "runs.csv"):
        # Runs of whom the standings do not name, such as the jury trying things out, are not part of the contest.
        if run["team_id"] in teams.get(run["contest"], ()):
            contests[run["contest"]].runs.append(run)
    for contest in contests.values():
        contest.lines.sort(key=lambda line: whole(line["row"]))
        contest.runs.sort(key=lambda run: whole(run["time_ms"]))
    return contests


def whole(text: str) -> int:
    """A number of the files without its fraction; 0 where there is none."""
    return int(Decimal(text or 0))


def _game(number: int, name: str) -> str:
    return f"icpc-{number}-{re.sub('[^a-z0-9._-]+', '-', name.lower())[:40]}"


def official_teams(contest: Contest) -> set[str]:
    """The teams in competition: all of them where no line says so."""
    named = {line["team_id"] for line in contest.lines if (line.get("official") or "").lower() in YES}
    return named or {line["team_id"] for line in contest.lines}


def events(contest: Contest) -> Iterator[Player | Score]:
    """Every team by its name and its entry, then the runs as they came."""
    if not contest.runs:
        raise ValueError(f"no runs of {contest.name} in runs.csv")
    official = official_teams(contest)
    for line in contest.lines:
        team = line["team_id"]
        yield Player(id=f"team:{team}", game=contest.game, occurred_at=START_MS, player=team, name=line["team"] or None)
        yield Score(
            id=f"entry:{team}",
            game=contest.game,
            occurred_at=START_MS,
            player=team,
            values={"minute": 0},
            attributes={"official": team in official},
        )
    for number, run in enumerate(contest.runs, 1):
        yield _run(contest, number, run, official)


def _run(contest: Contest, number: int, run: Line, official: set[str]) -> Score:
    if run["result"] not in RESULTS:
        raise ValueError(f"{contest.name}: result {run['result']!r}, known: {', '.join(RESULTS)}")
    after_ms = whole(run["time_ms"])
    return Score(
        id=f"run:{number}",
        game=contest.game,
        occurred_at=START_MS + after_ms,
        player=run["team_id"],
        values={"minute": max(0, after_ms) // MINUTE_MS},
        attributes={
            "problem": run["problem"],
            "result": run["result"],
            "verdict": run.get("verdict") or run["result"],
            "official": run["team_id"] in official,
        },
    )
