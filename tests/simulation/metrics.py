"""The metrics of a board, from a player's marks in contest order, as a textbook would have them. Part of the auditor.

Numbers are exact fractions in their own unit; None is no number, and INFINITE what a positive number divided by zero is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from schemas.language import WEEKDAYS, Board, Keep, Metric, Ruleset
from tests.simulation.marking import Mark, looked_up, meets, rounded

INFINITE = float("inf")
Number = Fraction | float | str | None
LETTERS = {"win": "W", "draw": "D", "loss": "L", "push": "P", "void": "V"}


@dataclass(frozen=True)
class Calendar:
    """Local days of a game. Its time zones change clocks at night, never at midnight."""

    rules: Ruleset

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.rules.time_zone)

    def day(self, ms: int) -> date:
        """The local day of an instant."""
        return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)).astimezone(self.zone).date()

    def week(self, day: date) -> date:
        """The first day of a day's week."""
        return day - timedelta(days=(day.weekday() - WEEKDAYS.index(self.rules.week_starts)) % 7)

    def unit(self, per: str, mark: Mark) -> Any:
        """The day, week, month or round of a mark."""
        day = self.day(mark.at)
        return {"day": day, "week": self.week(day), "month": (day.year, day.month), "round": mark.round}[per]

    def period(self, kind: str, mark: Mark) -> str | None:
        """The id of the period that a mark belongs to."""
        day = self.day(mark.at)
        if kind == "all":
            return "all"
        if kind == "round":
            return None if mark.round is None else f"round:{mark.round}"
        if kind == "season":
            inside = [one.id for one in self.rules.seasons if one.first <= day.isoformat() <= one.last]
            return f"season:{inside[0]}" if inside else None
        return {
            "daily": f"daily:{day.isoformat()}",
            "weekly": f"weekly:{self.week(day).isoformat()}",
            "monthly": f"monthly:{day:%Y-%m}",
        }[kind]

    def last_day(self, period: str) -> date:
        """The last day of a period; of those without an end the last that there is."""
        kind, _, rest = period.partition(":")
        if kind == "daily":
            return date.fromisoformat(rest)
        if kind == "weekly":
            return date.fromisoformat(rest) + timedelta(days=6)
        if kind == "monthly":
            following = date.fromisoformat(rest + "-01") + timedelta(days=31)
            return following.replace(day=1) - timedelta(days=1)
        if kind == "season":
            return date.fromisoformat(next(one.last for one in self.rules.seasons if one.id == rest))
        return date.max


def kept(keep: Keep, marks: list[Mark]) -> list[Mark]:
    """The marks that count, of marks in contest order."""
    by, _, direction = (keep.by or "").partition(" ")
    sign = 1 if direction == "asc" else -1

    def bad(mark: Mark) -> Fraction:
        return sign * mark.values.get(by, Fraction(0))

    runs = [mark for mark in marks if not mark.adjusts]
    added = [mark for mark in marks if mark.adjusts]
    if keep.per == "round":
        return kept_rounds(keep, by, marks, bad)
    if keep.mode == "best":
        runs = sorted([mark for mark in runs if by in mark.values], key=bad)[: keep.n]
    elif keep.mode == "latest":
        runs = runs[-keep.n :]
    elif keep.mode == "first":
        runs = runs[: keep.n]
    counted = {id(mark) for mark in runs + added}
    return [mark for mark in marks if id(mark) in counted]


def kept_rounds(keep: Keep, by: str, marks: list[Mark], bad: Callable[[Mark], Fraction]) -> list[Mark]:
    """The same where whole rounds count or do not; what does not have the metric is the worst."""
    rounds: dict[Any, list[Mark]] = {}
    for mark in marks:
        if mark.round is not None:
            rounds.setdefault(mark.round, []).append(mark)
    for number, inside in rounds.items():
        runs = sorted(
            [mark for mark in inside if not mark.adjusts], key=lambda mark: (by not in mark.values, bad(mark))
        )
        rounds[number] = runs[: keep.marks] + [mark for mark in inside if mark.adjusts]
    worst = {
        number: (not any(by in mark.values for mark in inside), sum(map(bad, inside)))
        for number, inside in rounds.items()
    }
    chosen: list[Any] = list(rounds)
    if keep.mode == "latest":
        chosen = chosen[-keep.n :]
    elif keep.mode == "first":
        chosen = chosen[: keep.n]
    elif keep.mode == "best" and keep.spans:
        numbered = [number for number in chosen if isinstance(number, int)]
        chosen = []
        for span in keep.spans:
            inside_it = [n for n in numbered if span.first <= n and (span.last is None or n <= span.last)]
            chosen += sorted(inside_it, key=worst.__getitem__)[: span.n]
    elif keep.mode == "best":
        chosen = sorted(chosen, key=worst.__getitem__)[: keep.n]
    counted = {id(mark) for number in chosen for mark in rounds[number]}
    return [mark for mark in marks if id(mark) in counted or (mark.round is None and mark.adjusts)]


@dataclass(frozen=True)
class Sheet:
    """The metrics of one board. `today` is the game's day by its clock, for streaks that lapse; None: ask of marks alone."""

    rules: Ruleset
    board: Board
    calendar: Calendar
    today: date | None = None

    def values(self, marks: list[Mark]) -> dict[str, Number]:
        """All metrics of marks in contest order."""
        counted = kept(self.board.keep, marks)
        found: dict[str, Number] = {}
        for name, metric in self.board.metrics.items():
            if metric.op not in ("difference", "ratio"):
                found[name] = self._value(metric, marks if metric.over == "all" else counted)
        for name, metric in self.board.metrics.items():
            if metric.op in ("difference", "ratio"):
                found[name] = self._derived(metric, found)
        return {name: found[name] for name in self.board.metrics}

    def scale(self, name: str) -> int:
        """The digits that a metric is shown with."""
        metric = self.board.metrics[name]
        if metric.op == "difference":
            return max(self.scale(metric.of or ""), self.scale(metric.by or ""))
        if metric.op in ("average", "ratio"):
            return 6 if metric.scale is None else metric.scale
        declared = self.rules.metrics.get(metric.of or "")
        return 0 if declared is None else declared.scale

    def big(self, name: str) -> bool:
        """Whether it is shown as text however many digits it has."""
        metric = self.board.metrics[name]
        if metric.op in ("difference", "ratio"):
            return self.big(metric.of or "") or self.big(metric.by or "")
        declared = self.rules.metrics.get(metric.of or "")
        return declared is not None and declared.big

    def shown(self, name: str, value: Number) -> int | str | None:
        """A metric as JSON has it."""
        if value is None or isinstance(value, str | float):
            return value if isinstance(value, str) else None
        scale = self.scale(name)
        if scale == 0 and not self.big(name):
            return int(value)
        whole = abs(int(value * 10**scale))
        sign = "-" if value < 0 else ""
        return f"{sign}{whole // 10**scale}" + (f".{whole % 10**scale:0{scale}d}" if scale else "")

    def _meets(self, where: Any, mark: Mark) -> bool:
        return meets(where, mark, self.rules.metrics)

    def _derived(self, metric: Metric, found: dict[str, Number]) -> Number:
        one, other = found[metric.of or ""], found[metric.by or ""]
        if not isinstance(one, Fraction) or not isinstance(other, Fraction):
            return None
        if metric.op == "difference":
            return one - other
        if other == 0:
            return INFINITE if one > 0 else None
        return rounded(one / other, 6 if metric.scale is None else metric.scale)

    def _value(self, metric: Metric, marks: list[Mark]) -> Number:
        runs = [mark for mark in marks if not mark.adjusts and self._meets(metric.where, mark)]
        of = metric.of or ""
        values = [mark.values[of] for mark in runs if of in mark.values]
        added = [mark.values[of] for mark in marks if mark.adjusts and of in mark.values]
        match metric.op:
            case "count":
                return Fraction(len(runs))
            case "sum":
                return (self._capped(metric, runs) if metric.caps else sum(values, Fraction(0))) + sum(added)
            case "average":
                if not values:
                    return None
                scale = 6 if metric.scale is None else metric.scale
                return rounded(Fraction(sum(values) + sum(added)) / len(values), scale)
            case "streak" | "longest_streak":
                return Fraction(self._streak(metric, marks))
            case "form":
                verdicts = [mark.attributes.get("verdict") for mark in runs]
                return "".join([LETTERS[verdict] for verdict in verdicts if verdict in LETTERS][-metric.n :])
            case "distinct":
                groups = [looked_up(mark, metric.group or "") for mark in runs]
                return Fraction(len({(isinstance(group, bool), group) for group in groups if group is not None}))
            case "attempts":
                return self._attempts(metric, marks, added)
        if not values:
            return Fraction(sum(added)) if added else None
        best = {"max": max(values), "min": min(values), "last": values[-1], "first": values[0]}[metric.op]
        return best + sum(added)

    def _capped(self, metric: Metric, runs: list[Mark]) -> Fraction:
        """The sum, at most so much of it a day, week, month or round."""
        total = Fraction(0)
        sums: dict[Any, Fraction] = {}
        for mark in runs:
            value = mark.values.get(metric.of or "", Fraction(0))
            for number, cap in enumerate(metric.caps):
                if self._meets(cap.where, mark):
                    key = (number, self.calendar.unit(cap.per, mark))
                    sums[key] = sums.get(key, Fraction(0)) + value
                    break
            else:
                total += value
        return total + sum((min(Fraction(metric.caps[key[0]].most), value) for key, value in sums.items()), Fraction(0))

    def _attempts(self, metric: Metric, marks: list[Mark], added: list[Fraction]) -> Number:
        """What the first success of each group cost, with the failures before it."""
        groups: dict[Any, list[Mark]] = {}
        for mark in marks:
            group = looked_up(mark, metric.group or "")
            if not mark.adjusts and group is not None:
                groups.setdefault((isinstance(group, bool), group), []).append(mark)
        costs: list[Fraction] = []
        for tried in groups.values():
            first = next((at for at, mark in enumerate(tried) if self._meets(metric.where, mark)), None)
            if first is not None:
                failed = len([mark for mark in tried[:first] if self._meets(metric.tries, mark)])
                costs.append(tried[first].values.get(metric.of or "", Fraction(0)) + failed * Fraction(metric.each))
        if metric.across == "max" and not costs:
            return Fraction(sum(added)) if added else None
        total = max(costs) if metric.across == "max" else sum(costs, Fraction(0))
        return rounded(total, self.rules.metrics[metric.of or ""].scale) + sum(added)

    def _streak(self, metric: Metric, marks: list[Mark]) -> int:
        """The present streak or the longest one, over marks, days or rounds."""
        units: dict[Any, set[str]] = {}
        for at, mark in enumerate(marks):
            if mark.adjusts or (metric.per == "round" and not isinstance(mark.round, int)):
                continue
            does = "adds" if self._meets(metric.where, mark) else "resets"
            if metric.hold is not None and self._meets(metric.hold, mark):
                does = "holds"
            key = {"mark": at, "day": self.calendar.day(mark.at).toordinal(), "round": mark.round}[metric.per]
            units.setdefault(key, set()).add(does)
        run = longest = 0
        last: int | None = None
        gaps = metric.per != "mark" and metric.absence == "reset"
        for key in sorted(units):
            does = "adds" if "adds" in units[key] else "holds" if "holds" in units[key] else "resets"
            if does == "resets" or (gaps and last is not None and key > last + 1):
                run = 0
            run += does == "adds"
            longest = max(longest, run)
            last = key
        if metric.op == "longest_streak":
            return longest
        lapsed = metric.per == "day" and gaps and self.today is not None and last is not None
        return 0 if lapsed and self.today.toordinal() > last + 1 else run  # type: ignore[union-attr, operator]
