"""The event union: what publishers may say, on the wire.

One struct a type, tagged by `type`, frozen; unknown fields are refused. Numbers are integers or exact decimals,
never binary floats. Shape only: whether a metric is declared or a player banned is the ruleset's and the fold's matter.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

Number = int | Decimal
AttributeValue = str | bool | int
Attributes = dict[str, AttributeValue]
Values = dict[str, Number]
Round = str | int

ResultStatus = Literal["final", "void", "push", "abandoned"]
PlayerStatus = Literal["active", "hidden", "banned", "erased"]
RulesetMode = Literal["retroactive", "from"]


class Event(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", omit_defaults=True
):
    """The envelope. `id` is the publisher's idempotency key, unique within the game for its whole life.

    `occurred_at` is RFC 3339 with an offset or epoch milliseconds; without it the entry's stream time holds.
    """

    id: str
    game: str
    v: int = 1
    occurred_at: datetime | int | None = None


class Score(Event, frozen=True, tag="score"):
    """A player scored. `values` maps declared metrics to numbers."""

    player: str
    values: Values
    round: Round | None = None
    attributes: Attributes | None = None


class Pick(Event, frozen=True, tag="pick"):
    """A player predicts. `choice` is a key, a list of keys, or a score such as "2-1"; the last before the lock holds."""

    player: str
    fixture: str
    choice: str | list[str]
    market: str | None = None
    stake: Number | None = None


class Fixture(Event, frozen=True, tag="fixture"):
    """A contest is planned or moved."""

    fixture: str
    round: Round
    starts_at: datetime | int
    locks_at: datetime | int | None = None
    sides: list[str] | None = None
    attributes: Attributes | None = None


class Placement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entrant's line of a result. `position` is absent for who was not classified; `status` says why (DNF, DSQ).

    Lines with the same `seat` shared one place, as drivers who shared a car.
    """

    player: str
    position: int | None = None
    status: str | None = None
    seat: str | None = None
    values: Values | None = None
    attributes: Attributes | None = None


class Result(Event, frozen=True, tag="result"):
    """A contest ended, or its result was corrected: the highest `revision` holds.

    `reason` and `author` say why and by whom, when officials decided it otherwise than it was played.
    """

    fixture: str
    revision: int = 1
    status: ResultStatus = "final"
    round: Round | None = None
    score: list[int] | None = None
    placements: list[Placement] | None = None
    outcomes: dict[str, list[str]] | None = None
    attributes: Attributes | None = None
    reason: str | None = None
    author: str | None = None


class Adjustment(Event, frozen=True, tag="adjustment"):
    """Officials add or take off, with a reason. Without `board` it concerns every board that takes adjustments."""

    player: str
    values: Values
    reason: str
    round: Round | None = None
    board: str | None = None
    author: str | None = None


class Void(Event, frozen=True, tag="void"):
    """An earlier event does not count."""

    event: str
    reason: str


class Reinstate(Event, frozen=True, tag="reinstate"):
    """A voided event counts again."""

    event: str
    reason: str


class Player(Event, frozen=True, tag="player"):
    """Profile and standing of a player. Absent fields stay as they were.

    hidden: not shown, still ranked for himself; banned: removed, ranks close up; erased: his identity is removed.
    """

    player: str
    name: str | None = None
    attributes: Attributes | None = None
    status: PlayerStatus | None = None
    reason: str | None = None


class Freeze(Event, frozen=True, tag="freeze"):
    """The public view of a board (or of all) stops here."""

    board: str | None = None
    period: str | None = None


class Thaw(Event, frozen=True, tag="thaw"):
    """The public view goes on."""

    board: str | None = None
    period: str | None = None


class Close(Event, frozen=True, tag="close"):
    """A period is final."""

    board: str | None = None
    period: str | None = None


class RulesetChange(Event, frozen=True, tag="ruleset"):
    """A new version of the rules holds; `text` is the whole ruleset as TOML. `from_round` or `from_time` date it."""

    version: int
    text: str
    mode: RulesetMode = "retroactive"
    from_round: Round | None = None
    from_time: datetime | int | None = None


class Tick(Event, frozen=True, tag="tick"):
    """So late is it. Appended by the shard's lease holder; with recorded times it is the fold's only clock."""

    at: datetime | int


AnyEvent = (
    Score
    | Pick
    | Fixture
    | Result
    | Adjustment
    | Void
    | Reinstate
    | Player
    | Freeze
    | Thaw
    | Close
    | RulesetChange
    | Tick
)
EVENT_TYPES: tuple[type[Event], ...] = (
    Score,
    Pick,
    Fixture,
    Result,
    Adjustment,
    Void,
    Reinstate,
    Player,
    Freeze,
    Thaw,
    Close,
    RulesetChange,
    Tick,
)

Scope = Literal["publish", "officiate", "admin"]
SCOPES: dict[type[Event], Scope] = {
    Score: "publish",
    Pick: "publish",
    Fixture: "officiate",
    Result: "officiate",
    Adjustment: "officiate",
    Void: "officiate",
    Reinstate: "officiate",
    Freeze: "officiate",
    Thaw: "officiate",
    Close: "officiate",
    Tick: "officiate",
    Player: "admin",
    RulesetChange: "admin",
}
