"""Badges: awarded once, when the metrics first meet a condition. Part of the auditor."""

from typing import NamedTuple

from schemas.events import Player
from tests.simulation.accepting import Account, History, Said
from tests.simulation.auditor import meets_all, taken
from tests.simulation.marking import Mark
from tests.simulation.metrics import Calendar, Sheet, kept
from tests.simulation.predicting import Book
from tests.simulation.sources import all_marks


class Award(NamedTuple):
    """What somebody was awarded, in which period of which board."""

    board: str
    period: str
    player: str
    badge: str


Awards = dict[Award, tuple[int, int]]
"""Every award, and the entry of the event that earned it."""


class Awarder:
    """Goes through the accepted events of a game one by one; `upto` the end, again when there are more."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.awards: Awards = {}
        self._history = History(account)
        self._book = Book(self._history, account.rules)
        self._taken = 0
        self._marks: dict[tuple[str, str, str], list[Mark]] = {}

    def upto(self, said: list[Said]) -> Awards:
        """The awards of a log, of which an earlier part may have been seen before."""
        rules = self.account.rules
        if not any(board.badges for board in rules.boards.values()):
            return {}
        for one in said[self._taken :]:
            if self._history.take(one):
                self._book.follow(one)
            self._rename(one)
            self._judge(one)
        self._taken = len(said)
        return self.awards

    def _rename(self, said: Said) -> None:
        """What an erased player was awarded goes with his new id."""
        event = said.event
        if isinstance(event, Player) and event.status == "erased":
            after = self._history.name(event.player, said.entry)
            self.awards = {
                award._replace(player=after) if award.player == event.player else award: entry
                for award, entry in self.awards.items()
            }

    def _judge(self, said: Said) -> None:
        """Looks at everybody whose marks are others than before the event."""
        rules = self.account.rules
        calendar = Calendar(rules)
        marks = sorted(all_marks(self._history, self._book, rules), key=lambda one: one.order)
        found: dict[tuple[str, str, str], list[Mark]] = {}
        for name, board in rules.boards.items():
            for mark in taken(name, board, marks, rules) if board.badges else ():
                for period in [calendar.period(kind, mark) for kind in board.periods]:
                    if period is not None:
                        found.setdefault((name, period, mark.who), []).append(mark)
        for (name, period, player), his in found.items():
            if his != self._marks.get((name, period, player)):
                board = rules.boards[name]
                values = Sheet(rules, board, calendar).values(his)
                for badge, rule in board.badges.items() if kept(board.keep, his) else ():
                    if meets_all(rule.where, values):
                        self.awards.setdefault(Award(name, period, player, badge), said.entry)
        self._marks = found
