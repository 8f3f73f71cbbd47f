"""Reads a folder of one capture-the-flag event (solves.csv, challenges.csv, standings.csv) and turns it into events."""

from collections.abc import Iterator
from pathlib import Path

from examples.f1.corpus import Line, rows
from schemas.events import Attributes, Score

RULES = Path(__file__).with_name("ctf.toml")
GAME = "ctf"
STAFF_RANK = "0"


def ruleset() -> str:
    """The rules, the same for every event."""
    return RULES.read_text(encoding="utf-8")


def read_teams(folder: Path) -> dict[str, Line]:
    """The published lines, by team; ValueError when there are none."""
    teams = {line["team_id"]: line for line in rows(folder / "standings.csv")}
    if not teams:
        raise ValueError("no standings.csv with teams in it")
    return teams


def events(folder: Path) -> Iterator[Score]:
    """Every team's entry, when the first flag falls, then the solves in order of time."""
    teams = {team: _attributes(line) for team, line in read_teams(folder).items()}
    # Whom the standings do not name takes no part.
    solves = [solve for solve in rows(folder / "solves.csv") if solve["team_id"] in teams]
    solves.sort(key=lambda solve: int(solve["time_ms"]))
    if not solves:
        raise ValueError("no solves in solves.csv")
    start_ms = int(solves[0]["time_ms"])
    for team, attributes in teams.items():
        values = {"points": 0}
        yield Score(
            id=f"entry:{team}", game=GAME, occurred_at=start_ms, player=team, values=values, attributes=attributes
        )
    categories = {line["challenge_id"]: line["category"] for line in rows(folder / "challenges.csv")}
    for number, solve in enumerate(solves, 1):
        challenge = solve["challenge_id"]
        of_solve: Attributes = {"challenge": challenge, "kind": solve["type"]}
        if challenge in categories:
            of_solve["category"] = categories[challenge]
        yield Score(
            id=f"solve:{number}",
            game=GAME,
            occurred_at=int(solve["time_ms"]),
            player=solve["team_id"],
            values={"points": int(solve["score"]), "at": int(solve["time_ms"])},
            attributes={**teams[solve["team_id"]], **of_solve},
        )


def _attributes(line: Line) -> Attributes:
    staff: Attributes = {"staff": line["rank"] == STAFF_RANK}
    return {**staff, "division": line["division"]} if line["division"] else staff
