"""Erasure: a player's id is replaced by a surrogate, everywhere. It follows from the position of the erasing event alone, so
that folding the log as it was and folding a log that names the surrogate from the start give the same rows.

What the id later stands for is a new player. A surrogate itself is an id like any other, but for this: no event may name one
before the position that it is made of.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from engine.contests import Contest
from schemas.choices import number_of, tendency_of
from schemas.events import Adjustment, Event, Fixture, Pick, Placement, Player, Result, Score
from schemas.position import Position

if TYPE_CHECKING:
    from engine.fold import Fold

MARK = "erased-"
FOREIGN = f"{MARK}elsewhere-"
"""How the surrogates begin by which other parts of a spread game know a player who belongs to none of them."""

ERASED = "erased"
"""What stands where a text about an erased player stood that may not be empty."""

Surrogates = Mapping[str, str]
"""The surrogates of erased players by their ids."""

E = TypeVar("E", bound=Event)


def surrogate(position: Position, *, foreign: bool = False) -> str:
    """The id that a player has once the event at this position has erased him; `foreign` where he belongs to another part."""
    return f"{FOREIGN if foreign else MARK}{position}"


def surrogate_in(fold: "Fold", player: str, position: Position) -> str:
    """The id that an erasing event at this position gives a player of a fold."""
    return surrogate(position, foreign=fold.owns is not None and not fold.owns(player))


def given_at(player: str) -> Position | None:
    """The position of the event that made this id, if it is a surrogate."""
    if not player.startswith(MARK):
        return None
    try:
        return Position.parse(player.removeprefix(FOREIGN).removeprefix(MARK))
    except ValueError:
        return None


def is_surrogate(player: str) -> bool:
    """Whether an id stands for an erased player."""
    return given_at(player) is not None


def erases(event: Event) -> bool:
    """Whether an event takes a player's identity; whose is gone already has none to take."""
    return isinstance(event, Player) and event.status == "erased" and not is_surrogate(event.player)


def reserved(event: Event, ms: int, seq: int) -> str | None:
    """A surrogate that this event of the entry (ms, seq) names although nobody can have been given it yet."""
    for player in players_of(event):
        at = given_at(player)
        if at is not None and at[2:] >= (ms, seq):
            return player
    return None


def players_of(event: Event) -> Iterator[str]:
    """The players that an event names as such."""
    if isinstance(event, Score | Pick | Adjustment | Player):
        yield event.player
    elif isinstance(event, Fixture):
        yield from event.sides or ()
    elif isinstance(event, Result):
        yield from (line.player for line in event.placements or ())


class Erasures:
    """Who was erased, where in the log. An id may have been erased more than once, and have been another player each time."""

    def __init__(self, erased: Iterable[tuple[Position, str]], owns: Callable[[str], bool] | None = None) -> None:
        self._owns = owns
        self._by_player: dict[str, list[Position]] = {}
        for position, player in sorted(erased):
            self._by_player.setdefault(player, []).append(position)

    @property
    def players(self) -> list[str]:
        """The ids that have stood for somebody who is erased."""
        return list(self._by_player)

    def names(self, position: Position, *, duplicate: bool = False) -> dict[str, str]:
        """The surrogates that an event at this position has to name; those of a duplicate are its original's."""
        found: dict[str, str] = {}
        for player, erased in self._by_player.items():
            at = next((each for each in erased if _when(position) <= _when(each)), erased[-1] if duplicate else None)
            if at is not None:
                found[player] = surrogate(at, foreign=self._owns is not None and not self._owns(player))
        return found


def _when(position: Position) -> tuple[int, int, int]:
    """What tells which of two entries came first even if one is on a shard where its game does not live."""
    return position.epoch, position.ms, position.seq


def erase(fold: "Fold", event: Player, position: Position) -> None:
    """Gives a player of a fold his surrogate. Live, his rows and the contests that name him must have been loaded."""
    before, after = event.player, surrogate_in(fold, event.player, position)
    # What was staged so far concerns the player whom the id stood for until now.
    fold.absorb(fold.batch)
    if not after.startswith(FOREIGN):
        fold.roster.rename(before, after, event)
    for table in fold.tables.values():
        row = table.rows.pop(before, None)
        if row is not None:
            table.rows[after] = row
            if table.dirty.pop(before, None) is not None:
                table.dirty[after] = row
    fold.awards[:] = [award._replace(player=after) if award.player == before else award for award in fold.awards]
    fold.settlement.rename(before, after)
    fold.copies.rename(before, after)


def renamed_contest(contest: Contest, before: str, after: str) -> Contest:
    """The contest with another id for one of those who took part; the same object when he did not."""
    if not takes_part(contest, before):
        return contest
    result = contest.result
    if result is not None and result.placements is not None:
        result = msgspec.structs.replace(result, placements=_lines(result.placements, {before: after}))
    return msgspec.structs.replace(contest, sides=_each(contest.sides, {before: after}), result=result)


def takes_part(contest: Contest, player: str) -> bool:
    """Whether a contest names a player among its sides or in its placements."""
    lines = (contest.result.placements if contest.result is not None else None) or ()
    return player in (contest.sides or ()) or any(line.player == player for line in lines)


def without(event: E, names: Surrogates, contests: Iterable[str] = ()) -> E:
    """The event with surrogates for erased players; the same object when it names none of them.

    What was said about them in words is dropped. In fixtures, picks and results of `contests`, which are those that they took
    part in, choices and outcomes that are their ids are replaced as well.
    """
    if isinstance(event, Pick):
        choice = event.choice
        if event.fixture in contests:
            choice = _name(choice, names) if isinstance(choice, str) else _names(choice, names)
        return _replaced(event, player=names.get(event.player, event.player), choice=choice)
    if isinstance(event, Fixture):
        return _replaced(event, sides=_each(event.sides, names))
    if isinstance(event, Result):
        lines = event.placements if event.placements is None else _lines(event.placements, names)
        outcomes = event.outcomes
        if outcomes is not None and event.fixture in contests:
            outcomes = {name: _names(choices, names) for name, choices in outcomes.items()}
        return _replaced(event, placements=lines, outcomes=outcomes)
    if not isinstance(event, Score | Adjustment | Player) or event.player not in names:
        return event
    if isinstance(event, Adjustment):
        return _replaced(event, player=names[event.player], reason=ERASED)
    if isinstance(event, Player):
        return _replaced(event, player=names[event.player], name=None, attributes=None, reason=None)
    return _replaced(event, player=names[event.player])


def _replaced(event: E, **fields: object) -> E:
    if all(getattr(event, name) == value for name, value in fields.items()):
        return event
    return msgspec.structs.replace(event, **fields)


def _each(players: list[str] | None, names: Surrogates) -> list[str] | None:
    return players if players is None else [names.get(player, player) for player in players]


def _lines(lines: list[Placement], names: Surrogates) -> list[Placement]:
    return [_line(line, names) for line in lines]


def _line(line: Placement, names: Surrogates) -> Placement:
    if line.player not in names:
        return line
    return msgspec.structs.replace(line, player=names[line.player])


def _names(choices: list[str], names: Surrogates) -> list[str]:
    return [_name(choice, names) for choice in choices]


def _name(choice: str, names: Surrogates) -> str:
    """A choice that reads as a score, a tendency or a number is one, whoever is called so."""
    if choice not in names or tendency_of(choice) is not None or number_of(choice) is not None:
        return choice
    return names[choice]


def without_in_text(text: str, names: Surrogates) -> str:
    """A text for people, with surrogates where an id stands as a word of its own."""
    for player, stand_in in names.items():
        text = re.sub(rf"(?<!\w){re.escape(player)}(?!\w)", lambda _: stand_in, text)  # noqa: B023
    return text
