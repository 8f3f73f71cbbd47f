"""Tells what was compared: a line a season, every mismatch, and one line that sums up; or all of it as JSON."""

from typing import Any

import msgspec

from tests.corpora.judge import Difference, Verdict

HEADER = f"{'season':<10}{'rows':>8}{'mismatches':>12}{'exceptions':>12}"


def line_of(verdict: Verdict) -> str:
    """A season's line under HEADER."""
    counts = f"{verdict.rows:>8}{len(verdict.mismatches):>12}{len(verdict.exceptions):>12}"
    return f"{verdict.season:<10}{counts}" + (f"   failed: {verdict.error}" if verdict.error else "")


def mismatch(difference: Difference) -> str:
    """One mismatch in words."""
    cell = difference.cell
    where = f"{difference.season} {cell.board}, after {_moment(cell.step)}: {cell.entrant}"
    return f"  {where}, {cell.field}: official {difference.official}, ours {difference.ours}"


def unknown(difference: Difference) -> str:
    """Why a cell was not compared."""
    return f"  {difference.season}: {difference.cell.entrant}: not compared: {difference.ours}"


def summary(corpus: str, verdicts: list[Verdict]) -> str:
    """The last line."""
    totals = totals_of(verdicts)
    failed = f", {totals['failed']} seasons failed" if totals["failed"] else ""
    return (
        f"{corpus}: {totals['seasons']} seasons, {totals['rows']} rows compared, "
        f"{totals['mismatches']} mismatches, {totals['exceptions']} exceptions{failed}"
    )


def totals_of(verdicts: list[Verdict]) -> dict[str, int]:
    """The sums over all seasons."""
    return {
        "seasons": len(verdicts),
        "rows": sum(verdict.rows for verdict in verdicts),
        "mismatches": sum(len(verdict.mismatches) for verdict in verdicts),
        "exceptions": sum(len(verdict.exceptions) for verdict in verdicts),
        "failed": sum(1 for verdict in verdicts if verdict.error),
    }


def document(corpus: str, folder: str, through: str, verdicts: list[Verdict]) -> bytes:
    """The whole comparison as JSON."""
    seasons = [
        {
            "season": verdict.season,
            "rows": verdict.rows,
            "mismatches": [_difference(difference) for difference in verdict.mismatches],
            "exceptions": [_difference(difference) for difference in verdict.exceptions],
            "error": verdict.error or None,
        }
        for verdict in verdicts
    ]
    content = {"corpus": corpus, "folder": folder, "through": through, "seasons": seasons, "total": totals_of(verdicts)}
    return msgspec.json.format(msgspec.json.encode(content), indent=2)


def _difference(difference: Difference) -> dict[str, Any]:
    cell = difference.cell
    return {
        "season": difference.season,
        "board": cell.board,
        "round": cell.step,
        "entrant": cell.entrant,
        "field": cell.field,
        "official": difference.official,
        "ours": difference.ours,
    }


def _moment(step: str) -> str:
    return f"round {step}" if step.isdecimal() else f"the {step}" if step != "final" else "the season"
