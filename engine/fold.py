"""The fold: from (state, event) to (state, changes). Live consumption, replay and the offline command all call it.

Events are staged, which only looks at the event, the ruleset and the fixtures; then the state of the players they touch is
made present (live: loaded; offline: it is already there); then `absorb` brings it up to date, and `settle` says which
places changed. Nothing depends on how events are cut into batches.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from engine.boards import BoardPlan
from engine.marks import Mark, scale_values
from engine.rules import Game
from schemas.codec import encode, epoch_ms
from schemas.events import Adjustment, Event, Fixture, Player, PlayerStatus, Result, Round, Score
from schemas.position import Position
from schemas.ruleset import Ruleset

TableName = tuple[str, str]
"""(board, period)."""


class Row:
    """One player in one ranking: the state of his marks, and the place that follows from it.

    `since` is the version from which the place is shown; `touched` the batch that last looked at it, for caches.
    """

    __slots__ = ("extra", "prefix", "since", "state", "stored", "touched")

    def __init__(self, state: Any, prefix: bytes | None = None, extra: bytes = b"", since: int = 0) -> None:
        self.state = state
        self.prefix = prefix
        self.extra = extra
        self.since = since
        self.stored = False
        self.touched = 0


class Table:
    """The rows of one ranking that are in memory: all of them offline, a cache of them live."""

    __slots__ = ("dirty", "name", "plan", "ranking_id", "rows", "shape", "steps")

    def __init__(self, name: TableName, plan: BoardPlan) -> None:
        self.name = name
        self.plan = plan
        self.shape = plan.shape
        self.rows: dict[str, Row] = {}
        self.dirty: dict[str, Row] = {}
        self.steps: list[Step] = []
        self.ranking_id = 0


class FixtureState(msgspec.Struct):
    """What is remembered of a contest: the revision that holds, its content, its round and where it gave marks."""

    revision: int = 0
    body: str = ""
    round: Round | None = None
    starts_ms: int | None = None
    touched: list[tuple[str, str, str]] = []


class Change(msgspec.Struct, frozen=True, gc=False):
    """A row whose place or state changed. `moved` says whether the place did; before_* are what was shown until now."""

    table: Table
    player: str
    row: Row
    moved: bool
    before_prefix: bytes | None
    before_extra: bytes


class Rejection(NamedTuple):
    """An event that is in the log but does not count, and why."""

    position: Position
    field: str
    reason: str


Step = tuple[str, Mark | None, str]
"""(entrant, mark to add or None, origin whose marks to withdraw). Steps stand in their table, in order."""


class Fold:
    """The state of one generation of one game."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.tables: dict[TableName, Table] = {}
        self.fixtures: dict[str, FixtureState] = {}
        self.sanctions: dict[str, PlayerStatus] = {}
        self.profiles: dict[str, Player] = {}
        self.restated: set[str] = set()
        self.rejections: list[Rejection] = []
        self.touched_fixtures: set[str] = set()

    def apply(self, event: Event, position: Position) -> None:
        """Stages and absorbs one event, for a fold whose state is all in memory."""
        self.stage(event, position)
        self.absorb()

    def stage(self, event: Event, position: Position) -> None:
        """Turns an event into steps on rows. Needs the state of its fixture present, but of no row."""
        if type(event) is Score:
            self._stage_score(event, position)
        elif isinstance(event, Result):
            self._stage_result(event, position)
        elif isinstance(event, Adjustment):
            self._stage_adjustment(event, position)
        elif isinstance(event, Player):
            self._stage_player(event)
        elif isinstance(event, Fixture):
            state = self.fixtures.setdefault(event.fixture, FixtureState())
            state.round, state.starts_ms = event.round, epoch_ms(event.starts_at)
            self.touched_fixtures.add(event.fixture)

    def _stage_score(self, event: Score, position: Position) -> None:
        occurred_at = event.occurred_at
        occurred = position[2] if occurred_at is None else epoch_ms(occurred_at)
        game = self.game
        values: dict[str, int] = event.values  # type: ignore[assignment]
        for value in values.values():
            if not game.plain or type(value) is not int:
                values = scale_values(event.values, game.rules.metrics)
                break
        for source, plans in game.routes["score"]:
            for entrant, mark in source.of_values(event, values, occurred, position[2], position[3]):
                for plan in plans:
                    self._add(plan, entrant, mark)

    def _stage_adjustment(self, event: Adjustment, position: Position) -> None:
        occurred = position.ms if event.occurred_at is None else epoch_ms(event.occurred_at)
        values = scale_values(event.values, self.game.rules.metrics)
        for source, plans in self.game.routes["adjustment"]:
            for entrant, mark in source.of_values(event, values, occurred, position.ms, position.seq):
                for plan in plans:
                    if event.board is None or event.board == plan.name:
                        self._add(plan, entrant, mark)

    def _stage_result(self, event: Result, position: Position) -> None:
        state = self.fixtures.setdefault(event.fixture, FixtureState())
        body = _content(event)
        if event.revision < state.revision:
            return
        if event.revision == state.revision:
            if body != state.body:
                reason = f"revision {event.revision} of fixture {event.fixture} was recorded with another content"
                self.rejections.append(Rejection(position, "revision", reason))
            return
        for board, period, entrant in state.touched:
            self.table(board, period).steps.append((entrant, None, event.fixture))
        occurred = epoch_ms(event.occurred_at) if event.occurred_at is not None else state.starts_ms or position.ms
        round_ = state.round if event.round is None else event.round
        state.revision, state.body, state.touched = event.revision, body, []
        self.touched_fixtures.add(event.fixture)
        for source, plans in self.game.routes["placements"]:
            for entrant, mark in source.of_result(event, round_, occurred, position.ms, position.seq):
                for plan in plans:
                    for table in self._add(plan, entrant, mark):
                        state.touched.append((*table.name, entrant))

    def _stage_player(self, event: Player) -> None:
        earlier = self.profiles.get(event.player)
        merged = event
        if earlier is not None:
            attributes = {**(earlier.attributes or {}), **(event.attributes or {})}
            merged = msgspec.structs.replace(event, name=event.name or earlier.name, attributes=attributes)
        self.profiles[event.player] = merged
        if event.status is None:
            return
        if event.status == "active":
            self.sanctions.pop(event.player, None)
        else:
            self.sanctions[event.player] = event.status
        self.restated.add(event.player)

    def _add(self, plan: BoardPlan, entrant: str, mark: Mark) -> Iterable[Table]:
        if plan.where is not None and not plan.where(mark):
            return ()
        occurred = mark.occurred_ms
        tables = []
        for calendar in plan.calendars:
            period = (
                calendar.period
                if calendar.start <= occurred < calendar.end
                else calendar.period_of(occurred, mark.round)
            )
            if period is not None:
                table = self.tables.get((plan.name, period)) or self.table(plan.name, period)
                table.steps.append((entrant, mark, ""))
                tables.append(table)
        return tables

    def table(self, board: str, period: str) -> Table:
        """The table of a ranking, made when it is the first time."""
        name = (board, period)
        table = self.tables.get(name)
        if table is None:
            table = self.tables[name] = Table(name, self.game.boards[board])
        return table

    def missing(self) -> dict[Table, set[str]]:
        """The rows that the staged steps need and that are not in memory."""
        found: dict[Table, set[str]] = {}
        for table in self.tables.values():
            rows = table.rows
            lacking = {entrant for entrant, _, _ in table.steps if entrant not in rows}
            if lacking:
                found[table] = lacking
        return found

    def absorb(self, batch: int = 0) -> None:
        """Takes the staged steps, in order. Rows that are still missing are new."""
        for _ in self.absorbing(batch):
            pass

    def absorbing(self, batch: int = 0, stride: int = 2_000) -> Iterator[None]:
        """`absorb`, with a pause every `stride` steps for who has something else to do."""
        for table in list(self.tables.values()):
            if table.steps:
                steps, table.steps = table.steps, []
                for at in range(0, len(steps), stride):
                    _absorb(table, steps[at : at + stride], batch)
                    yield
        for player in self.restated:
            for table in self.tables.values():
                row = table.rows.get(player)
                if row is not None:
                    table.dirty[player] = row
        self.restated.clear()

    def settle(self) -> list[Change]:
        """The changed rows, each with its new place; resets what is dirty."""
        return [change for _, changes in self.settling() for change in changes]

    def settling(self, stride: int = 500) -> Iterator[tuple[Table, list[Change]]]:
        """`settle` in stretches of at most `stride` rows of one table."""
        for table in list(self.tables.values()):
            if table.dirty:
                dirty, table.dirty = list(table.dirty.items()), {}
                for at in range(0, len(dirty), stride):
                    yield table, self._settle(table, dirty[at : at + stride])

    def _settle(self, table: Table, dirty: list[tuple[str, Row]]) -> list[Change]:
        sanctions, result = self.sanctions, table.shape.result
        changes = []
        for player, row in dirty:
            before_prefix, before_extra = row.prefix, row.extra
            prefix, extra = result(row.state)
            if sanctions and player in sanctions:
                prefix = None
            moved = prefix != before_prefix or extra != before_extra
            row.prefix, row.extra = prefix, extra
            changes.append(Change(table, player, row, moved, before_prefix, before_extra))
        return changes


def _absorb(table: Table, steps: list[Step], batch: int) -> None:
    rows, dirty, shape = table.rows, table.dirty, table.shape
    absorb = shape.absorb
    for entrant, mark, origin in steps:
        row = rows.get(entrant)
        if row is None:
            row = rows[entrant] = dirty[entrant] = Row(shape.new())
        row.touched = batch
        if mark is None:
            shape.withdraw(row.state, origin)
        elif not absorb(row.state, mark):
            continue
        dirty[entrant] = row


def _content(event: Result) -> str:
    """What a revision says, apart from how it was sent."""
    return encode(msgspec.structs.replace(event, id="x", occurred_at=event.occurred_at)).decode()


def fold(rules: Ruleset, events: Iterable[tuple[Position, Event]]) -> Fold:
    """Folds a whole log in memory."""
    state = Fold(Game(rules))
    for position, event in events:
        state.apply(event, position)
    state.settle()
    return state


def number(events: Iterable[Event], *, start_ms: int = 0) -> Iterator[tuple[Position, Event]]:
    """Gives events that never were in a log the positions they would have: one a millisecond, from `start_ms` on.

    An event that says when it occurred, later than the one before, takes that as its recorded time.
    """
    ms = start_ms
    for event, _ in zip(events, itertools.count(), strict=False):
        occurred = ms if event.occurred_at is None else epoch_ms(event.occurred_at)
        ms = max(ms + 1, occurred)
        yield Position(1, 0, ms, 0), event
