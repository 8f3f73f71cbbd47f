"""Tables: the rows of one ranking in memory, and what is done to them."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import msgspec

from engine.boards import BoardPlan
from engine.clock import FAR
from engine.shapes import Row, Shape, Step

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
_SHAPE = attrgetter("shape")
_ENTRANT = itemgetter(0)


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


class Lane(NamedTuple):
    """Steps that go to the same tables."""

    tables: tuple[Table, ...]
    steps: dict[str, list[Step]]
    """By entrant, in the order of the log."""

    def absorbing(self, batch: int, stride: int) -> Iterator[None]:
        """Brings the rows up to date, with a pause every `stride` entrants.

        One entrant after the other, all his rows at a time, in the order of the ids: so rows that are looked at together lie
        together in memory, which is what this costs. Tables of one shape share what the steps come to.
        """
        by_shape = [(shape, list(alike)) for shape, alike in groupby(self.tables, _SHAPE)]
        for number, (entrant, steps) in enumerate(sorted(self.steps.items(), key=_ENTRANT), 1):
            for shape, alike in by_shape:
                gist = shape.gist(steps)
                for table in alike:
                    row = table.rows.get(entrant)
                    if row is None:
                        row = table.rows[entrant] = Row(shape.new())
                        shape.take(row, gist)
                        changed = True
                    else:
                        changed = shape.take(row, gist)
                    row.touched = batch
                    if changed and not row.dirty:
                        row.dirty = True
                        table.dirty[entrant] = row
            if number % stride == 0:
                yield
        yield


def lay(lanes: list[Lane], tables: tuple[Table, ...], entrant: str, step: Step) -> None:
    """Adds a step behind those that are there."""
    if tables and not (lanes and lanes[-1].tables == tables):
        lanes.append(Lane(tables, {}))
    if tables:
        lanes[-1].steps.setdefault(entrant, []).append(step)


class Change(msgspec.Struct, frozen=True, gc=False):
    """A row whose place or state changed. `moved` says whether the place did; before_* are what was shown until now."""

    table: Table
    player: str
    row: Row
    moved: bool
    before_prefix: bytes | None
    before_extra: bytes
    before_hidden: bytes | None = None
