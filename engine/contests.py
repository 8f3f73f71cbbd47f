"""Contests: what the log says of one fixture, taken together. Marks of a contest follow from this and the rules alone."""

from typing import Any

import msgspec

from schemas.codec import encode, epoch_ms
from schemas.events import Attributes, Fixture, Result, Round


class Contest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fixture as planned, and the result that holds. Times are epoch milliseconds."""

    fixture: str
    round: Round | None = None
    starts_ms: int | None = None
    locks_ms: int | None = None
    sides: list[str] | None = None
    attributes: Attributes | None = None
    result: Result | None = None
    result_ms: int = 0
    """The recorded time of the result."""

    def planned(self, event: Fixture) -> "Contest":
        """The contest after a fixture event."""
        return msgspec.structs.replace(
            self,
            round=event.round,
            starts_ms=epoch_ms(event.starts_at),
            locks_ms=None if event.locks_at is None else epoch_ms(event.locks_at),
            sides=event.sides,
            attributes=event.attributes,
        )

    @property
    def revision(self) -> int:
        """The revision of the result that holds; 0 without one."""
        return 0 if self.result is None else self.result.revision

    @property
    def occurred_ms(self) -> int:
        """When the contest took place: its start; without a fixture when its result says, or was recorded."""
        if self.starts_ms is not None:
            return self.starts_ms
        if self.result is not None and self.result.occurred_at is not None:
            return epoch_ms(self.result.occurred_at)
        return self.result_ms

    @property
    def held_in(self) -> Round | None:
        """The round; a result may name another than the fixture."""
        return self.round if self.result is None or self.result.round is None else self.result.round

    @property
    def facts(self) -> dict[str, Any]:
        """The attributes of fixture and result."""
        of_result = None if self.result is None else self.result.attributes
        return {**(self.attributes or {}), **(of_result or {})}


def content(event: Result) -> bytes:
    """What a revision says, apart from how it was sent."""
    return encode(msgspec.structs.replace(event, id="x", occurred_at=event.occurred_at))
