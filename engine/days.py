"""Local days as numbers, and the weeks and months that they belong to."""

from collections.abc import Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from engine.clock import FAR
from engine.periods import day_of, day_start
from schemas.events import Round
from schemas.language import WEEKDAYS, Ruleset

Unit = Callable[[int, Round | None], object]
"""(local day, round) to the unit that they fall into."""


class Days:
    """Numbers the local days of a game: 1 is the first day of the year 1. Remembers the last one: marks come in order."""

    __slots__ = ("_end", "_number", "_start", "_zone")

    def __init__(self, rules: Ruleset) -> None:
        self._zone = ZoneInfo(rules.time_zone)
        self._start, self._end, self._number = 0, 0, 0

    def of(self, ms: int) -> int:
        """The number of the day of an instant (epoch milliseconds)."""
        if not self._start <= ms < self._end:
            try:
                day = day_of(ms, self._zone)
                start, end = day_start(day, self._zone), day_start(day + timedelta(days=1), self._zone)
            except (OverflowError, ValueError):
                # The first and last days of the calendar have no neighbour.
                return (date.max if ms > 0 else date.min).toordinal()
            self._start, self._end, self._number = start, end, day.toordinal()
        return self._number

    def start(self, day: int) -> int:
        """The first instant of a day, epoch milliseconds; beyond the ends of the calendar FAR or -FAR."""
        try:
            return day_start(date.fromordinal(day), self._zone)
        except (OverflowError, ValueError):
            return FAR if day > 1 else -FAR


def unit_of(per: str, rules: Ruleset) -> Unit:
    """What a cap per day, week, month or round counts by."""
    first_weekday = WEEKDAYS.index(rules.week_starts)

    def week(day: int, round_: Round | None) -> object:
        # date.fromordinal(1) is a Monday, as WEEKDAYS begins.
        return (day - 1 - first_weekday) // 7

    def month(day: int, round_: Round | None) -> object:
        return date.fromordinal(day).replace(day=1)

    units: dict[str, Unit] = {
        "day": lambda day, round_: day,
        "week": week,
        "month": month,
        "round": lambda day, round_: (type(round_), round_),
    }
    return units[per]
