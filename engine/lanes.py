"""Lanes: what was staged and waits to be absorbed, in the order of the log, by the rankings that it goes to."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from engine.gathering import Gather, gather_of
from engine.marks import Scores
from engine.shapes import Row, Shape, Step
from engine.tables import Table
from schemas.events import Round

_SHAPE = attrgetter("shape")
_ENTRANT = itemgetter(0)
_PLAYER = attrgetter("player")
_ROUND = attrgetter("round")


class Lane:
    """Steps that go to the same tables, by entrant, in the order of the log."""

    __slots__ = ("steps", "tables")

    def __init__(self, tables: tuple[Table, ...]) -> None:
        self.tables = tables
        self.steps: dict[str, list[Any]] = {}

    def gists(self) -> list[Callable[[list[Any]], Any]]:
        """For each of the shapes what makes the gist out of an entrant's steps."""
        return [shape.gist for shape, _ in by_shapes(self.tables)]

    def absorbing(self, batch: int, stride: int) -> Iterator[None]:
        """Brings the rows up to date, with a pause every `stride` entrants.

        One entrant after the other, all his rows at a time, in the order of the ids: so rows that are looked at together lie
        together in memory, which is what this costs. Tables of one shape share what the steps come to.
        """
        by_shape = [
            (gist, shape, shape.take, [(table.rows, table.dirty) for table in alike])
            for gist, (shape, alike) in zip(self.gists(), by_shapes(self.tables), strict=True)
        ]
        for count, (entrant, steps) in enumerate(sorted(self.steps.items(), key=_ENTRANT), 1):
            for gist_of, shape, take, alike in by_shape:
                gist = gist_of(steps)
                for rows, dirty in alike:
                    row = rows.get(entrant)
                    if row is None:
                        row = rows[entrant] = Row(shape.new())
                        take(row, gist)
                        changed = True
                    else:
                        changed = take(row, gist)
                    row.touched = batch
                    if changed and not row.dirty:
                        row.dirty = True
                        dirty[entrant] = row
            if count % stride == 0:
                yield
        yield

    def bring(self, entrant: str, table: Table, row: Row) -> None:
        """Has a row, whoever's it is, take what goes to one table from an entrant."""
        steps = self.steps.get(entrant)
        if steps is not None:
            gists = zip(self.gists(), by_shapes(self.tables), strict=True)
            gist = next(gist for gist, (_, alike) in gists if table in alike)
            table.shape.take(row, gist(steps))


class Gathering(Lane):
    """Plain scores that go to the same tables: of each entrant only what they come to for each shape, not the marks.

    For shapes that need no more (engine/gathering.py). It takes as much memory as there are entrants, however many events.
    """

    __slots__ = ("gathers",)

    def __init__(self, tables: tuple[Table, ...], gathers: list[Gather]) -> None:
        super().__init__(tables)
        self.gathers = gathers

    def gists(self) -> list[Callable[[list[Any]], Any]]:
        return [gather.gist for gather in self.gathers]


class Road:
    """Where marks of a time in [start, end) and of a round go, for games in which nothing else decides that."""

    __slots__ = ("_empty", "_gathers", "_takes", "end", "round", "start", "tables")

    def __init__(self, start: int = 0, end: int = 0, round_: Round | None = None, tables: Sequence[Table] = ()) -> None:
        self.start = start
        self.end = end
        self.round = round_
        self.tables = tuple(tables)
        self._gathers: list[Gather] = []
        self._empty: list[Any] = []
        for shape, _ in by_shapes(self.tables):
            gather = gather_of(shape, len(self._empty))
            if gather is None:
                self._gathers.clear()
                break
            self._gathers.append(gather)
            self._empty += gather.empty
        self._takes = [gather.take for gather in self._gathers]

    def reach(self, scores: Scores, start: int) -> int:
        """The index of the first score from `start` on that does not go here."""
        events, occurred, count = scores.events, scores.occurred, len(scores.events)
        timely = not start and self.start <= min(occurred) and max(occurred) < self.end
        if timely and set(map(_ROUND, events)) == {self.round}:
            return count
        for index in range(start, count):
            if not self.start <= occurred[index] < self.end or events[index].round != self.round:
                return index
        return count

    def stage(self, lanes: list[Lane], scores: Scores) -> None:
        """Adds scores behind what is there."""
        takes = self._takes
        if not lanes or lanes[-1].tables is not self.tables:
            lanes.append(Gathering(self.tables, self._gathers) if takes else Lane(self.tables))
        steps = lanes[-1].steps
        held = map(steps.get, map(_PLAYER, scores.events))
        if takes:
            gathered: list[list[Any]] = []
            for event, one in zip(scores.events, held, strict=True):
                if one is None:
                    one = steps[event.player] = self._empty.copy()
                gathered.append(one)
            for take in takes:
                take(gathered, scores)
            return
        for index, one in enumerate(held):
            if one is None:
                one = steps[scores.events[index].player] = []
            one.append(scores.mark(index))


def by_shapes(tables: tuple[Table, ...]) -> list[tuple[Shape, list[Table]]]:
    """Tables that stand together and have one shape."""
    return [(shape, list(alike)) for shape, alike in groupby(tables, _SHAPE)]


def lay(lanes: list[Lane], tables: tuple[Table, ...], entrant: str, step: Step) -> None:
    """Adds a step behind those that are there."""
    if not tables:
        return
    if not lanes or type(lanes[-1]) is not Lane or lanes[-1].tables != tables:
        lanes.append(Lane(tables))
    lanes[-1].steps.setdefault(entrant, []).append(step)
