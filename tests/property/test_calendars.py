"""Calendars against a walk along the wall clock, minute by minute, around the days when clocks change."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.periods import Calendar
from schemas.language import WEEKDAYS, PeriodKind
from schemas.ruleset import parse
from tests.given import rules

MINUTE_MS = 60_000
DAY = timedelta(days=1)
# A change of clocks each, most of them at midnight.
PLACES = [
    ("UTC", "2026-01-01"),
    ("Europe/Berlin", "2026-03-29"),
    ("America/Sao_Paulo", "2017-10-15"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("Africa/Cairo", "2024-04-26"),
    ("Africa/Cairo", "2024-11-01"),
    ("America/Havana", "2025-11-02"),
    ("America/Havana", "2025-03-09"),
    ("America/St_Johns", "2009-11-01"),
    ("America/St_Johns", "2009-03-08"),
    ("Asia/Beirut", "2024-03-31"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Pacific/Apia", "2011-12-30"),
    ("Africa/Casablanca", "2026-02-15"),
]


@cache
def first_minute(zone: str, day: date) -> int:
    """The first minute at which the wall shows this day or a later one, found by walking."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=27)
    while moment.astimezone(ZoneInfo(zone)).date() < day:
        moment += timedelta(minutes=1)
    return int(moment.timestamp()) * 1000


def day_of(zone: str, at: int) -> date:
    """The last day that has begun."""
    wall = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).date()
    return max(day for day in (wall - DAY, wall, wall + DAY) if first_minute(zone, day) <= at)


# Minutes from the beginning of the day before, of the day itself, or of one of the two behind it.
instants = st.tuples(
    st.integers(-1, 2), st.integers(-100, 100) | st.integers(-1_500, 1_500), st.sampled_from([0, 1, 59_999])
)
weekdays = st.sampled_from(WEEKDAYS)


def calendar(kind: PeriodKind, zone: str, week_starts: str = "monday") -> Calendar:
    """The calendar of a ruleset in this zone."""
    return Calendar(kind, parse(rules(head=f'time_zone = "{zone}"\nweek_starts = "{week_starts}"')))


@settings(max_examples=300)
@given(st.sampled_from(PLACES), st.lists(instants, min_size=1, max_size=4), weekdays)
def test_days_weeks_and_months(place: tuple[str, str], moments: list[tuple[int, int, int]], week_starts: str) -> None:
    zone, around = place[0], date.fromisoformat(place[1])
    finders = {kind: calendar(kind, zone, week_starts) for kind in ("daily", "weekly", "monthly")}
    for days, minutes, more in moments:
        at = first_minute(zone, around + days * DAY) + minutes * MINUTE_MS + more
        day = day_of(zone, at)
        week = next(day - back * DAY for back in range(7) if WEEKDAYS[(day - back * DAY).weekday()] == week_starts)
        found = {kind: finder.period_of(at, None) for kind, finder in finders.items()}
        assert found == {"daily": f"daily:{day}", "weekly": f"weekly:{week}", "monthly": f"monthly:{day}"[:15]}
        daily = finders["daily"]
        assert daily.start <= at < daily.end
        assert (daily.start, daily.end) == (first_minute(zone, day), first_minute(zone, day + DAY))
