"""Specifications that read aloud: given rules, events, then what a board shows.

    given(RULES).events(score("ann", points=5), score("bob", points=3)).then.board("total").is_([
        (1, "ann", 5),
        (2, "bob", 3),
    ])

Events go through the codec and the ruleset's check like those of a publisher; their positions are one millisecond apart.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.fold import Fold, number
from engine.leaderboard import Leaderboard
from engine.rules import Game
from schemas.codec import decode
from schemas.events import Event
from schemas.ruleset import parse

Fields = dict[str, Any]
Line = tuple[Any, ...]
"""(rank, player, metric, ...), the metrics in the board's order, as JSON shows them."""


def score(player: str, *, at: str | int | None = None, round: str | int | None = None, **values: Any) -> Fields:  # noqa: A002
    """A player scored; `attributes` is taken out of the values."""
    attributes = values.pop("attributes", None)
    return _event("score", player=player, values=values, occurred_at=at, round=round, attributes=attributes)


def adjustment(
    player: str,
    *,
    at: str | int | None = None,
    round: str | int | None = None,  # noqa: A002
    board: str | None = None,
    **values: Any,
) -> Fields:
    """Officials add or take off."""
    return _event(
        "adjustment", player=player, values=values, reason="officials", occurred_at=at, round=round, board=board
    )


def line(
    player: str, position: int | None = None, *, status: str | None = None, seat: str | None = None, **more: Any
) -> Fields:
    """One entrant's line of a result; `values` is taken out of the attributes."""
    values = more.pop("values", None)
    return _present(player=player, position=position, status=status, seat=seat, values=values, attributes=more or None)


def result(fixture: str, *lines: Fields | str, **fields: Any) -> Fields:
    """A contest ended; plain names are the placements in their order."""
    placements = [line(item, at) if isinstance(item, str) else item for at, item in enumerate(lines, 1)]
    return _event("result", fixture=fixture, placements=placements, **fields)


def fixture(name: str, round: str | int, starts_at: str | int, **fields: Any) -> Fields:  # noqa: A002
    """A contest is planned."""
    return _event("fixture", fixture=name, round=round, starts_at=starts_at, **fields)


def pick(name: str, fixture: str, choice: str | list[str], **fields: Any) -> Fields:
    """A player predicts; `at` is when that is recorded."""
    return _event("pick", player=name, fixture=fixture, choice=choice, occurred_at=fields.pop("at", None), **fields)


def player(name: str, status: str) -> Fields:
    """A player's standing changes."""
    return _event("player", player=name, status=status)


def _event(type_: str, **fields: Any) -> Fields:
    return _present(type=type_, **fields)


def _present(**fields: Any) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def decoded(game: str, events: Iterable[Fields]) -> list[Event]:
    """Events as the codec reads them; those without an id get e1, e2, ... by their place."""
    return [
        decode(msgspec.json.encode({"id": f"e{at}", "game": game, **fields})) for at, fields in enumerate(events, 1)
    ]


def ranking(state: Fold, board: str, period: str = "all") -> Leaderboard:
    """A table of a fold as a ranking."""
    shown = Leaderboard(state.game.boards[board].style)
    table = state.tables.get((board, period, ""))
    for name, row in table.rows.items() if table is not None else ():
        shown.set(name, row.prefix, row.extra, row.hidden)
    shown.check()
    return shown


class Board:
    """What one ranking shows; every method fails with both sides when they differ."""

    def __init__(self, state: Fold, board: str, period: str) -> None:
        plan = state.game.boards[board]
        entries = ranking(state, board, period).window(0, 1_000_000).entries
        self.lines: list[Line] = [
            (entry.rank, entry.player, *plan.decode(entry.prefix, entry.extra).values()) for entry in entries
        ]

    def is_(self, lines: list[Line]) -> "Board":
        """Every line, with rank, player and metrics."""
        assert self.lines == lines, f"{self.lines} instead of {lines}"
        return self

    def ranks(self, *expected: tuple[int, str]) -> "Board":
        """Rank and player of every line."""
        shown = [line[:2] for line in self.lines]
        assert shown == list(expected), f"{shown} instead of {expected}"
        return self

    def order(self, *players: str) -> "Board":
        """The players from the first to the last, no two on one rank."""
        return self.ranks(*enumerate(players, 1))


class Then:
    """The state after the events."""

    def __init__(self, text: str, events: list[Fields]) -> None:
        rules = parse(text)
        game = Game(rules)
        self.state = Fold(game)
        for position, event in number(decoded(rules.game, events)):
            assert game.check(event) == []
            self.state.apply(event, position)
        self.state.settle()

    def board(self, board: str = "b", period: str = "all") -> Board:
        """One ranking."""
        return Board(self.state, board, period)

    def periods(self, board: str = "b") -> list[str]:
        """The periods for which the board has somebody ranked."""
        held = ((name, period) for (name, period, _) in self.state.tables if name == board)
        return sorted(period for name, period in held if self.board(name, period).lines)

    @property
    def rejections(self) -> list[tuple[str, str]]:
        """Field and reason of what is in the log and does not count."""
        return [(rejection.field, rejection.reason) for rejection in self.state.rejections]


class Given:
    """Rules, and the events so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._events: list[Fields] = []

    def events(self, *events: Fields) -> "Given":
        """Further events, in the order of the log."""
        self._events += events
        return self

    @property
    def then(self) -> Then:
        """Folds; every use does it anew."""
        return Then(self.text, self._events)


def given(text: str) -> Given:
    """Starts a specification from a ruleset (TOML)."""
    return Given(text)


def rules(
    board: str = "",
    *,
    rank_by: str = '["points desc"]',
    metrics: str = 'points = { op = "sum", of = "points" }',
    head: str = "",
    declared: str = "[metrics.points]",
) -> str:
    """A ruleset with one board `b`; `head` stands in front of the tables, `board` in the board's table."""
    return f"""
game = "g"
{head}
{declared}
[boards.b]
rank_by = {rank_by}
{board}
[boards.b.metrics]
{metrics}
"""
