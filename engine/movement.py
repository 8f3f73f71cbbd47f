"""Movement: which marks of a table lie before its present round, day, week or month.

The present one is that in which the table's latest mark by contest time lies. Days, weeks and months go by the calendar.
Rounds come in the order of their numbers; a round with a name is before another one when its first mark is. A mark without a
round goes by its time: it is before the present round when it is before the first mark of that.
"""

from collections.abc import Callable
from typing import NamedTuple

from sortedcontainers import SortedList

from engine.clock import FAR
from engine.marks import Mark
from engine.periods import Calendar
from schemas.events import Round
from schemas.language import Board, PeriodKind, Ruleset

BEFORE = "<"
"""In front of a segment: the ranking before the present stretch. No segment that has an attribute starts so."""

Place = tuple[tuple[int, int, int], str]
"""Where a mark stands in contest order."""


class Cutoff(NamedTuple):
    """What is before the present stretch: marks before `start_ms`; or, where `rounds` go by, those of these rounds, and
    marks without a round before the place `first`."""

    start_ms: int
    rounds: frozenset[Round] | None = None
    first: Place | None = None

    def before(self, marks: list[Mark]) -> list[Mark]:
        """Those of marks in contest order that are before it, in the same order."""
        rounds, first = self.rounds, self.first
        if rounds is None or first is None:
            return [mark for mark in marks if mark.occurred_ms < self.start_ms]
        return [
            mark
            for mark in marks
            if (mark.round in rounds if mark.round is not None else (mark.order, mark.origin) < first)
        ]


NOTHING = Cutoff(-FAR)


class Present:
    """Keeps up with the present stretch of one table."""

    def update(self, player: str, marks: list[Mark]) -> None:
        """Takes over a player's marks, in contest order, in place of those that he had."""
        raise NotImplementedError

    def cutoff(self) -> Cutoff:
        """What is before the present stretch."""
        raise NotImplementedError


class _PresentStretch(Present):
    """By the calendar."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._last: dict[str, int] = {}
        self._all: SortedList = SortedList()

    def update(self, player: str, marks: list[Mark]) -> None:
        held = self._last.pop(player, None)
        if held is not None:
            self._all.remove(held)
        if marks:
            self._last[player] = marks[-1].occurred_ms
            self._all.add(marks[-1].occurred_ms)

    def cutoff(self) -> Cutoff:
        if not self._all or self._calendar.period_of(self._all[-1], None) is None:
            return NOTHING
        return Cutoff(self._calendar.start)


class _PresentRound(Present):
    """By rounds."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[tuple[Place, str, Round], dict[Round, Place]]] = {}
        self._lasts: SortedList = SortedList()
        self._firsts: dict[Round, SortedList] = {}

    def update(self, player: str, marks: list[Mark]) -> None:
        if player in self._held:
            last, firsts = self._held.pop(player)
            self._lasts.remove(last[:2])
            for number, place in firsts.items():
                self._firsts[number].remove(place)
        places = [((mark.order, mark.origin), mark.round) for mark in marks if mark.round is not None]
        if not places:
            return
        firsts = {}
        for place, number in places:
            firsts.setdefault(number, place)
        place, number = places[-1]
        # Two contests may start at once: then the kind of the round and its text decide.
        last = (place, repr(number), number)
        self._held[player] = last, firsts
        self._lasts.add(last[:2])
        for number, place in firsts.items():
            self._firsts.setdefault(number, SortedList()).add(place)

    def cutoff(self) -> Cutoff:
        if not self._lasts:
            return NOTHING
        firsts = {number: places[0] for number, places in self._firsts.items() if places}
        text = self._lasts[-1][1]
        present = next(number for number in firsts if repr(number) == text)
        first = firsts[present]

        def earlier(number: Round) -> bool:
            if isinstance(number, int) and isinstance(present, int):
                return number < present
            return bool(firsts[number] < first)

        return Cutoff(first[0][0], frozenset(number for number in firsts if earlier(number)), first)


def present_of(board: Board, rules: Ruleset) -> Callable[[], Present] | None:
    """What makes the `Present` of each table of a board; None for a board without movement."""
    kinds: dict[str, PeriodKind] = {"daily": "daily", "weekly": "weekly", "monthly": "monthly"}
    if board.movement == "none":
        return None
    if board.movement == "round":
        return _PresentRound
    kind = kinds[board.movement]
    return lambda: _PresentStretch(Calendar(kind, rules))
