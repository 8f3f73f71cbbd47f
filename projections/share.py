"""A share of a game's players: what one of several processes reads of an archive, and folds.

Only games in which nobody's place is made of what others did can be folded so (`can_share`). What names a player goes with
him. What names nobody every share takes, and of what that leads to which belongs to nobody only the first one gives account.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from zlib import crc32

from engine.corrections import VOIDABLE, marks_of
from engine.spread import goes_with
from projections.past import Fetch, as_if
from schemas.events import Event
from schemas.language import AdjustmentSource, Ruleset, ScoreSource
from schemas.spreadcheck import spread_problems

SCORE = b'{"type":"score",'
"""What begins so is a score. The query `events` of replay.sql leaves those out that go to another share: it tells that from
the subject, as `owns` does from the player."""

MASK = (1 << 31) - 1
"""Of the number that stands for a player in the archive so many bits count: PostgreSQL's integers have a sign."""


class Share(NamedTuple):
    """One of so many shares."""

    number: int = 0
    of: int = 1

    def owns(self, player: str) -> bool:
        """Whether a player belongs to it."""
        return self.of == 1 or (crc32(marks_of(player).encode()) & MASK) % self.of == self.number

    def takes(self, event: Event) -> bool:
        """Whether an event goes to it."""
        player = goes_with(event)
        return player is None or self.owns(player)

    def tells(self, player: str) -> bool:
        """Whether it gives account of a row that is about this player; "" if it is about nobody."""
        return self.owns(player) if player else self.number == 0

    def taken(self, rows: Sequence[Any], events: Sequence[Event]) -> tuple[list[Any], list[Event]]:
        """Those that go to it. Of rows that begin as a score in JSON no others were read."""
        if {row[4][: len(SCORE)] for row in rows} == {SCORE}:
            return list(rows), list(events)
        pairs = [pair for pair in zip(rows, events, strict=True) if pair[0][4].startswith(SCORE) or self.takes(pair[1])]
        return [row for row, _ in pairs], [event for _, event in pairs]

    def looking(self, fetch: Fetch) -> Fetch:
        """Looks up what corrections need of the past, as if what could be void and goes to others had never been said."""
        if self.of == 1:
            return fetch
        return as_if(fetch, lambda event, _: not isinstance(event, VOIDABLE) or self.takes(event))


WHOLE = Share()


def can_share(rules: Ruleset) -> bool:
    """Whether scores and adjustments are all that makes places, and each player's place is made of his own."""
    plain = all(isinstance(source, ScoreSource | AdjustmentSource) for source in rules.sources.values())
    return plain and not rules.spread and not any(spread_problems(rules))
