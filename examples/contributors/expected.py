"""What every board must be, from the events alone: python -m examples.contributors.expected < contributions.jsonl

A plain reading of the rules in README.md. It shares no code with the engine and keeps no state between boards: for each of
them it goes through all contributions again.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
WORTH = {
    "commit": Fraction(1),
    "pull_request": Fraction(3),
    "review": Fraction(2),
    "issue": Fraction(1),
    "comment": Fraction(1, 2),
}
MERGED_MORE = 2
MOST_A_DAY = {"commit": 5, "comment": 3}
WINDOWS = {"contributors": [7, 30, 365], "commits": [], "reviewers": [30]}

Event = dict[str, Any]
Line = list[Any]
"""[rank, player, metrics ...]."""


def standings(events: list[Event]) -> dict[str, list[Line]]:
    """The lines of every copy of every board, by "BOARD PERIOD SEGMENT"; the segment of a whole board is a hyphen."""
    banned = {event["player"] for event in events if event["type"] == "player" and event.get("status") == "banned"}
    made = [event for event in events if event["type"] in ("score", "adjustment")]
    today = max(local_day(event) for event in events)
    found = {}
    for board, lines_of in (("contributors", contributors), ("commits", commits), ("reviewers", reviewers)):
        for period, of_period in periods(board, made, today):
            for segment in [None] if board == "reviewers" else [None, *repositories(made)]:
                chosen = [event for event in of_period if segment is None or repository(event) == segment]
                lines = [line for line in lines_of(chosen) if line[-1] not in banned]
                if lines:
                    found[f"{board} {period} {f'repo:{segment}' if segment else '-'}"] = ranked(lines)
    return found


def periods(board: str, events: list[Event], today: date) -> Iterable[tuple[str, list[Event]]]:
    """The copies of a board in time, each with its events."""
    yield "all", events
    if board != "commits":
        months: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            months[f"monthly:{local_day(event):%Y-%m}"].append(event)
        yield from months.items()
    for days in WINDOWS[board]:
        oldest = today - timedelta(days=days - 1)
        yield f"last:{days}d", [event for event in events if oldest <= local_day(event) <= today]


def contributors(events: list[Event]) -> list[Line]:
    """[sort key, metrics, player] of each."""
    by_player: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if not event.get("attributes", {}).get("bot"):
            by_player[event["player"]].append(event)
    lines = []
    for player, theirs in by_player.items():
        points, counts = points_of(theirs), Counter(kind_of(event) for event in theirs)
        tenths = int(points * 10)
        shown = f"{'-' if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10}"
        metrics = [shown, counts["commit"], counts["pull_request"], counts["review"]]
        lines.append([(-points, -counts["review"]), metrics, player])
    return lines


def points_of(events: list[Event]) -> Fraction:
    """Points by kind and day, as far as the day's cap goes, and what maintainers decided."""
    days: dict[tuple[str, date], Fraction] = defaultdict(Fraction)
    decided = Fraction(0)
    for event in events:
        kind = kind_of(event)
        if kind is None:
            decided += event["values"]["points"]
        else:
            days[kind, local_day(event)] += WORTH[kind] + MERGED_MORE * bool(event["attributes"].get("merged"))
    return decided + sum(min(MOST_A_DAY.get(kind, points), points) for (kind, _), points in days.items())


def commits(events: list[Event]) -> list[Line]:
    counts = Counter(event["player"] for event in events if kind_of(event) == "commit")
    return [[(-count,), [count], player] for player, count in counts.items()]


def reviewers(events: list[Event]) -> list[Line]:
    where: dict[str, list[str | None]] = defaultdict(list)
    for event in events:
        if kind_of(event) == "review":
            where[event["player"]].append(repository(event))
    return [[(-len(all_), -len(set(all_))), [len(all_), len(set(all_))], player] for player, all_ in where.items()]


def ranked(lines: list[Line]) -> list[Line]:
    """Equal keys share a rank, and so many ranks are left out behind them; the shared are listed by name."""
    keys = [line[0] for line in lines]
    return [
        [1 + sum(key < line[0] for key in keys), line[2], *line[1]]
        for line in sorted(lines, key=lambda line: (line[0], line[2].encode()))
    ]


def kind_of(event: Event) -> str | None:
    return event.get("attributes", {}).get("kind")


def repository(event: Event) -> str | None:
    return event.get("attributes", {}).get("repo")


def repositories(events: list[Event]) -> list[str]:
    return sorted({name for event in events if (name := repository(event)) is not None})


def local_day(event: Event) -> date:
    return datetime.fromisoformat(event["occurred_at"]).astimezone(ZONE).date()


if __name__ == "__main__":
    print(json.dumps(standings([json.loads(line) for line in sys.stdin]), indent=1, ensure_ascii=False))
