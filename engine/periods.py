"""Periods: which stretch of time or rounds a mark belongs to.

Half-open, in an IANA time zone, by calendar arithmetic: a local midnight that a change of clocks skips is the first valid
instant after it, a repeated one its first occurrence. So every instant belongs to exactly one day, week and month.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.language import WEEKDAYS, PeriodKind, Ruleset, Season

Interval = tuple[int, int, str | None]
"""(start, end, period id); start and end in epoch milliseconds, end not included; None where no period is."""

FOREVER: Interval = (-(1 << 62), 1 << 62, "all")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MS = 3_600_000


def local_date(ms: int, zone: ZoneInfo) -> date:
    """The calendar day on the wall at this instant."""
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone).date()


def day_start(day: date, zone: ZoneInfo) -> int:
    """The first instant of a local day, epoch milliseconds."""
    target = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the wall's time, without a zone
    guess = round((target.replace(tzinfo=zone).astimezone(UTC) - _EPOCH) / timedelta(milliseconds=1))
    if _wall(guess, zone) == target:
        return guess
    low, high = guess - 26 * _HOUR_MS, guess + 26 * _HOUR_MS
    while high - low > 1:
        middle = (low + high) // 2
        if _wall(middle, zone) >= target:
            high = middle
        else:
            low = middle
    return high


def _wall(ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(zone).replace(tzinfo=None)


def day_of(ms: int, zone: ZoneInfo) -> date:
    """The day whose first instant is the last one not after `ms`; differs from the wall's in a repeated hour."""
    day = local_date(ms, zone)
    following = day + timedelta(days=1)
    return following if day_start(following, zone) <= ms else day


def _daily(ms: int, zone: ZoneInfo) -> Interval:
    day = day_of(ms, zone)
    return day_start(day, zone), day_start(day + timedelta(days=1), zone), f"daily:{day.isoformat()}"


def _weekly(first_weekday: int) -> Callable[[int, ZoneInfo], Interval]:
    def interval(ms: int, zone: ZoneInfo) -> Interval:
        day = day_of(ms, zone)
        first = day - timedelta(days=(day.weekday() - first_weekday) % 7)
        return day_start(first, zone), day_start(first + timedelta(days=7), zone), f"weekly:{first.isoformat()}"

    return interval


def _monthly(ms: int, zone: ZoneInfo) -> Interval:
    first = day_of(ms, zone).replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return day_start(first, zone), day_start(following, zone), f"monthly:{first.isoformat()[:7]}"


def _seasonal(seasons: Sequence[Season]) -> Callable[[int, ZoneInfo], Interval]:
    def interval(ms: int, zone: ZoneInfo) -> Interval:
        before, after = FOREVER[0], FOREVER[1]
        for season in seasons:
            start = day_start(date.fromisoformat(season.first), zone)
            end = day_start(date.fromisoformat(season.last) + timedelta(days=1), zone)
            if start <= ms < end:
                return start, end, f"season:{season.id}"
            if end <= ms:
                before = max(before, end)
            else:
                after = min(after, start)
        return before, after, None

    return interval


class Calendar:
    """Finds the period of an instant for one kind of period, and remembers the last one: marks come in time order."""

    __slots__ = ("_find", "_first_days", "_zone", "end", "kind", "period", "start", "timed")

    def __init__(self, kind: PeriodKind, rules: Ruleset) -> None:
        self.kind = kind
        self._zone = ZoneInfo(rules.time_zone)
        finders: dict[str, Callable[[int, ZoneInfo], Interval]] = {
            "all": lambda ms, zone: FOREVER,
            "daily": _daily,
            "weekly": _weekly(WEEKDAYS.index(rules.week_starts)),
            "monthly": _monthly,
            "season": _seasonal(rules.seasons),
        }
        self._find = finders.get(kind)
        self.timed = self._find is not None
        self._first_days = {season.id: season.first for season in rules.seasons}
        self.start, self.end = 0, 0
        self.period: str | None = None

    def period_of(self, occurred_ms: int, round_: str | int | None) -> str | None:
        """The id of the period that a mark belongs to, or None when it belongs to none of this kind."""
        if self._find is None:
            return None if round_ is None else f"round:{round_}"
        if not self.start <= occurred_ms < self.end:
            try:
                self.start, self.end, self.period = self._find(occurred_ms, self._zone)
            except (OverflowError, ValueError):
                # The first and last days of the calendar have no neighbour.
                return None
        return self.period

    def end_of(self, period: str) -> int:
        """The first instant behind a period of this kind; that of `all` and of a round never comes."""
        rest = period.partition(":")[2]
        first = self._first_days.get(rest, "") if self.kind == "season" else rest + "-01" * (self.kind == "monthly")
        try:
            ms = day_start(date.fromisoformat(first), self._zone)
        except (OverflowError, ValueError):
            return FOREVER[1]
        return FOREVER[1] if self._find is None else self._find(ms, self._zone)[1]


def well_formed(kind: PeriodKind, period: str) -> bool:
    """Whether `period` can be the id of a period of this kind."""
    head, _, rest = period.partition(":")
    if kind in ("all", "round", "season"):
        return period == "all" if kind == "all" else head == kind and 0 < len(rest) <= 64
    try:
        day = date.fromisoformat(rest + "-01" if kind == "monthly" else rest)
    except ValueError:
        return False
    return head == kind and rest == (day.isoformat()[:7] if kind == "monthly" else day.isoformat())
