"""What a corpus gives the judge: per season a ruleset, the events in steps, and the published table after each step."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from schemas.events import AnyEvent

NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Cell(NamedTuple):
    """One published number. `field` is position, listed, or a metric's name."""

    board: str
    step: str
    entrant: str
    field: str


class Step(NamedTuple):
    """The events after which tables were published; `label` is how the source calls that moment (a round, final)."""

    label: str
    events: list[AnyEvent]


@dataclass(frozen=True)
class Official:
    """A published line. Without a position the entrant is shown but not ranked (excluded).

    With `last` any place from `position` to `last` is right: the source lists those who are level in an order that says
    nothing.
    """

    entrant: str
    position: int | None
    values: Mapping[str, Decimal]
    last: int | None = None

    def admits(self, rank: int | None) -> bool:
        """Whether our rank is the published one."""
        if self.position is None or rank is None:
            return rank == self.position
        return self.position <= rank <= (self.last or self.position)


@dataclass(frozen=True)
class Line:
    """Our line. `rank` is None for an entrant who has numbers but is not ranked."""

    entrant: str
    rank: int | None
    values: Mapping[str, Decimal]


Tables = dict[str, list[Line]]
"""Our lines, by board; those of a segment by `board/attribute:value`."""


@dataclass(frozen=True)
class Contest:
    """One season, ready to be folded and judged.

    `official` holds the published lines by (step, board). `excused` holds the cells that the corpus marks as
    exceptions, each with the value that the rules give (None where the corpus does not say). A `partial` corpus publishes
    some lines of a table only. `unknown` holds the cells that are not compared, each with the reason; they count as
    exceptions.
    """

    season: str
    game: str
    ruleset: str
    steps: list[Step]
    official: Mapping[tuple[str, str], list[Official]]
    excused: Mapping[Cell, Decimal | None] = field(default_factory=dict)
    partial: bool = False
    unknown: Mapping[Cell, str] = field(default_factory=dict)


Runner = Callable[[Contest], Iterable[tuple[str, Tables]]]
"""Plays a contest and yields our tables after every step."""


Recipe = Callable[[], Contest]
"""Makes a season's contest; a season whose rules cannot be understood fails here, alone."""


class Corpus(NamedTuple):
    """How to read one corpus folder: which seasons it has, and how to make each a contest."""

    seasons: Callable[[Path], list[str]]
    contests: Callable[[Path, list[str]], Iterator[tuple[str, Recipe]]]


def numbers(metrics: Mapping[str, int | str | None]) -> dict[str, Decimal]:
    """A board's metrics, as JSON shows them, as exact numbers; those that are words (form) are left out."""
    shown = {name: str(value) for name, value in metrics.items() if value is not None}
    return {name: Decimal(value) for name, value in shown.items() if NUMBER.fullmatch(value)}
