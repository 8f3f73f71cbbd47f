"""The auditor: what every board shows, computed from a log with plain dictionaries and sorted().

An independent second model of the whole scoring engine, for the simulation to hold the first against. It may use the shapes
of events and rulesets (`schemas`), and nothing of `engine`, `projections` or `consumers`. It is slow, and keeps no state.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from hashlib import blake2b
from math import ceil
from typing import Any, NamedTuple

from schemas.language import Board, Range, Ruleset, TieBreak, rank_item
from tests.simulation.accepting import Account, History
from tests.simulation.marking import Mark, in_range, meets
from tests.simulation.metrics import Calendar, Number, Sheet, kept
from tests.simulation.moving import BEFORE, before
from tests.simulation.predicting import Book
from tests.simulation.sources import all_marks

RankingName = tuple[str, str, str]
"""(board, period, segment)."""


class Line(NamedTuple):
    """What a ranking shows of a player."""

    rank: int
    player: str
    metrics: dict[str, Any]
    tier: str | None = None


Boards = dict[RankingName, list[Line]]


@dataclass
class Row:
    """A player of one ranking with his marks, and what he is ranked by so far."""

    player: str
    marks: list[Mark]
    values: dict[str, Number]
    criteria: list[Any]
    level: dict[str, Number]
    """His numbers in the matches among those who are level with him."""


def audit(account: Account) -> Boards:
    """Every ranking of a game that shows anybody."""
    history = History(account)
    book = Book(history, account.rules)
    for said in account.said:
        if history.take(said):
            book.follow(said)
    found = rankings(account.rules, history, list(all_marks(history, book, account.rules)))
    return {name: lines for name, lines in found.items() if lines}


def rankings(rules: Ruleset, history: History, marks: list[Mark]) -> Boards:
    """Marks to rankings."""
    calendar = Calendar(rules)
    today = calendar.day(history.effects.clock)
    boards: Boards = {}
    for name, board in rules.boards.items():
        copies = split(board, list(taken(name, board, marks, rules)), calendar, today, history)
        for (period, segment), inside in copies.items():
            # What a streak is now shows while its period lasts, and stays what it was at its end.
            until = min(today, calendar.last_day(period))
            boards[name, period, segment] = lines_of(name, period, board, calendar, until, inside, history, rules)
            if board.movement == "none" or period.startswith("last:"):
                continue
            # A segment of players is cut where the whole board is.
            by_player = board.segments.get(segment.partition(":")[0]) == "player"
            earlier = before(board, calendar, copies[period, ""] if by_player else inside, inside)
            if earlier is not None:
                held, until = earlier
                boards[name, period, BEFORE + segment] = lines_of(
                    name, period, board, calendar, until, held, history, rules
                )
    return boards


def taken(name: str, board: Board, marks: Iterable[Mark], rules: Ruleset) -> Iterator[Mark]:
    """The marks that a board takes."""
    for mark in marks:
        if (
            (board.sources is None or mark.source in board.sources)
            and mark.board in (None, name)
            and meets(board.where, mark, rules.metrics)
        ):
            yield mark


def lines_of(
    name: str,
    period: str,
    board: Board,
    calendar: Calendar,
    until: Any,
    marks: list[Mark],
    history: History,
    rules: Ruleset,
) -> list[Line]:
    """The lines of one ranking."""
    sheet = Sheet(rules, board, calendar, until)
    return ranked(board, sheet, rows_of(name, period, board, sheet, marks, history, rules))


def split(
    board: Board, marks: list[Mark], calendar: Calendar, today: Any, history: History
) -> dict[tuple[str, str], list[Mark]]:
    """The marks of each copy of a board, by period and segment."""
    copies: dict[tuple[str, str], list[Mark]] = {}
    for mark in marks:
        periods = [calendar.period(kind, mark) for kind in board.periods]
        day = calendar.day(mark.at)
        periods += [f"last:{days}d" for days in board.windows if today - timedelta(days=days) < day <= today]
        for period in periods:
            if period is not None:
                for segment in segments(board, mark, history):
                    copies.setdefault((period, segment), []).append(mark)
    return copies


def segments(board: Board, mark: Mark, history: History) -> Iterable[str]:
    """The whole board, and the segments that a mark, or its player, belongs to."""
    yield ""
    for name, of in board.segments.items():
        holder = mark.attributes if of == "mark" else history.effects.traits.get(mark.who, {})
        if name in holder:
            value = holder[name]
            yield f"{name}:{str(value).lower() if isinstance(value, bool) else value}"


def rows_of(
    name: str, period: str, board: Board, sheet: Sheet, marks: list[Mark], history: History, rules: Ruleset
) -> list[Row]:
    """The players who are ranked."""
    by_player: dict[str, list[Mark]] = {}
    for mark in sorted(marks, key=lambda one: one.order):
        by_player.setdefault(mark.who, []).append(mark)
    rows = []
    for player, his in by_player.items():
        status = history.effects.status.get(player, "active")
        if status in ("hidden", "banned") or (status == "erased" and rules.erased == "close"):
            continue
        values = sheet.values(his)
        if kept(board.keep, his) and all(in_range(wanted, values[key]) for key, wanted in board.qualify.items()):
            rows.append(Row(player, his, values, [], {}))
    for at, item in enumerate(board.rank_by):
        add_criterion(name, period, board, at, item, sheet, rows)
    return rows


def add_criterion(
    name: str, period: str, board: Board, at: int, item: str | TieBreak, sheet: Sheet, rows: list[Row]
) -> None:
    """Gives every row its value of one criterion; of two values the lesser ranks first."""
    if isinstance(item, TieBreak) and item.head_to_head:
        levels = [json.dumps(row.criteria, default=str) for row in rows]
        groups = {level: [row for row, other in zip(rows, levels, strict=True) if other == level] for level in levels}
        for group in groups.values():
            small_table(item.head_to_head, sheet, group)
        return
    for row in rows:
        if isinstance(item, TieBreak) and item.lot is not None:
            drawn = json.dumps([item.lot, name, period, row.player]).encode()
            row.criteria.append(blake2b(drawn, digest_size=8).hexdigest())
        elif isinstance(item, TieBreak):
            row.criteria.append([-number for number in places_of(item, row.marks, sheet)])
        elif item == "reached":
            row.criteria.append(reached(board, at, sheet, row.marks))
        else:
            row.criteria.append(lesser_first(row.values, item))


def lesser_first(values: dict[str, Number], item: str) -> Any:
    """A metric as a criterion: no number ranks last, whichever way it is ordered."""
    key, descending = rank_item(item)
    value = values[key]
    if value is None or isinstance(value, str):
        return (1, 0)
    return (0, -value if descending else value)


def small_table(criteria: list[str], sheet: Sheet, group: list[Row]) -> None:
    """Head-to-head: the numbers of those who are level, in the marks that they made against one another."""
    names = {row.player for row in group}
    alone = Sheet(sheet.rules, sheet.board, sheet.calendar)
    for row in group:
        values: dict[str, Number] = dict.fromkeys(row.values)
        if len(group) > 1:
            values = alone.values(
                [m for m in row.marks if not m.adjusts and str(m.attributes.get("opponent")) in names]
            )
        row.criteria.append([lesser_first(values, item) for item in criteria])
        for item in criteria:
            key = rank_item(item)[0]
            row.level.setdefault(key, values[key])


def places_of(item: TieBreak, marks: list[Mark], sheet: Sheet) -> list[int]:
    """How many first places, second places, and so on."""
    places = [mark.attributes.get("position") for mark in marks if meets(item.where, mark, sheet.rules.metrics)]
    return [places.count(place) for place in range(1, item.places + 1)]


def reached(board: Board, before: int, sheet: Sheet, marks: list[Mark]) -> Any:
    """The place of the last mark with which a criterion before `reached` became another; none ranks last."""
    alone = Sheet(sheet.rules, board, sheet.calendar)

    def criteria(count: int) -> list[Any]:
        values = alone.values(marks[:count])
        found: list[Any] = []
        for item in board.rank_by[:before]:
            if isinstance(item, str):
                found.append(values[rank_item(item)[0]])
            elif item.countback is not None:
                found.append(places_of(item, marks[:count], sheet))
        return found

    steps = [criteria(count) for count in range(len(marks) + 1)]
    for count in range(len(marks), 0, -1):
        if steps[count] != steps[count - 1]:
            return (0, *marks[count - 1].order[:3])
    return (1, 0, 0, 0)


def tier_of(board: Board, rank: int, total: int, values: dict[str, Number]) -> str | None:
    """The first tier that a place belongs to."""
    for tier in board.tiers:
        if tier.top is not None:
            fits = rank <= tier.top
        elif tier.percent is not None:
            fits = rank <= ceil(total * Fraction(tier.percent) / 100)
        else:
            fits = meets_all(tier.where, values)
        if fits:
            return tier.name
    return None


def meets_all(where: dict[str, Range], values: dict[str, Number]) -> bool:
    """Whether metrics lie within their ranges."""
    return all(in_range(wanted, values[key]) for key, wanted in where.items())


def ranked(board: Board, sheet: Sheet, rows: list[Row]) -> list[Line]:
    """The lines of a ranking, best first."""
    rows = sorted(rows, key=lambda row: (row.criteria, row.player.encode()))
    lines = []
    for at, row in enumerate(rows):
        ahead = len([other for other in rows[:at] if other.criteria < row.criteria])
        level = len([other for other in rows if other.criteria == row.criteria])
        distinct = len({str(other.criteria) for other in rows[:at] if other.criteria < row.criteria})
        rank = {"competition": ahead + 1, "ordinal": at + 1, "dense": distinct + 1, "modified": ahead + level}[
            board.ranks
        ]
        metrics = {key: sheet.shown(key, value) for key, value in row.values.items()}
        metrics |= {f"head_to_head.{key}": sheet.shown(key, value) for key, value in row.level.items()}
        tier = tier_of(board, rank, len(rows), row.values)
        lines.append(Line(rank, row.player, metrics, tier))
    return lines
