"""What a reader means by a board: one copy of it, as it is now or was."""

from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from api.freshness import Shown
from api.problems import GONE, RefusedError
from engine.boards import BoardPlan
from engine.spread import part_of
from projections.catalog import GameInfo
from projections.effective import Truth
from schemas.position import Position


class Wanted(NamedTuple):
    """A copy of a board as it is asked for. Without a period it is the present one, whichever that is by then, without a
    segment the whole board.
    """

    board: str
    period: str | None = None
    segment: str | None = None


class Past(NamedTuple):
    """As of when a board is seen: what was displayed in a version of its shard, which showed `position`.

    `now` is the game as it is now, `known_at` what was asked for, if it was; `frozen_ms` is since when the board is frozen, or
    was so then. One that was asked for as of `effective_at` is seen as its `truth` has it.
    """

    version: int
    position: Position
    now: GameInfo
    known_at: str | None
    frozen_ms: int | None = None
    final: bool = False
    truth: Truth | None = None
    effective_at: str | None = None


class View(NamedTuple):
    """One copy of a board; `ranking_id` is None while nothing was ever folded into it. The whole board's segment is "".

    One of the past is of the generation that was live then. `fresh` says that Redis stands still: PostgreSQL has to tell.
    Of a spread game it is that of the first part, and `parts` are those of all.
    """

    info: GameInfo
    plan: BoardPlan
    period: str
    ranking_id: int | None
    segment: str = ""
    past: Past | None = None
    fresh: bool = False
    parts: tuple["View", ...] = ()

    def of(self, player: str) -> "View":
        """The view of the part that a player belongs to."""
        return self.parts[part_of(player, len(self.parts))] if self.parts else self

    @property
    def named(self) -> GameInfo:
        """The game whose profiles give the names: those of the present also stand on boards of the past."""
        return self.info if self.past is None else self.past.now

    @property
    def version(self) -> int | None:
        """The version as of which it is seen; None for what is shown now."""
        return None if self.past is None else self.past.version

    @property
    def copy(self) -> tuple[int, int]:
        """Tells this copy of the board from others; a period that nobody is ranked in has no ranking to go by."""
        return self.info.generation_id, self.ranking_id or -crc32(self.period.encode())

    @property
    def still(self) -> tuple[int, ...]:
        """As of when it stands still, and why; empty for what is shown now. Versions alone do not tell: those of a frozen
        board are ahead of what is shown after the thaw."""
        past = self.past
        return () if past is None else (past.version, past.frozen_ms or 0, int(past.final))


def in_period(view: View, period: str) -> View:
    """The same in another period, where what was true then tells of all."""
    return view._replace(period=period, parts=tuple(in_period(part, period) for part in view.parts))


def as_of(shown: Shown, position: Position) -> Shown:
    """The same at another position."""
    return shown._replace(position=position, text=str(position))


def joined(views: Sequence[View]) -> View:
    """The view of a spread game out of those of its parts. It is frozen as soon as any part is."""
    first = views[0]
    if any(view.info.ruleset_version != first.info.ruleset_version for view in views):
        raise RefusedError(GONE, "the parts of this spread game went by different versions of the rules there")
    return first._replace(
        ranking_id=next((view.ranking_id for view in views if view.ranking_id is not None), None),
        past=next((view.past for view in views if view.past is not None), None),
        fresh=any(view.fresh for view in views),
        parts=tuple(views),
    )


def together(shown: Sequence[Shown]) -> Shown:
    """What all parts of a spread game show, each its own position."""
    return Shown(
        shown[0].position,
        all(each.in_redis for each in shown),
        min(each.read_at for each in shown),
        ",".join(each.text for each in shown),
        sum(each.profiles for each in shown),
        tuple(shown),
    )


def shown_in(view: View, shown: Shown) -> Shown:
    """What a view shows where one or another part of it stands still."""
    if not view.parts:
        return shown if view.past is None else as_of(shown, view.past.position)
    return together([shown_in(part, each) for part, each in zip(view.parts, shown.parts, strict=True)])


def beside_in(info: GameInfo, shown: Shown) -> Shown:
    """What a generation shows that need not follow the log any more."""
    each = [
        shown.of(part.part) if part.folded is None else as_of(shown.of(part.part), part.folded) for part in info.parts
    ]
    return together(each) if len(each) > 1 else each[0]
