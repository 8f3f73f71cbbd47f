"""What was true at an instant, given all that is known by now: which events and contests of a log count for it.

At a time T (epoch milliseconds): scores, adjustments and picks that occurred up to T; contests that took place up to T, with
the result that holds by now; ticks up to T. At a position: those of them that were recorded up to it, and later revisions of
results that had come by then. Voids, reinstatements, profiles, sanctions and fixtures always count, whenever they were
recorded, and so late is it as it was then. What is left is folded like any log.
"""

from engine.clock import FAR
from engine.fold import Fold
from schemas.codec import epoch_ms
from schemas.events import Adjustment, Event, Pick, Result, Score, Tick
from schemas.position import Position

_DATED = (Score, Adjustment, Pick)


class Cut:
    """Tells for the events of one log, given in its order, which count for an instant."""

    def __init__(self, when: int | Position) -> None:
        self._position = when if isinstance(when, Position) else None
        self.clock_ms: int = when.ms if isinstance(when, Position) else when
        """So late it was."""
        self.contests_ms = FAR if isinstance(when, Position) else when
        """Contests that took place later give nothing."""
        self._settled: set[str] = set()

    def counts(self, event: Event, position: Position) -> bool:
        """Whether an event counts."""
        if self._position is not None:
            return self._recorded(event, position, self._position)
        if isinstance(event, _DATED):
            return (position.ms if event.occurred_at is None else epoch_ms(event.occurred_at)) <= self.clock_ms
        return not isinstance(event, Tick) or epoch_ms(event.at) <= self.clock_ms

    def _recorded(self, event: Event, position: Position, until: Position) -> bool:
        # Places of one game in one epoch are on one shard, whichever number that has.
        if (position.epoch, *position[2:]) <= (until.epoch, *until[2:]):
            if isinstance(event, Result):
                self._settled.add(event.fixture)
            return True
        if isinstance(event, Result):
            return event.fixture in self._settled
        return not isinstance(event, (*_DATED, Tick))

    def begin(self, fold: Fold) -> None:
        """Has a fold, still empty, leave out the contests that took place later."""
        fold.settlement.until_ms = self.contests_ms

    def pass_time(self, fold: Fold, ms: int) -> None:
        """So late is it, but no later than it was."""
        fold.pass_time(min(ms, self.clock_ms))
