"""The corpus of programming contests: one published table a contest, by problems solved, penalty minutes, last accepted."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

from examples.f1.corpus import Line
from examples.icpc.converter import MINUTE_MS, Contest, events, official_teams, read_contests, whole
from tests.corpora.contest import Cell, Corpus, Official, Recipe, Step
from tests.corpora.contest import Contest as Judged

FINAL = "final"
Key = tuple[int, int, int]
"""What decides a place: minus problems solved, penalty minutes, minute of the last problem solved."""


def seasons(folder: Path) -> list[str]:
    """The names of the contests that have standings."""
    return list(read_contests(folder))


def contests(folder: Path, chosen: list[str]) -> Iterator[tuple[str, Recipe]]:
    """The chosen contests of the folder, in order."""
    for name, contest in read_contests(folder).items():
        if name in chosen:
            yield name, partial(_contest, contest)


def _contest(contest: Contest) -> Judged:
    official = official_teams(contest)
    lines = [line for line in contest.lines if line["team_id"] in official]
    keys = _keys(contest, lines)
    published: list[Official] = []
    excused: dict[Cell, Decimal | None] = {}
    for first, last in _pieces(keys):
        level = len(set(keys[first:last])) == 1
        alike = len({solved for solved, _, _ in keys[first:last]}) == 1
        for at in range(first, last):
            line = lines[at]
            published.append(
                Official(line["team_id"], first + 1 if level else at + 1, _values(line), last if level else None)
            )
            if not level and alike:
                excused[Cell("standings", FINAL, line["team_id"], "position")] = None
    tables = {(FINAL, "standings"): published}
    if len(lines) < len(contest.lines):
        # Where a source puts the teams out of competition is its own affair; their numbers are not.
        every = [Official(line["team_id"], 1, _values(line), len(contest.lines)) for line in contest.lines]
        tables[FINAL, "everyone"] = every
    return Judged(contest.name, contest.game, contest.ruleset, [Step(FINAL, list(events(contest)))], tables, excused)


def _values(line: Line) -> dict[str, Decimal]:
    published = {"solved": line["solved"], "penalty": line["penalty_minutes"]}
    return {name: Decimal(text) for name, text in published.items() if text}


def _keys(contest: Contest, lines: list[Line]) -> list[Key]:
    """What decides the place of each published line: its own numbers, and the time of the last accepted run.

    Where the source leaves out a penalty, teams are level with all that solved as many.
    """
    last = _last_solved(contest)
    untold = {line["solved"] for line in lines if not line["penalty_minutes"]}
    return [
        (-whole(line["solved"]), 0, 0)
        if line["solved"] in untold
        else (-whole(line["solved"]), whole(line["penalty_minutes"]), last.get(line["team_id"], 0))
        for line in lines
    ]


def _last_solved(contest: Contest) -> dict[str, int]:
    """The minute in which each team solved its last problem."""
    solved: set[tuple[str, str]] = set()
    last: dict[str, int] = {}
    for run in contest.runs:
        problem = (run["team_id"], run["problem"])
        if run["result"] == "accepted" and problem not in solved:
            solved.add(problem)
            last[run["team_id"]] = whole(run["time_ms"]) // MINUTE_MS
    return last


def _pieces(keys: list[Key]) -> Iterator[tuple[int, int]]:
    """Cuts published lines wherever all before are ahead of all behind: [first, last) of each piece.

    A piece is one team; or teams that are level, whose order says nothing; or teams that the source orders otherwise than
    by these keys. If those solved as many (below the medals they may be listed by name), their places are exceptions.
    """
    first = 0
    for at in range(1, len(keys) + 1):
        if at == len(keys) or max(keys[:at]) < min(keys[at:]):
            yield first, at
            first = at


CORPUS = Corpus(seasons, contests)
