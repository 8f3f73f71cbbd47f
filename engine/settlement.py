"""Settlement: what contests give, and how that changes when a fixture moves, a result comes or is corrected, or a pick
comes in. Every change withdraws what a contest gave and adds what it gives, where the two differ."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.boards import BoardPlan
from engine.clock import FAR
from engine.contests import Contest, content
from engine.erasure import renamed_contest, without_in_text
from engine.marks import Mark
from engine.pickbook import PickBook
from engine.rules import Game
from engine.shapes import Step
from schemas.events import Fixture, Pick, PlayerStatus, Result
from schemas.position import Position

if TYPE_CHECKING:
    from engine.tables import Table

Given = dict["Table", dict[str, list[Mark]]]
"""What a contest gives: marks by table and entrant."""


class Rejection(NamedTuple):
    """An event that is in the log but does not count: of which player (if any), which field, and why."""

    position: Position
    event: str
    player: str | None
    field: str
    reason: str


def that_holds(valid: list[tuple[Position, Result]]) -> tuple[Position | None, Result | None]:
    """Of results in the order of the log the first one of the highest revision, as when they came."""
    return max(valid, key=lambda said: said[1].revision, default=(None, None))


class Settlement:
    """The contests of a fold. `tables_of` names the tables that a mark belongs to, `push` takes the steps."""

    def __init__(
        self,
        game: Game,
        tables_of: Callable[[BoardPlan, Mark], list["Table"]],
        push: Callable[[tuple["Table", ...], str, Step], None],
    ) -> None:
        self.game = game
        self.contests: dict[str, Contest] = {}
        self.touched: set[str] = set()
        self.rejections: list[Rejection] = []
        self.book = PickBook(game.markets)
        self.until_ms = FAR
        """Contests that took place later than that (epoch milliseconds) give nothing."""
        self._tables_of = tables_of
        self._push = push

    def plan(self, event: Fixture) -> None:
        """A fixture is planned or moved."""
        before = self.contests.get(event.fixture) or Contest(event.fixture)
        self._change(before, before.planned(event))

    def take(self, event: Result | Fixture | Pick, position: Position, sanctions: Mapping[str, PlayerStatus]) -> None:
        """Settles a result, plans a fixture, or takes a pick."""
        if isinstance(event, Result):
            self.settle(event, position)
        elif isinstance(event, Fixture):
            self.plan(event)
        else:
            self.pick(event, position, sanctions)

    def settle(self, event: Result, position: Position) -> None:
        """A result comes, or is corrected: the highest revision holds."""
        before = self.contests.get(event.fixture) or Contest(event.fixture)
        if event.revision < before.revision:
            return
        if before.result is not None and event.revision == before.revision:
            if content(event) != content(before.result):
                reason = f"revision {event.revision} of fixture {event.fixture} was recorded with another content"
                self.reject(position, event.id, "revision", reason)
            return
        self._change(before, msgspec.structs.replace(before, result=event, result_ms=position.ms))

    def pick(self, event: Pick, position: Position, sanctions: Mapping[str, PlayerStatus]) -> None:
        """A pick comes in: accepted, or rejected with a reason."""
        refusal = self.book.judge(event, position.ms, self.contests, sanctions)
        if refusal is not None:
            self.reject(position, event.id, *refusal, event.player)
            return
        contest = self.contests[event.fixture]
        if contest.result is None:
            self.book.enter(event, position)
            return
        old = self._given(contest, event.player)
        self.book.enter(event, position)
        self._replace(contest.fixture, old, self._given(contest, event.player))

    def reject(self, position: Position, event: str, field: str, reason: str, player: str | None = None) -> None:
        """Records that an event has no effect, and why."""
        self.rejections.append(Rejection(position, event, player, field, reason))

    def unpick(self, event: Pick, position: Position) -> None:
        """A pick is voided: the one before it counts again, if there is one."""
        self._repick(event, lambda: self.book.leave(event, position))

    def repick(self, event: Pick, position: Position, status: PlayerStatus | None, result: Result | None) -> None:
        """A voided pick counts again, if it was in time and its player was not banned.

        `status` is how he stood when the pick came, `result` what was known of its fixture then.
        """
        contest = self.contests.get(event.fixture)
        then = {} if contest is None else {contest.fixture: msgspec.structs.replace(contest, result=result)}
        sanctions = {} if status is None else {event.player: status}
        if self.book.judge(event, position.ms, {**self.contests, **then}, sanctions) is None:
            self._repick(event, lambda: self.book.enter(event, position))

    def _repick(self, event: Pick, change: Callable[[], None]) -> None:
        contest = self.contests.get(event.fixture)
        old = {} if contest is None else self._given(contest, event.player)
        change()
        if contest is not None:
            self._replace(contest.fixture, old, self._given(contest, event.player))

    def resettle(self, fixture: str, valid: list[tuple[Position, Result]]) -> None:
        """Some results of a fixture were voided or count again: of those that are valid the highest revision holds."""
        before = self.contests.get(fixture) or Contest(fixture)
        position, result = that_holds(valid)
        if result != before.result:
            result_ms = 0 if position is None else position.ms
            self._change(before, msgspec.structs.replace(before, result=result, result_ms=result_ms))

    def rename(self, before: str, after: str) -> None:
        """Gives a player another id, whose rows have been renamed already. Other players' marks may name him."""
        self.rejections[:] = [
            one._replace(player=after, reason=without_in_text(one.reason, {before: after}))
            if one.player == before
            else one
            for one in self.rejections
        ]
        both = [(contest, renamed_contest(contest, before, after)) for contest in self.contests.values()]
        both = [(contest, renamed) for contest, renamed in both if renamed is not contest]
        given = [self._given(contest) for contest, _ in both]
        self.book.rename(before, after)
        for (_, contest), old in zip(both, given, strict=True):
            for entrants in old.values():
                if before in entrants:
                    entrants[after] = entrants.pop(before)
            self.contests[contest.fixture] = contest
            self.touched.add(contest.fixture)
            self._replace(contest.fixture, old, self._given(contest))

    def _change(self, before: Contest, after: Contest) -> None:
        """Grades a contest anew, and with it those of its round whose lock moves."""
        moved = [self.contests[name] for name in sorted(self.book.shifted(before, after))]
        old = [self._given(contest) for contest in (before, *moved)]
        self.contests[after.fixture] = after
        self.touched.add(after.fixture)
        self.book.move(before, after)
        for contest, given in zip((after, *moved), old, strict=True):
            self._replace(contest.fixture, given, self._given(contest))

    def _replace(self, fixture: str, old: Given, new: Given) -> None:
        """Steps from what a contest gave to what it gives, table by table."""
        for table in dict.fromkeys((*old, *new)):
            was, now = old.get(table, {}), new.get(table, {})
            kept = {entrant for entrant, marks in now.items() if was.get(entrant) == marks}
            for entrant in was:
                if entrant not in kept:
                    self._push((table,), entrant, fixture)
            for entrant, marks in now.items():
                if entrant not in kept:
                    for mark in marks:
                        self._push((table,), entrant, mark)

    def _given(self, contest: Contest, only: str | None = None) -> Given:
        """What a contest gives, to everybody or to one entrant."""
        given: Given = {}
        # Players who picked the same share a mark, and so its tables; held here, so that no other mark takes its identity.
        known: dict[int, tuple[Mark, list[dict[str, list[Mark]]]]] = {}
        for entrant, mark, plans in self._marks(contest, only):
            if id(mark) not in known:
                tables = [
                    table
                    for plan in plans
                    if plan.where is None or plan.where(mark)
                    for table in self._tables_of(plan, mark)
                ]
                known[id(mark)] = mark, [given.setdefault(table, {}) for table in tables]
            for entrants in known[id(mark)][1]:
                if entrant in entrants:
                    entrants[entrant].append(mark)
                else:
                    entrants[entrant] = [mark]
        return given

    def _marks(self, contest: Contest, only: str | None) -> Iterator[tuple[str, Mark, list[BoardPlan]]]:
        if contest.result is None or contest.occurred_ms > self.until_ms:
            return
        for source, plans in self.game.contest_routes:
            for entrant, mark in source.marks(contest):
                if only is None or entrant == only:
                    yield entrant, mark, plans
        book = self.book
        first_ms = book.first_ms(contest.round)
        for picks, plans in self.game.pick_routes:
            entries = book.of(contest.fixture, picks.market)
            for entrant, mark in picks.marks(contest, first_ms, entries, book.joined, only):
                yield entrant, mark, plans
