"""Local days as stretches of time: what streaks by day and the clock of a game go by."""

from bisect import bisect_right
from datetime import date, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from engine.periods import day_of, day_start

FAR = 1 << 62
"""Later than every instant, in epoch milliseconds."""

Day = tuple[int, int]
"""[first instant, first instant of the day after), in epoch milliseconds. A day that the clocks skip has none."""

_HELD_MAX = 20_000


class Days:
    """The days of a time zone. Remembers those that were asked for, since marks of few days come all the time."""

    __slots__ = ("_ends", "_starts", "_zone")

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._starts: list[int] = []
        self._ends: list[int] = []

    def of(self, ms: int) -> Day:
        """The day of an instant. Every instant has one: the first and the last day of the calendar go on for ever."""
        at = bisect_right(self._starts, ms) - 1
        if at >= 0 and ms < self._ends[at]:
            return self._starts[at], self._ends[at]
        try:
            day = day_of(ms, self._zone)
            start, end = day_start(day, self._zone), day_start(day + timedelta(days=1), self._zone)
        except (OverflowError, ValueError):
            if ms > 0:
                return day_start(date.max, self._zone), FAR
            return -FAR, day_start(date(1, 1, 3), self._zone)
        if len(self._starts) >= _HELD_MAX:
            self._starts.clear()
            self._ends.clear()
            at = -1
        self._starts.insert(at + 1, start)
        self._ends.insert(at + 1, end)
        return start, end


@cache
def days_in(time_zone: str) -> Days:
    """The days of an IANA time zone."""
    return Days(ZoneInfo(time_zone))
