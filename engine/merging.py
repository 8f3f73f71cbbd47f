"""One ranking out of several that share its players out among them: the parts of a spread game.

Places cannot be looked up in one step, because a player's key is known to his part only. So merging is a generator: it gives
rounds of look-ups for each part, is sent the answers, and returns what one ranking of all players would have answered.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple

import msgspec

from engine.keys import PREFIX_END, member
from engine.places import Answer, Entry, Lookup, Place, Window, ahead_of, entries_of, rank_of
from engine.spread import part_of

Merging = Generator[list[list[Lookup]], list[Answer], Answer]
_Key = tuple[bytes, str]
_HOW_MANY = Lookup("top", 0, 0)
"""For a part of which nothing but its size matters."""


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

    def places(self, tickets: Sequence[_Ticket]) -> list[Place]:
        return [place for ticket in tickets if (place := self.place(ticket)) is not None]

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

    Yields, for each round, the look-ups of each part, and is sent an answer of every part that was asked something, and
    anything for the others.
    """
    one = _Round(parts)
    asked = [_ask(one, lookup) for lookup in lookups]
    one.answers = yield one.asked
    two = _Round(parts)
    stretches: list[_Stretch | None] = [None] * len(lookups)
    places: list[tuple[Place, list[_Ticket]] | None] = [None] * len(lookups)
    for at, (lookup, tickets) in enumerate(zip(lookups, asked, strict=True)):
        if lookup.kind != "player":
            stretches[at] = _stretch(two, *_chosen(one, lookup, tickets))
            continue
        place = one.place(tickets[0])
        if place is None:
            continue
        others = [part for part in range(parts) if part != tickets[0].part]
        guest = Lookup("guest", member(place.prefix, place.player), lookup.number)
        places[at] = place, [two.ask(part, guest) for part in others]
    late = [part for part in range(parts) if not one.asked[part]]
    for part in late:
        if not two.asked[part]:
            two.ask(part, _HOW_MANY)
    two.answers = yield two.asked
    three = _Round(parts)
    merged_places: list[Place | None] = [None] * len(lookups)
    for at, entry in enumerate(places):
        if entry is not None:
            place, guests = entry[0], two.places(entry[1])
            merged_places[at] = _together(style, place, guests)
            if lookups[at].number:
                stretches[at] = _neighbours(three, place, guests, lookups[at].number)
    three.answers = yield three.asked
    heard = [two.answers[part] if part in late else answer for part, answer in enumerate(one.answers)]
    total = sum(answer.total for answer in heard)
    found: list[Place | Window | None] = []
    for lookup, place, stretch in zip(lookups, merged_places, stretches, strict=True):
        window = None if stretch is None else _window(style, total, stretch, three if lookup.kind == "player" else two)
        if place is None:
            found.append(window)
        else:
            found.append(msgspec.structs.replace(place, total=total + int(place.hidden), around=window))
    versions = tuple(answer.version for answer in heard)
    return Answer(sum(versions), total, found, versions)


def _ask(one: _Round, lookup: Lookup) -> list[_Ticket]:
    kind, what, number = lookup
    if kind == "player":
        assert isinstance(what, str)
        return [one.ask(part_of(what, len(one.asked)), lookup)]
    if kind == "at":
        assert isinstance(what, int)
        # Nothing tells how the entries in front are shared out.
        return one.ask_all(Lookup("top", 0, what + number))
    return one.ask_all(lookup)


def _together(style: str, place: Place, guests: list[Place]) -> Place:
    """A player's place among all, out of that in his own part and those that he would have in the others."""
    ordinal = sum(each.ordinal for each in (place, *guests))
    tied = place.tied + sum(guest.tied - 1 for guest in guests)
    ahead = sum(ahead_of(style, each) for each in (place, *guests))
    return msgspec.structs.replace(place, ordinal=ordinal, rank=rank_of(style, ordinal, ahead, tied, 0), tied=tied)


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


def _neighbours(three: _Round, place: Place, guests: list[Place], number: int) -> _Stretch:
    """Those around a player, and himself unless he is hidden."""
    key = place.prefix, place.player
    windows = [each.around for each in (place, *guests) if each.around is not None]
    entries = _in_order(windows)
    front = [entry for entry in entries if _key(entry) < key][-number:]
    end = sum(each.ordinal for each in (place, *guests))
    rest = [entry for entry in entries if _key(entry) >= key][: number + int(not place.hidden)]
    return _stretch(three, end - len(front), [*front, *rest])


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
