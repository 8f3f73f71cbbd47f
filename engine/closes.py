"""Closes: periods that are final. What readers are shown of them does not change any more, and events that would have moved
them are rejected there: they count on the other boards, and on these only if they are opened again.

The rows go on underneath, so that a period that is opened again is what it would be had it never been closed.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from schemas.events import Close, Event, Thaw
from schemas.position import Position

if TYPE_CHECKING:
    from engine.fold import Fold
    from engine.tables import Table

REASON = "the period is closed: there it counts only if the period is opened again"


class Closes:
    """What is closed in a fold: boards (or every one, empty) in periods (or in every one, empty), and since which position."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Position] = {}
        self.changed = False
        self._late = False

    def stage(self, event: Event, position: Position) -> None:
        """A period is closed, or opened again with all that lies within what is thawed."""
        if isinstance(event, Close):
            self.held.setdefault((event.board or "", event.period or ""), position)
            self.changed = True
        elif isinstance(event, Thaw):
            for board, period in list(self.held):
                if event.board in (None, board) and event.period in (None, period):
                    del self.held[board, period]
                    self.changed = True

    def see(self, tables: Iterable["Table"]) -> None:
        """An event has something to say to these tables."""
        for table in tables:
            board, period, _ = table.name
            if any(key in self.held for key in ((board, period), (board, ""), ("", period), ("", ""))):
                self._late = True

    def settle(self, fold: "Fold", event: Event, position: Position) -> None:
        """An event is over: it is rejected where it came too late."""
        if self._late:
            self._late = False
            player = getattr(event, "player", None)
            fold.settlement.reject(position, event.id, "period", REASON, player)
