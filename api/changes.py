"""What a listener is told: the lines of a board that he watches, and which of them are others than before.

Pure: from two states to an event. An event is encoded once, however many listeners it goes to.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from api.encode import Metrics, final, frozen, tier_of
from api.names import Names
from api.view import View
from engine.places import Answer, Entry, Lookup, Place, Window

_encode = msgspec.json.Encoder().encode


class Watch(NamedTuple):
    """What a listener follows: these players, or (when there are none) the first `top` entries.

    `alone`: a player's own stream, which shows him even while he is hidden from lists.
    """

    players: tuple[str, ...]
    top: int
    alone: bool = False

    def lookups(self) -> list[Lookup]:
        """The questions that the ranking has to answer for it."""
        if not self.players:
            return [Lookup("top", 0, self.top)]
        return [Lookup("player", player, 0) for player in self.players]


class LiveLine(msgspec.Struct, frozen=True, gc=False):
    """A line that is new or has changed. `ordinal` counts from 1 and puts the lines in order, even the tied.

    `was` is the rank before, null for who was not among the lines; it is missing in a full state.
    """

    rank: int
    ordinal: int
    player: str
    metrics: Metrics
    tied: bool
    was: int | msgspec.UnsetType | None = msgspec.UNSET
    tier: str | msgspec.UnsetType | None = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    hidden: bool | msgspec.UnsetType = msgspec.UNSET


class Ranks(msgspec.Struct, frozen=True):
    """The data of an event. `full`: the entries are all lines, to be shown in place of whatever was shown before.

    Otherwise `entries` are the changed lines, and `gone` the players who are no longer among the lines; there may be neither
    when the board was frozen, thawed or closed, of which `frozen` and `final` tell as on a page.
    """

    position: str
    game: str
    board: str
    period: str
    total: int
    full: bool
    entries: list[LiveLine]
    gone: list[str]
    segment: str | msgspec.UnsetType = msgspec.UNSET
    frozen: datetime | msgspec.UnsetType = msgspec.UNSET
    final: bool | msgspec.UnsetType = msgspec.UNSET


class Message(msgspec.Struct, frozen=True):
    """An event as it goes over a WebSocket."""

    event: str
    id: str
    data: msgspec.Raw


class Event:
    """An event in both its forms; each is made when it is first needed."""

    __slots__ = ("_data", "_sse", "_text", "id")

    def __init__(self, id_: str, ranks: Ranks) -> None:
        self.id = id_
        self._data = _encode(ranks)
        self._sse: bytes | None = None
        self._text: str | None = None

    @property
    def sse(self) -> bytes:
        """For server-sent events. JSON holds no line ends, so one data line carries it."""
        if self._sse is None:
            self._sse = b"event: ranks\nid: %b\ndata: %b\n\n" % (self.id.encode(), self._data)
        return self._sse

    @property
    def text(self) -> str:
        """For a WebSocket."""
        if self._text is None:
            self._text = _encode(Message("ranks", self.id, msgspec.Raw(self._data))).decode()
        return self._text


class State(NamedTuple):
    """The lines that a watch shows, by player and in their order, and what their ranking and the profiles were at."""

    view: View
    position: str
    seen: tuple[int, ...]
    total: int
    lines: dict[str, LiveLine]

    @property
    def id(self) -> str:
        """Tells states apart, over restarts and from one process to another."""
        return ".".join(map(str, (*self.view.copy, *self.seen, *self.view.still)))

    def same_copy(self, other: "State") -> bool:
        """Whether both are of the same ranking: not so after a period has ended or a generation was swapped."""
        return self.view.ranking_id == other.view.ranking_id and self.view.period == other.view.period

    def stands_like(self, other: "State") -> bool:
        """Whether nothing was frozen, thawed or closed between them."""
        one, two = self.view.past, other.view.past
        return frozen(one) == frozen(two) and final(one) == final(two)


def players_in(answer: Answer) -> list[str]:
    """Whose names are wanted."""
    players: list[str] = []
    for found in answer.found:
        if isinstance(found, Window):
            players += [entry.player for entry in found.entries]
        elif found is not None:
            players.append(found.player)
    return players


def state_of(view: View, watch: Watch, position: str, profiled: tuple[int, ...], answer: Answer, names: Names) -> State:
    """The lines out of a ranking's answer to `watch.lookups()`. Hidden players are on no list but their own."""
    found: list[Entry | Place] = []
    for item in answer.found:
        if isinstance(item, Window):
            found += item.entries
        elif item is not None and (watch.alone or not item.hidden):
            found.append(item)
    found.sort(key=lambda item: item.ordinal)
    lines = {item.player: _line(view, item, answer.total, names) for item in found}
    return State(view, position, answer.seen() + profiled, answer.total, lines)


def _line(view: View, item: Entry | Place, total: int, names: Names) -> LiveLine:
    plan = view.plan
    hidden = isinstance(item, Place) and item.hidden
    return LiveLine(
        item.rank,
        item.ordinal + 1,
        item.player,
        plan.decode(item.prefix, item.extra),
        item.tied > 1 if isinstance(item, Place) else item.tied,
        msgspec.UNSET,
        tier_of(plan, item, total),
        names.get(item.player, msgspec.UNSET),
        hidden or msgspec.UNSET,
    )


def whole(state: State) -> Event:
    """The present state, for who has nothing yet or something too old."""
    return Event(state.id, _ranks(state, list(state.lines.values()), [], full=True))


def change(before: State, after: State) -> Event | None:
    """What has changed, or None. Another copy of the board is told whole."""
    if not before.same_copy(after):
        return whole(after)
    entries = []
    for player, line in after.lines.items():
        old = before.lines.get(player)
        if line != old:
            entries.append(msgspec.structs.replace(line, was=old.rank if old is not None else None))
    gone = [player for player in before.lines if player not in after.lines]
    if not entries and not gone and before.total == after.total and before.stands_like(after):
        return None
    return Event(after.id, _ranks(after, entries, gone, full=False))


def _ranks(state: State, entries: list[LiveLine], gone: list[str], *, full: bool) -> Ranks:
    view = state.view
    return Ranks(
        state.position,
        view.info.name,
        view.plan.name,
        view.period,
        state.total,
        full,
        entries,
        gone,
        view.segment or msgspec.UNSET,
        frozen(view.past),
        final(view.past),
    )
