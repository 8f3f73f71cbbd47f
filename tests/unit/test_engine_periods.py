"""Periods: local days in IANA zones, whose midnights may be skipped or repeated; weeks, months, seasons, rounds."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.periods import Calendar, day_start, local_date, well_formed
from schemas.language import PeriodKind
from schemas.ruleset import parse
from tests.given import given, rules, score

HOUR_MS = 3_600_000


def ms(text: str) -> int:
    """An instant written in UTC or with an offset, as epoch milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def calendar(kind: PeriodKind, zone: str = "UTC", *, week_starts: str = "monday", seasons: str = "[]") -> Calendar:
    """The calendar of a ruleset."""
    ours = (
        'seasons = [{ id = "s", first = "2000-01-01", last = "2000-01-02" }]'
        if seasons == "[]"
        else f"seasons = {seasons}"
    )
    return Calendar(kind, parse(rules(head=f'time_zone = "{zone}"\nweek_starts = "{week_starts}"\n{ours}')))


# Zone, day, its first instant in UTC, and how many hours it has.
DAYS = [
    ("UTC", "2026-02-08", "2026-02-08T00:00Z", 24),
    ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z", 23),
    ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", 25),
    ("America/New_York", "2026-03-08", "2026-03-08T05:00Z", 23),
    ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15Z", 24),
    ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", 24.5),
    # Midnight is skipped: the day begins at 01:00.
    ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00Z", 23),
    ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00Z", 23),
    ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00Z", 23),
    ("America/Santiago", "2023-09-03", "2023-09-03T04:00Z", 23),
    ("Asia/Tehran", "2022-03-22", "2022-03-21T20:30Z", 23),
    # Midnight is repeated: the day begins with its first occurrence.
    ("America/Havana", "2025-11-02", "2025-11-02T04:00Z", 25),
    ("Atlantic/Azores", "2025-10-26", "2025-10-26T00:00Z", 25),
    # The hour before midnight is repeated: it all belongs to the day before.
    ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00Z", 25),
    ("Africa/Cairo", "2024-10-31", "2024-10-30T21:00Z", 25),
    # Back from 00:01 to 23:01: the day begins at its first midnight and is not left again.
    ("America/St_Johns", "2009-11-01", "2009-11-01T02:30Z", 25),
    # The day before this one was left out, by crossing the date line.
    ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00Z", 24),
    ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", 0),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "day", "start", "hours"), DAYS)
def test_the_first_instant_of_a_day(zone: str, day: str, start: str, hours: float) -> None:
    first, following = date.fromisoformat(day), date.fromisoformat(day) + timedelta(days=1)
    assert day_start(first, ZoneInfo(zone)) == ms(start)
    assert day_start(following, ZoneInfo(zone)) - ms(start) == hours * HOUR_MS


@pytest.mark.parametrize(("zone", "day", "start", "hours"), [row for row in DAYS if row[3]])
def test_every_instant_of_a_day_belongs_to_it_and_to_no_other(zone: str, day: str, start: str, hours: float) -> None:
    end = ms(start) + round(hours * HOUR_MS)
    found = calendar("daily", zone)
    inside = [*range(ms(start), end, 600_000), end - 1]
    assert {found.period_of(at, None) for at in inside} == {f"daily:{day}"}
    # A calendar that has remembered nothing agrees.
    assert {calendar("daily", zone).period_of(at, None) for at in (ms(start), ms(start) + HOUR_MS, end - 1)} == {
        f"daily:{day}"
    }
    assert f"daily:{day}" not in {found.period_of(at, None) for at in (ms(start) - 1, end)}


def test_a_day_that_was_left_out_has_no_instant() -> None:
    found = calendar("daily", "Pacific/Apia")
    around = ms("2011-12-30T10:00Z")
    periods = [found.period_of(around + at * HOUR_MS // 4, None) for at in range(-120, 96)]
    assert list(dict.fromkeys(periods)) == ["daily:2011-12-28", "daily:2011-12-29", "daily:2011-12-31"]


def test_the_wall_and_the_day_differ_only_in_a_repeated_hour() -> None:
    zone = ZoneInfo("America/St_Johns")
    repeated = ms("2009-11-01T03:00Z")
    assert local_date(repeated, zone) == date(2009, 10, 31)
    assert calendar("daily", "America/St_Johns").period_of(repeated, None) == "daily:2009-11-01"


@pytest.mark.parametrize(
    ("starts", "weeks"),
    [
        ("monday", ["2026-02-02", "2026-02-02", "2026-02-09"]),
        ("sunday", ["2026-02-01", "2026-02-08", "2026-02-08"]),
        ("saturday", ["2026-02-07", "2026-02-07", "2026-02-07"]),
    ],
)
def test_weeks_start_on_the_declared_day(starts: str, weeks: list[str]) -> None:
    days = ("2026-02-07T12:00Z", "2026-02-08T12:00Z", "2026-02-09T12:00Z")
    found = calendar("weekly", week_starts=starts)
    assert [found.period_of(ms(day), None) for day in days] == [f"weekly:{week}" for week in weeks]


def test_a_week_begins_at_its_first_days_first_instant() -> None:
    start = ms("2017-10-15T03:00Z")
    found = calendar("weekly", "America/Sao_Paulo", week_starts="sunday")
    assert [found.period_of(at, None) for at in (start - 1, start)] == ["weekly:2017-10-08", "weekly:2017-10-15"]


@pytest.mark.parametrize(
    ("zone", "instant", "period"),
    [
        ("UTC", "2026-02-28T23:59:59.999Z", "monthly:2026-02"),
        ("UTC", "2026-03-01T00:00Z", "monthly:2026-03"),
        ("UTC", "2028-02-29T12:00Z", "monthly:2028-02"),
        ("UTC", "2026-12-31T23:59Z", "monthly:2026-12"),
        ("Pacific/Kiritimati", "2026-12-31T10:00Z", "monthly:2027-01"),
        ("Pacific/Pago_Pago", "2027-01-01T10:59Z", "monthly:2026-12"),
    ],
)
def test_months(zone: str, instant: str, period: str) -> None:
    assert calendar("monthly", zone).period_of(ms(instant), None) == period


def test_seasons_include_their_last_day_and_leave_gaps() -> None:
    seasons = (
        '[{ id = "spring", first = "2026-03-01", last = "2026-03-29" }, '
        '{ id = "next", first = "2026-03-30", last = "2026-04-01" }, '
        '{ id = "late", first = "2027-01-01", last = "2027-01-01" }]'
    )
    found = calendar("season", "Europe/Berlin", seasons=seasons)
    instants = [
        "2026-02-28T22:59:59.999Z", "2026-02-28T23:00Z", "2026-03-29T21:59:59.999Z", "2026-03-29T22:00Z",
        "2026-04-01T21:59:59.999Z", "2026-04-01T22:00Z", "2026-12-31T22:59Z", "2026-12-31T23:00Z", "2027-01-01T23:00Z",
    ]  # fmt: skip
    expected = [None, "spring", "spring", "next", "next", None, None, "late", None]
    for order in (range(9), range(8, -1, -1)):
        assert [found.period_of(ms(instants[at]), None) for at in order] == [
            expected[at] and f"season:{expected[at]}" for at in order
        ]


def test_rounds_and_all() -> None:
    assert calendar("all").period_of(0, 5) == "all"
    assert [calendar("round").period_of(0, at) for at in (7, "final", None)] == ["round:7", "round:final", None]


@pytest.mark.parametrize("kind", ["daily", "weekly", "monthly"])
def test_the_ends_of_the_calendar_are_no_failure(kind: PeriodKind) -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        found = calendar(kind, zone)
        for at in (-62_135_596_800_000, 253_402_300_799_999):
            period = found.period_of(at, None)
            assert period is None or period.partition(":")[2][:4] in ("0001", "9999")
        assert found.period_of(0, None) is not None


@pytest.mark.parametrize(
    ("kind", "period", "good"),
    [
        ("all", "all", True), ("all", "round:1", False), ("round", "round:1", True), ("round", "round:", False),
        ("season", "season:2026", True), ("daily", "daily:2026-02-08", True), ("daily", "daily:2026-02-30", False),
        ("daily", "daily:20260208", False), ("weekly", "weekly:2026-02-02", True), ("weekly", "daily:2026-02-02", False),
        ("monthly", "monthly:2026-02", True), ("monthly", "monthly:2026-2", False), ("monthly", "monthly:2026-02-01", False),
    ],
)  # fmt: skip
def test_period_ids(kind: PeriodKind, period: str, good: bool) -> None:
    assert well_formed(kind, period) is good


def test_a_board_with_several_periods_counts_a_mark_in_each() -> None:
    text = rules('periods = ["all", "daily", "weekly", "monthly", "round"]', head='time_zone = "America/Havana"')
    # 04:30 and 05:30 are both half past midnight on 2 November, a Sunday.
    events = [score("a", at="2025-11-02T04:30:00Z", round=1, points=1), score("a", at="2025-11-02T05:30:00Z", points=2)]
    then = given(text).events(*events, score("a", at="2025-11-02T03:59:59Z", points=4)).then
    assert {period: then.board("b", period).lines[0][2] for period in then.periods()} == {
        "all": 7, "daily:2025-11-01": 4, "daily:2025-11-02": 3, "monthly:2025-11": 7, "round:1": 1, "weekly:2025-10-27": 7
    }  # fmt: skip


def test_an_event_without_a_time_counts_when_it_was_recorded() -> None:
    then = given(rules('periods = ["daily"]')).events(score("a", points=1)).then
    assert then.periods() == [f"daily:{datetime(1970, 1, 1, tzinfo=UTC).date()}"]
