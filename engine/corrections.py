"""Corrections: events that do not count any more, or count again.

A voided score or adjustment is taken back where it was added, by a shape that can do so exactly; where none can, the player's
rows are folded anew from what the log says of him. Voided picks and results settle their contest anew. Everything that this
needs of the past is looked up by a `Past`, in bulk, before the event is staged.
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol
from zlib import crc32

from msgspec.structs import replace

from engine.badges import Moment
from engine.erasure import erases, players_of, surrogate_in, without
from engine.marks import Mark
from engine.settlement import that_holds
from schemas.codec import epoch_ms
from schemas.events import Adjustment, Event, Pick, Player, PlayerStatus, Reinstate, Result, Score, Void
from schemas.position import Position

if TYPE_CHECKING:
    from engine.fold import Fold
    from engine.tables import Table

_POSITION = itemgetter(0)
CORRECTIONS = (Void, Reinstate)
VOIDABLE = (Score, Adjustment, Pick, Result)
"""What can be voided. Of anything else a later event says what holds, whether it was to be void before or after it came."""

Said = tuple[Position, Event]
"""An event and where it stands in the log."""


def subject_of(event: Event) -> str | None:
    """What an event can be found by later: the marks of a player, the identity of a player, the results of a fixture."""
    if isinstance(event, (Score, Adjustment)):
        return marks_of(event.player)
    if isinstance(event, Player):
        return identity_of(event.player)
    if isinstance(event, Void | Reinstate):
        return corrections_of(event.event)
    return results_of(event.fixture) if isinstance(event, Result) else None


def marks_of(player: str) -> str:
    """The subject of a player's scores and adjustments."""
    return f"m{player}"


def identity_of(player: str) -> str:
    """The subject of what is said of a player himself."""
    return f"p{player}"


def results_of(fixture: str) -> str:
    """The subject of a fixture's results."""
    return f"r{fixture}"


def corrections_of(event: str) -> str:
    """The subject of what voids an event and reinstates it."""
    return f"c{event}"


def subject_number(subject: str) -> int:
    """32 bits, signed, that stand for a subject in an index; others may have the same."""
    number = crc32(subject.encode())
    return number - _UNSIGNED if number >= _SIGN else number


def subjects_of_scores(scores: Iterable[Score]) -> list[int]:
    """`archived_subject` of each."""
    return [subject_number(marks_of(score.player)) for score in scores]


def archived_subject(event: Event) -> int | None:
    """The number by which an event can be found in the archive."""
    subject = subject_of(event)
    return None if subject is None else subject_number(subject)


_SIGN, _UNSIGNED = 1 << 31, 1 << 32


class Person(NamedTuple):
    """Whom a player's id stands for in a stretch of the log: after `since`, up to and with `until`, which erases him.

    `row` is the id that his rows have now.
    """

    row: str
    player: str
    since: Position | None
    until: Position | None

    def said(self, position: Position) -> bool:
        """Whether an event at this position that names the id is about him."""
        return (self.since is None or self.since < position) and (self.until is None or position <= self.until)


class Past(Protocol):
    """What the log said before the present event."""

    def find(self, event: str) -> Said | None:
        """The accepted event with this id."""
        ...

    def about(self, subject: str) -> Iterable[Said]:
        """The accepted events about a subject, in the order of the log, voided ones too."""
        ...


class Log:
    """A past that is all in memory."""

    def __init__(self) -> None:
        self._by_id: dict[str, Said] = {}
        self._by_subject: dict[str, list[Said]] = {}

    def add(self, position: Position, event: Event) -> None:
        """Takes in the next event; of those with one id the first is kept."""
        if event.id in self._by_id:
            return
        self._by_id[event.id] = (position, event)
        subject = marks_of(event.player) if type(event) is Score else subject_of(event)
        if subject is not None:
            self._by_subject.setdefault(subject, []).append((position, event))

    def forget(self, subjects: Iterable[str]) -> None:
        """Before `recall`: what is about these subjects comes anew."""
        self._by_subject.update((subject, []) for subject in subjects)

    def recall(self, said: Iterable[Said]) -> None:
        """Takes in, in bulk, what was said of players whose marks were forgotten; none of it is found by its id."""
        held = self._by_subject
        for each in said:
            event = each[1]
            if isinstance(event, Score | Adjustment) and (about := held.get(f"m{event.player}")) is not None:
                about.append(each)

    def find(self, event: str) -> Said | None:
        """The event with this id."""
        return self._by_id.get(event)

    def about(self, subject: str) -> Iterable[Said]:
        """The events about a subject, in order."""
        return sorted(self._by_subject.get(subject, ()), key=_POSITION)


class Corrections:
    """What a fold knows of voided events. `voided` holds their ids, `fresh` those that changed and are not stored yet."""

    def __init__(self, fold: "Fold") -> None:
        self.fold = fold
        self.past: Past = Log()
        self.voided: set[str] = set()
        self.fresh: dict[str, bool] = {}
        self._taken_back: list[tuple[Table, str, Mark, Person]] = []
        self._refolds: dict[Person, set[Table]] = {}
        self.earning: list[tuple[Table, str, Moment]] = []
        """The rows that may earn a badge by what a correction takes back: it has to be absorbed before the next one is
        staged."""

    def stage(self, event: Void | Reinstate, position: Position) -> None:
        """An event does not count any more, or counts again. One that was not seen yet is remembered for when it comes."""
        voids = isinstance(event, Void)
        if isinstance(self.past, Log):
            # The next one may name it, before it is in the archive.
            self.past.add(position, event)
        said = self.past.find(event.event)
        target = said[1] if said is not None and said[0] < position else None
        if target is not None and not isinstance(target, VOIDABLE):
            kind = type(target).__name__.lower()
            reason = f"{event.event} is a {kind} event, which cannot be voided; send another one that says what holds"
            self.fold.settlement.reject(position, event.id, "event", reason)
            return
        if voids == (event.event in self.voided):
            return
        if voids:
            self.voided.add(event.event)
        else:
            self.voided.discard(event.event)
        self.fresh[event.event] = voids
        if said is not None and target is not None:
            self._correct(said[0], target, voids=voids)
            occurred = position.ms if event.occurred_at is None else epoch_ms(event.occurred_at)
            moment = Moment(*position, occurred)
            self.earning += [(table, entrant, moment) for table, entrant in self.missing() if table.badged]

    def _correct(self, position: Position, target: Event, *, voids: bool) -> None:
        fold = self.fold
        if isinstance(target, Pick):
            pick = self.named((position, target))
            assert isinstance(pick, Pick)
            if voids:
                fold.settlement.unpick(pick, position)
            else:
                results = self._valid(results_of(target.fixture))
                known = [(at, event) for at, event in results if isinstance(event, Result) and at < position]
                status = self._status(target.player, position)
                fold.settlement.repick(pick, position, status, that_holds(known)[1])
        elif isinstance(target, Result):
            said = ((at, self.named((at, event))) for at, event in self._valid(results_of(target.fixture)))
            valid = [(at, event) for at, event in said if isinstance(event, Result)]
            fold.settlement.resettle(target.fixture, valid)
        elif isinstance(target, Score | Adjustment):
            person = self._person(target.player, position)
            for named, mark, tables in fold.entries(target, position.ms, position.seq):
                entrant = person.row if named == target.player else named
                if fold.closes.held:
                    fold.closes.see(tables)
                for table in tables:
                    if voids:
                        self._taken_back.append((table, entrant, mark, person))
                    else:
                        fold.push((table,), entrant, mark)

    def named(self, said: Said) -> Event:
        """The event with its players as they are called now: who was erased since then has another id."""
        position, event = said
        people = {player: self._person(player, position).row for player in players_of(event)}
        names = {player: row for player, row in people.items() if row != player}
        if not names:
            return event
        return replace(event, player=names[event.player]) if isinstance(event, Pick) else without(event, names)

    def _valid(self, subject: str) -> list[Said]:
        return [(at, event) for at, event in self.past.about(subject) if event.id not in self.voided]

    def _person(self, player: str, position: Position) -> Person:
        """Whom an event at this position names."""
        since = None
        for at, event in self.past.about(identity_of(player)):
            if erases(event):
                if at > position:
                    return Person(surrogate_in(self.fold, player, at), player, since, at)
                since = at
        return Person(player, player, since, None)

    def _status(self, player: str, position: Position) -> PlayerStatus | None:
        """How the player stood whom an event at this position names; None for one who was active."""
        status: PlayerStatus | None = None
        for at, event in self.past.about(identity_of(player)):
            if at < position and isinstance(event, Player) and event.status is not None:
                status = None if event.status == "active" or erases(event) else event.status
        return status

    def missing(self) -> Iterable[tuple["Table", str]]:
        """The rows that are taken from."""
        return ((table, entrant) for table, entrant, _, _ in self._taken_back)

    @property
    def lacking(self) -> set[str]:
        """The subjects that `refold` has to find in the past."""
        return {marks_of(person.player) for person in self._refolds}

    def absorb(self, batch: int) -> None:
        """Takes marks back. Rows from which that cannot be done exactly wait for `refold`."""
        taken, self._taken_back = self._taken_back, []
        for table, entrant, mark, person in taken:
            row = table.rows.get(entrant)
            if row is None:
                continue
            row.touched, row.dirty = batch, True
            table.dirty[entrant] = row
            if not table.shape.revoke(row.state, mark):
                self._refolds.setdefault(person, set()).add(table)

    def refold(self) -> None:
        """Folds the rows anew that wait for it, from the past of their players."""
        for _ in self.refolding():
            pass
        self.judge()

    def judge(self) -> None:
        """Once nothing waits for `refold`: awards the badges that were earned by what was taken back."""
        earning, self.earning = self.earning, []
        for table, entrant, moment in earning:
            if table.plan.badges is not None and entrant in table.rows:
                table.plan.badges.judge(table.rows[entrant].state, moment)

    def refolding(self, stride: int = 1_000) -> Iterator[None]:
        """`refold`, with a pause every `stride` events for who has something else to do."""
        refolds, self._refolds = self._refolds, {}
        for person, tables in refolds.items():
            for table in tables:
                row = table.rows[person.row]
                row.state = table.shape.renewed(row.state)
            past = [said for said in self._valid(marks_of(person.player)) if person.said(said[0])]
            for at in range(0, len(past), stride):
                self._fold_again(person, tables, past[at : at + stride])
                yield

    def _fold_again(self, person: Person, tables: "set[Table]", past: list[Said]) -> None:
        for lane in self.fold.staged_apart(past):
            for table in tables.intersection(lane.tables):
                lane.bring(person.player, table, table.rows[person.row])
