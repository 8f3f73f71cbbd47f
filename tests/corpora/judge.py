"""Compares our tables with the published ones, cell by cell, and keeps count."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPException

from schemas.errors import RankfoldError
from tests.corpora.contest import Cell, Contest, Line, Official, Recipe, Runner

NOT_LISTED = "not listed"
NOT_RANKED = "not ranked"
NOT_COMPARED = "not compared"


@dataclass(frozen=True)
class Difference:
    """A cell in which our table differs from the published one."""

    season: str
    cell: Cell
    official: str
    ours: str


@dataclass
class Verdict:
    """What became of one season. `error` says why it could not be judged to its end."""

    season: str
    rows: int = 0
    mismatches: list[Difference] = field(default_factory=list)
    exceptions: list[Difference] = field(default_factory=list)
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing differs that the corpus does not mark as an exception."""
        return not self.mismatches and not self.error


def judge(season: str, recipe: Recipe, runner: Runner) -> Verdict:
    """Plays a contest and compares every table; a failure ends the season, not the run."""
    verdict = Verdict(season)
    missing: set[tuple[str, str]] = set()
    try:
        contest = recipe()
        missing.update(contest.official)
        for cell, reason in contest.unknown.items():
            verdict.rows += 1
            verdict.exceptions.append(Difference(season, cell, NOT_COMPARED, reason))
        if not missing and not contest.unknown:
            raise ValueError("the corpus has no published table of this season")
        for step, tables in runner(contest):
            for (label, board), published in contest.official.items():
                if label == step:
                    missing.discard((label, board))
                    _compare(contest, verdict, step, board, published, tables.get(board, []))
    except (RankfoldError, OSError, ValueError, KeyError, HTTPException) as error:
        verdict.error = f"{type(error).__name__}: {error}"
    if missing and not verdict.error:
        verdict.error = "no results for the published tables of " + ", ".join(sorted({step for step, _ in missing}))
    return verdict


def _compare(
    contest: Contest, verdict: Verdict, step: str, board: str, published: list[Official], lines: list[Line]
) -> None:
    ranked = {row.entrant for row in published if row.position is not None}
    held = {line.entrant: line for line in lines}
    named = {row.entrant for row in published}
    verdict.rows += len(published)
    for row in published:
        if row.position is None and row.entrant in ranked:
            continue  # Shown twice under one name, as excluded and as ranked anew: we keep the ranked one.
        for name, official, ours, value in _differences(row, held.get(row.entrant)):
            _record(contest, verdict, Cell(board, step, row.entrant, name), official, ours, value)
    for line in lines:
        if line.rank is not None and line.entrant not in named and not contest.partial:
            verdict.rows += 1
            cell = Cell(board, step, line.entrant, "listed")
            _record(contest, verdict, cell, NOT_LISTED, _words(line), next(iter(line.values.values()), None))


def _differences(row: Official, line: Line | None) -> Iterator[tuple[str, str, str, Decimal | None]]:
    """(field, official, ours, our number) for each cell of a published line that ours does not have."""
    rank = None if line is None else line.rank
    if row.position is not None and (line is None or rank is None):
        yield "listed", f"position {row.position}", NOT_LISTED, None
        return
    if not row.admits(rank):
        number = None if rank is None else Decimal(rank)
        yield "position", NOT_RANKED if row.position is None else str(row.position), str(rank), number
    for name, value in row.values.items() if line is not None else ():
        ours = line.values.get(name) if line is not None else None
        if ours != value:
            yield name, str(value), str(ours), ours


def _record(contest: Contest, verdict: Verdict, cell: Cell, official: str, ours: str, value: Decimal | None) -> None:
    """An excused cell is an exception only while we show there what the corpus says that the rules give."""
    difference = Difference(contest.season, cell, official, ours)
    computed = contest.excused.get(cell)
    if cell in contest.excused and (computed is None or computed == value):
        verdict.exceptions.append(difference)
    else:
        verdict.mismatches.append(difference)


def _words(line: Line) -> str:
    numbers = ", ".join(f"{value} {name}" for name, value in line.values.items())
    return f"position {line.rank} ({numbers})"
