"""One ranking out of several that share its players out among them: the parts of a spread game.

Places cannot be looked up in one step, because a player's key is known to his part only. So merging is a generator: it gives
rounds of look-ups for each part, is sent the answers, and returns what one ranking of all players would have answered.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple

import msgspec

from engine.keys import PREFIX_END, member
from engine.places import Answer, Entry, Lookup, Place, Window, entries_of, rank_of
from engine.spread import part_of

Merging = Generator[list[list[Lookup]], list[Answer], Answer]
_Key = tuple[bytes, str]


class _Ticket(NamedTuple):
    """Where the answer to a look-up will be: in the answers of which part, as which."""

    part: int
    number: int


class _Round:
    """The look-ups of one round by part, and their answers once they are there."""

    def __init__(self, parts: int) -> None:
        self.asked: list[list[Lookup]] = [[] for _ in range(parts)]
        self.answers: list[Answer] = []

    def ask(self, part: int, lookup: Lookup) -> _Ticket:
        self.asked[part].append(lookup)
        return _Ticket(part, len(self.asked[part]) - 1)

    def ask_all(self, lookup: Lookup) -> list[_Ticket]:
        return [self.ask(part, lookup) for part in range(len(self.asked))]

    def place(self, ticket: _Ticket) -> Place | None:
        found = self.answers[ticket.part].found[ticket.number]
        return found if isinstance(found, Place) else None

    def windows(self, tickets: Sequence[_Ticket]) -> list[Window]:
        found = [self.answers[ticket.part].found[ticket.number] for ticket in tickets]
        return [window for window in found if isinstance(window, Window)]

    def first(self, tickets: Sequence[_Ticket]) -> int:
        """How many entries lie in front of those that were asked for, in these parts together."""
        return sum(window.first for window in self.windows(tickets))


class _Stretch(NamedTuple):
    """A window before its ranks are known: what lies ahead of its first prefix, and up to its last one, is asked for."""

    first: int
    entries: list[Entry]
    ahead: list[_Ticket]
    through: list[_Ticket]


def merged(style: str, parts: int, lookups: Sequence[Lookup]) -> Merging:
    """What a ranking of all parts answers to `lookups`, for every style but dense.

    Yields, for each round, the look-ups of each part, and is sent an answer of every part, whatever that was asked.
    """
    one = _Round(parts)
    asked = [_ask(one, lookup) for lookup in lookups]
    one.answers = yield one.asked
    two = _Round(parts)
    stretches: list[_Stretch | None] = [None] * len(lookups)
    places: list[tuple[Place, list[_Ticket], list[_Ticket], list[_Ticket]] | None] = [None] * len(lookups)
    around: list[tuple[list[_Ticket], list[_Ticket]] | None] = [None] * len(lookups)
    for at, (lookup, tickets) in enumerate(zip(lookups, asked, strict=True)):
        if lookup.kind != "player":
            stretches[at] = _stretch(two, *_chosen(one, lookup, tickets))
            continue
        place = one.place(tickets[0])
        if place is None:
            continue
        others = [part for part in range(parts) if part != tickets[0].part]
        key = (place.prefix, place.player)
        counts = [[two.ask(part, _in_front_of(what)) for part in others] for what in _marks(key)]
        places[at] = (place, counts[0], counts[1], counts[2])
        if lookup.number:
            what = member(*key)
            around[at] = (
                two.ask_all(Lookup("before", what, lookup.number)),
                two.ask_all(Lookup("after", what, lookup.number)),
            )
    two.answers = yield two.asked
    three = _Round(parts)
    for at, held in enumerate(around):
        entry = places[at]
        if held is not None and entry is not None:
            stretches[at] = _neighbours(two, three, entry[0], *held, lookups[at].number)
    three.answers = yield three.asked
    total = sum(answer.total for answer in one.answers)
    found: list[Place | Window | None] = []
    for lookup, entry, stretch in zip(lookups, places, stretches, strict=True):
        window = None if stretch is None else _window(style, total, stretch, three if lookup.kind == "player" else two)
        if entry is None:
            found.append(window)
            continue
        place, ordinal, ahead, through = entry
        before = two.first(ahead)
        tied = place.tied + two.first(through) - before
        behind = place.ordinal + two.first(ordinal)
        # Of the two counts that a rank can need the other styles leave one out.
        in_front = place.rank - 1 if style == "competition" else place.rank - place.tied
        rank = rank_of(style, behind, in_front + before, tied, 0)
        hidden = int(place.hidden)
        found.append(
            msgspec.structs.replace(place, ordinal=behind, rank=rank, tied=tied, total=total + hidden, around=window)
        )
    versions = tuple(answer.version for answer in one.answers)
    return Answer(sum(versions), total, found, versions)


def _ask(one: _Round, lookup: Lookup) -> list[_Ticket]:
    kind, what, number = lookup
    if kind == "player":
        assert isinstance(what, str)
        return [one.ask(part_of(what, len(one.asked)), Lookup("player", what, 0))]
    if kind == "at":
        assert isinstance(what, int)
        # Nothing tells how the entries in front are shared out.
        return one.ask_all(Lookup("top", 0, what + number))
    return one.ask_all(lookup)


def _marks(key: _Key) -> list[bytes]:
    """What lies behind everybody in front of the key, of its prefix, and behind everybody of its prefix."""
    prefix, player = key
    return [member(prefix, player), member(prefix, ""), member(prefix + PREFIX_END, "")]


def _in_front_of(what: bytes) -> Lookup:
    """Asks for no entry; where its window starts tells how many there are in front of `what`."""
    return Lookup("before", what, 0)


def _chosen(one: _Round, lookup: Lookup, tickets: list[_Ticket]) -> tuple[int, list[Entry]]:
    """(ordinal of the first, the entries) that one ranking of all parts would have given."""
    windows = one.windows(tickets)
    entries = _in_order(windows)
    first = sum(window.first for window in windows)
    if lookup.kind == "before":
        end = first + len(entries)
        entries = entries[-lookup.number :] if lookup.number else []
        return end - len(entries), entries
    if lookup.kind == "at":
        assert isinstance(lookup.what, int)
        return lookup.what, entries[lookup.what : lookup.what + lookup.number]
    return first, entries[: lookup.number]


def _neighbours(
    two: _Round, three: _Round, place: Place, before: list[_Ticket], after: list[_Ticket], number: int
) -> _Stretch:
    """Those around a player, and himself unless he is hidden."""
    front = _in_order(two.windows(before))
    end = two.first(before) + len(front)
    front = front[-number:]
    mine = [] if place.hidden else [Entry(place.player, place.prefix, place.extra, 0, 0, False)]
    return _stretch(three, end - len(front), [*front, *mine, *_in_order(two.windows(after))[:number]])


def _stretch(asking: _Round, first: int, entries: list[Entry]) -> _Stretch:
    """A window whose ends' ranks are asked for."""
    if not entries:
        return _Stretch(first, entries, [], [])
    ahead = asking.ask_all(_in_front_of(member(entries[0].prefix, "")))
    through = asking.ask_all(_in_front_of(member(entries[-1].prefix + PREFIX_END, "")))
    return _Stretch(first, entries, ahead, through)


def _in_order(windows: Sequence[Window]) -> list[Entry]:
    return sorted((entry for window in windows for entry in window.entries), key=_key)


def _key(entry: Entry) -> _Key:
    return entry.prefix, entry.player


def _window(style: str, total: int, stretch: _Stretch, answered: _Round) -> Window:
    lines = [(entry.prefix, entry.player, entry.extra) for entry in stretch.entries]
    ahead, through = answered.first(stretch.ahead), answered.first(stretch.through)
    return Window(stretch.first, total, entries_of(style, lines, stretch.first, ahead, 0, through))
