"""What a board was before its present round, day, week or month began: the marks that lie before. Part of the auditor."""

from datetime import date, timedelta
from typing import Any

from schemas.language import Board
from tests.simulation.marking import Mark
from tests.simulation.metrics import Calendar

BEFORE = "<"
"""In front of the segment of a ranking that is the one before the present stretch."""


def before(board: Board, calendar: Calendar, ranking: list[Mark], marks: list[Mark]) -> tuple[list[Mark], date] | None:
    """Those of `marks` that lie before the present stretch of a ranking, and its last day; None when nothing does."""
    if board.movement == "round":
        return _before_round(calendar, ranking, marks)
    if not ranking:
        return None
    latest = calendar.day(max(mark.at for mark in ranking))
    first = {"daily": latest, "weekly": calendar.week(latest), "monthly": latest.replace(day=1)}[board.movement]
    return [mark for mark in marks if calendar.day(mark.at) < first], first - timedelta(days=1)


def _before_round(calendar: Calendar, ranking: list[Mark], marks: list[Mark]) -> tuple[list[Mark], date] | None:
    starts: dict[Any, Mark] = {}
    present = None
    for mark in sorted(ranking, key=lambda one: one.order):
        if mark.round is not None:
            starts.setdefault(mark.round, mark)
            present = mark.round
    if present is None:
        return None
    start = starts[present]

    def lies_before(mark: Mark) -> bool:
        if mark.round is None:
            return mark.order < start.order
        if isinstance(mark.round, int) and isinstance(present, int):
            return mark.round < present
        return starts[mark.round].order < start.order

    return [mark for mark in marks if lies_before(mark)], calendar.day(start.at - 1)
