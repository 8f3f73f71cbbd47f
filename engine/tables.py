"""Tables: the rows of one ranking in memory, and what is done to them."""

from typing import Any

import msgspec

from engine.boards import BoardPlan
from engine.clock import FAR
from engine.shapes import Row, Shape

TableName = tuple[str, str, str]
"""(board, period, segment); the segment is empty for the whole board."""


class Stateless(Shape):
    """The shape of copies: their rows follow from other rows."""

    def new(self) -> None:
        return None

    def dump(self, state: Any) -> bytes:
        return b""

    def load(self, data: bytes) -> None:
        return None


STATELESS = Stateless()


class Table:
    """The rows of one ranking that are in memory: all of them offline, a cache of them live.

    `whole` says that the cache holds all; tables that must be are settled only then. No row is due before `due`; the period
    ends at `end` (epoch milliseconds). A `copy` follows from other tables (engine/copies.py); one that `moves` has a copy from
    before the present stretch.
    """

    __slots__ = (
        "badged",
        "copy",
        "dirty",
        "due",
        "end",
        "moves",
        "name",
        "plan",
        "ranking_id",
        "rows",
        "shape",
        "whole",
    )

    def __init__(self, name: TableName, plan: BoardPlan) -> None:
        self.name = name
        self.plan = plan
        window = plan.windows.get(name[1])
        badges = plan.badges if window is None and not name[2] else None
        self.badged = badges is not None
        self.copy = plan.copies(name[2])
        self.moves = plan.present is not None and window is None and not self.copy
        self.shape = STATELESS if self.copy else window or badges or plan.shape
        self.rows: dict[str, Row] = {}
        self.dirty: dict[str, Row] = {}
        self.ranking_id = 0
        self.whole = False
        self.due = FAR
        self.end = plan.end_of(name[1]) if self.shape.clocked else FAR

    @property
    def idle(self) -> bool:
        """Whether this is a copy in which nobody has been ranked."""
        return self.copy and not self.rows


class Change(msgspec.Struct, frozen=True, gc=False):
    """A row whose place or state changed. `moved` says whether the place did; before_* are what was shown until now."""

    table: Table
    player: str
    row: Row
    moved: bool
    before_prefix: bytes | None
    before_extra: bytes
    before_hidden: bytes | None = None
