"""Plays a contest through the pure fold and the ranking in memory; no server is involved."""

from collections.abc import Iterator

from engine.fold import Fold, number
from engine.leaderboard import Leaderboard
from engine.rules import compile_ruleset
from engine.tables import Table
from schemas.codec import decode, encode
from schemas.errors import InvalidEvent
from schemas.ruleset import parse
from tests.corpora.contest import Contest, Line, Tables, numbers


def play(contest: Contest) -> Iterator[tuple[str, Tables]]:
    """Folds step by step; raises InvalidRuleset and InvalidEvent as the live way would refuse them."""
    game = compile_ruleset(parse(contest.ruleset, game=contest.game))
    fold = Fold(game)
    events = [event for step in contest.steps for event in step.events]
    positions = (position for position, _ in number(events))
    for step in contest.steps:
        for event in step.events:
            sent = decode(encode(event))
            problems = game.check(sent)
            if problems:
                raise InvalidEvent(*problems)
            fold.apply(sent, next(positions))
        fold.settle()
        if fold.rejections:
            raise ValueError(f"rejected: {fold.rejections[0]}")
        yield step.label, {_name(*name): lines_of(fold, table) for name, table in fold.tables.items()}


def _name(board: str, _: str, segment: str) -> str:
    return f"{board}/{segment}" if segment else board


def lines_of(fold: Fold, table: Table) -> list[Line]:
    """The ranked entrants in order, then those whom a sanction keeps out of the ranking, with their numbers."""
    plan = table.plan
    board = Leaderboard(plan.style)
    for player, row in table.rows.items():
        board.set(player, row.prefix, row.extra)
    lines = [
        Line(entry.player, entry.rank, numbers(plan.decode(entry.prefix, entry.extra)))
        for entry in board.window(0, len(board)).entries
    ]
    for player in sorted(fold.sanctions.keys() & table.rows.keys()):
        prefix, extra = table.shape.result(table.rows[player].state)
        if prefix is not None:
            lines.append(Line(player, None, numbers(plan.decode(prefix, extra))))
    return lines
