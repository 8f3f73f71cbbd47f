"""The fold: from (state, event) to (state, changes). Live consumption, replay and the offline command all call it.

Events are staged, which only looks at the event, the ruleset and the contests; then the state of the players they touch is
made present (live: loaded; offline: it is already there); then `absorb` brings it up to date, and `settle` says which
places changed. Nothing depends on how events are cut into batches.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from datetime import datetime
from itertools import compress
from operator import itemgetter

from engine.badges import Award, Moment, awards_of
from engine.boards import BoardPlan
from engine.clock import FAR
from engine.closes import Closes
from engine.copies import Copies
from engine.corrections import VOIDABLE, Corrections, Log
from engine.erasure import FOREIGN, erase, erases
from engine.headtohead import break_ties
from engine.lanes import Lane, Road, lay
from engine.lots import draw
from engine.marks import Mark, scale_values, scores_of
from engine.movement import BEFORE
from engine.roster import Roster
from engine.rules import Game
from engine.settlement import Settlement
from engine.shapes import Row, Step
from engine.spread import Owns
from engine.tables import Change, Table, TableName
from schemas.codec import epoch_ms
from schemas.events import Adjustment, Event, Fixture, Pick, Player, Reinstate, Result, Round, Score, Tick, Void
from schemas.language import Ruleset
from schemas.position import Position

_PLAYER = itemgetter(0)


class Fold:
    """The state of one generation of one game; of those players only that it `owns`, unless that is None."""

    def __init__(self, game: Game, owns: Owns | None = None) -> None:
        self.game = game
        self.owns = owns
        self.tables: dict[TableName, Table] = {}
        self.settlement = Settlement(game, self._tables_of, self.push)
        self.contests, self.rejections = self.settlement.contests, self.settlement.rejections
        self.roster = Roster(game.rules)
        self.sanctions, self.profiles, self.restated = self.roster.sanctions, self.roster.profiles, self.roster.restated
        self.touched_contests = self.settlement.touched
        self.awards: list[Award] = []
        self.home = (1, 0)
        """(epoch, shard) of the scores that are staged."""
        self.clock = -FAR
        self._day_end = -FAR
        self.batch = 0
        self._lanes: list[Lane] = []
        self._road = Road()
        self._earners: dict[tuple[tuple[Table, ...], str], None] = {}
        self.copies, self.corrections = Copies(self), Corrections(self)
        self._voided = self.corrections.voided
        self.closes = Closes()
        self._closed = self.closes.held

    def apply(self, event: Event, position: Position) -> None:
        """Stages and absorbs one event, for a fold whose state and past are all in memory."""
        self.pass_time(position.ms)
        self.stage(event, position)
        self.absorb()
        self.corrections.refold()
        if isinstance(self.corrections.past, Log):
            self.corrections.past.add(position, event)

    def pass_time(self, ms: int) -> None:
        """So late is it at least (epoch milliseconds): to be called with the recorded time of every batch's last event.

        With ticks, which may be ahead, that is the game's clock. Places depend on the local day that it is in, no more.
        """
        self.clock = max(self.clock, ms)

    def new_day(self) -> bool:
        """Whether the clock has come to another local day since this was asked last, and some board goes by that.

        Then rows that are not in memory may be due.
        """
        if self.clock < self._day_end or not self.game.clocked:
            return False
        self._day_end = self.game.days.of(self.clock)[1]
        return True

    def stage(self, event: Event, position: Position) -> None:
        """Turns an event into steps on rows. Needs the state of its contest present, but of no row."""
        if self.game.badged or self._closed:
            self.home = position[:2]
        if type(event) is Score:
            self.stage_scores((event,), position[2:3], position[3:])
        elif event.id in self._voided and isinstance(event, VOIDABLE):
            return
        elif isinstance(event, Result | Fixture | Pick):
            self.settlement.take(event, position, self.sanctions)
        elif isinstance(event, Void | Reinstate):
            self.corrections.stage(event, position)
        elif isinstance(event, Adjustment):
            for entrant, mark, tables in self.entries(event, position.ms, position.seq):
                self.push(tuple(tables), entrant, mark)
        elif isinstance(event, Tick):
            self.pass_time(epoch_ms(event.at))
        elif isinstance(event, Player):
            self._stage_player(event, position)
        else:
            self.closes.stage(event, position)
        if self._earners:
            self._judge(position.ms, position.seq, event.occurred_at)
        if self._closed:
            self.closes.settle(self, event, position)

    def stage_scores(self, events: Sequence[Score], ms: Sequence[int], seq: Sequence[int]) -> None:
        """`stage` for what nearly all events are: scores in the order of the log, whose entries are (ms, seq)."""
        if self._voided:
            kept = [event.id not in self._voided for event in events]
            events, (ms, seq) = list(compress(events, kept)), (list(compress(each, kept)) for each in (ms, seq))
        if not self.game.straight or self._closed:
            for event, at, number in zip(events, ms, seq, strict=True):
                self._stage_score(event, at, number)
            return
        scores = scores_of(events, ms, seq, self.game.rules.metrics, whole=self.game.plain)
        start = 0
        while start < len(events):
            end = self._road.reach(scores, start)
            if end == start:
                end = self._find_road(scores.occurred[start], events[start].round).reach(scores, start)
            self._road.stage(self._lanes, scores.cut(start, end))
            start = end

    def _stage_score(self, event: Score, ms: int, seq: int) -> None:
        for entrant, mark, tables in self.entries(event, ms, seq):
            self.push(tuple(tables), entrant, mark)
        if self._earners:
            self._judge(ms, seq, event.occurred_at)
        if self._closed:
            self.closes.settle(self, event, Position(*self.home, ms, seq))

    def staged_apart(self, said: Iterable[tuple[Position, Event]]) -> list[Lane]:
        """What scores and adjustments of the past give, as lanes of their own; nothing waits for it."""
        lanes, self._lanes = self._lanes, []
        for position, event in said:
            if type(event) is Score and self.game.straight and not self._closed:
                self.stage_scores((event,), position[2:3], position[3:])
            elif isinstance(event, Score | Adjustment):
                for entrant, mark, tables in self.entries(event, position.ms, position.seq):
                    lay(self._lanes, tuple(tables), entrant, mark)
        apart, self._lanes = self._lanes, lanes
        return apart

    def _judge(self, ms: int, seq: int, occurred_at: datetime | int | None) -> None:
        """An event is over: the rows that it touched are judged for badges."""
        occurred = ms if occurred_at is None else epoch_ms(occurred_at)
        moment = Moment(*self.home, ms, seq, occurred)
        earners, self._earners = self._earners, {}
        for tables, entrant in earners:
            self.push(tables, entrant, moment)
        self._earners.clear()

    def _find_road(self, occurred: int, round_: Round | None) -> Road:
        """The tables of all boards for marks of this time and round, and until when that holds."""
        tables: list[Table] = []
        start, end = -(1 << 62), 1 << 62
        mark = Mark(occurred, 0, 0, {}, round_)
        for _, plans in self.game.score_routes:
            for plan in plans:
                tables += self._tables_of(plan, mark)
                for calendar in plan.calendars:
                    if calendar.timed:
                        calendar.period_of(occurred, round_)
                        start, end = max(start, calendar.start), min(end, calendar.end)
        self._road = Road(start, end, round_, tables)
        return self._road

    def entries(self, event: Score | Adjustment, ms: int, seq: int) -> Iterator[tuple[str, Mark, list[Table]]]:
        """What an event of the entry (ms, seq) gives: (entrant, mark, the rankings that it goes to)."""
        occurred = ms if event.occurred_at is None else epoch_ms(event.occurred_at)
        values = scale_values(event.values, self.game.rules.metrics)
        board = event.board if isinstance(event, Adjustment) else None
        for source, plans in self.game.score_routes if isinstance(event, Score) else self.game.adjustment_routes:
            for entrant, mark in source.marks(event, values, occurred, ms, seq):
                for plan in plans:
                    if board in (None, plan.name) and (plan.where is None or plan.where(mark)):
                        yield entrant, mark, self._tables_of(plan, mark)

    def _stage_player(self, event: Player, position: Position) -> None:
        if erases(event):
            erase(self, event, position)
        elif not event.player.startswith(FOREIGN):
            self.roster.stage(event)
            self.copies.change(event)

    def _tables_of(self, plan: BoardPlan, mark: Mark) -> list[Table]:
        """The rankings of a board that a mark belongs to."""
        segments = plan.segments_of(mark)
        periods = [calendar.period_of(mark.occurred_ms, mark.round) for calendar in plan.calendars]
        return [
            self.tables.get((plan.name, period, segment)) or self.table(plan.name, period, segment)
            for period in (*periods, *plan.windows)
            if period is not None
            for segment in segments
        ]

    def push(self, tables: tuple[Table, ...], entrant: str, step: Step) -> None:
        if self.owns is not None and not self.owns(entrant):
            return
        if self._closed:
            self.closes.see(tables)
        if self.game.badged and (earning := tuple(table for table in tables if table.badged)):
            self._earners[earning, entrant] = None
        lay(self._lanes, tables, entrant, step)

    def table(self, board: str, period: str, segment: str = "") -> Table:
        """The table of a ranking, made when it is the first time."""
        name = (board, period, segment)
        table = self.tables.get(name)
        if table is None:
            table = self.tables[name] = Table(name, self.game.boards[board])
            if table.moves:
                self.table(board, period, BEFORE + segment)
        return table

    def touched(self) -> Iterator[tuple[Table, Collection[str]]]:
        """The tables that the staged steps and corrections are about, each time with the entrants whose rows that concerns."""
        for lane in self._lanes:
            for table in lane.tables:
                yield table, lane.steps.keys()
        for table, entrant in self.corrections.missing():
            yield table, (entrant,)

    @property
    def gathers(self) -> bool:
        """Whether what is staged takes no more memory than its entrants are many."""
        return not any(type(lane) is Lane for lane in self._lanes)

    def missing(self) -> dict[Table, set[str]]:
        """The rows that the staged steps need and that are not in memory."""
        found: dict[Table, set[str]] = {}
        for table, entrants in self.touched():
            if table.whole:
                continue
            lacking = set(itertools.filterfalse(table.rows.__contains__, entrants))
            if lacking:
                found[table] = found[table] | lacking if table in found else lacking
        return found

    def incomplete(self) -> list[Table]:
        """The tables that the staged steps or new sanctions touch and that need all their rows in memory, but lack some."""
        touched = {table for table, _ in self.touched()}
        if self.restated:
            touched |= {table for table in self.tables.values() if self.restated & table.rows.keys()}
        touched |= {table for table in self.tables.values() if table.dirty or table.due <= self.clock}
        return [table for table in touched if table.plan.whole and not table.whole]

    def settled(self, completed: Set[Table]) -> dict[Table, set[str]]:
        """The players whose rows will be settled, of whole boards that have segments by players' attributes; of those
        tables that were just completed all."""
        tables = [table for table in self.tables.values() if table.plan.player_segments and not table.name[2]]
        found = {table: set(table.rows if table in completed else table.dirty) for table in tables}
        for table, entrants in self.touched():
            if table in found:
                found[table].update(entrants)
        return {table: players | (self.restated & table.rows.keys()) for table, players in found.items()}

    def absorb(self, batch: int = 0) -> None:
        """Takes the staged steps, in order. Rows that are still missing are new."""
        for _ in self.absorbing(batch):
            pass

    def absorbing(self, batch: int = 0, stride: int = 1_000) -> Iterator[None]:
        """`absorb`, with a pause every `stride` entrants for who has something else to do."""
        lanes, self._lanes, self.batch = self._lanes, [], batch
        for lane in lanes:
            yield from lane.absorbing(batch, stride)
        self.corrections.absorb(batch)
        for player in self.restated:
            for table in self.tables.values():
                row = table.rows.get(player)
                if row is not None and not table.copy:
                    row.touched = batch
                    table.dirty[player] = row
        self.restated.clear()

    def settle(self) -> list[Change]:
        """The changed rows, each with its new place; resets what is dirty."""
        return [change for _, changes in self.settling() for change in changes]

    def settling(self, stride: int = 500) -> Iterator[tuple[Table, list[Change]]]:
        """`settle` in stretches of at most `stride` rows of one table, in the order of the players' ids."""
        for table in list(self.tables.values()):
            if table.due <= self.clock:
                self._expire(table)
            if table.dirty:
                # Sorted, so that whoever stores the rows visits each page of index and table once.
                dirty, table.dirty = sorted(table.dirty.items(), key=_PLAYER), {}
                if table.badged:
                    self.awards += awards_of(table.name, dirty)
                if table.plan.head_to_heads:
                    yield table, self._settle_whole(table, dirty)
                else:
                    for at in range(0, len(dirty), stride):
                        yield table, self._settle(table, dirty[at : at + stride])
                if table.plan.copied:
                    yield from self.copies.settle(table, [player for player, _ in dirty], stride)
        self.copies.moved.clear()

    def _expire(self, table: Table) -> None:
        """Has the rows that are due settled like changed ones."""
        table.due = FAR
        for player, row in table.rows.items():
            if row.due is not None and row.due <= self.clock:
                self.expire(table, player, self.batch)
            elif row.due is not None:
                table.due = min(table.due, row.due)

    def expire(self, table: Table, player: str, batch: int) -> None:
        """Has a row that is due, and present, settled like a changed one."""
        row = table.rows[player]
        row.touched = batch
        table.dirty[player] = row

    def place_of(self, table: Table, row: Row) -> tuple[bytes | None, bytes]:
        """(prefix, extra) of a row of a clocked board now, or when its period ended; notes when that will change."""
        prefix, extra, due = table.shape.result_at(row.state, min(self.clock, table.end - 1))
        row.due = due if due is not None and due < table.end else None
        if row.due is not None:
            table.due = min(table.due, row.due)
        return prefix, extra

    def _settle(self, table: Table, dirty: list[tuple[str, Row]]) -> list[Change]:
        sanctions, result, lot, clocked = self.sanctions, table.shape.result, table.plan.lot, table.shape.clocked
        changes = []
        for player, row in dirty:
            row.dirty = False
            before_prefix, before_extra, before_hidden, hidden = row.prefix, row.extra, row.hidden, None
            prefix, extra = self.place_of(table, row) if clocked else result(row.state)
            if lot is not None and prefix is not None:
                prefix += draw(lot, *table.name[:2], player)
            if sanctions and player in sanctions:
                prefix, hidden = self.roster.placed(player, prefix)
            moved = prefix != before_prefix or extra != before_extra or hidden != before_hidden
            row.prefix, row.extra, row.hidden = prefix, extra, hidden
            changes.append(Change(table, player, row, moved, before_prefix, before_extra, before_hidden))
        return changes

    def shown(self, table: Table, player: str, prefix: bytes | None) -> tuple[bytes | None, bytes | None]:
        """(prefix, hidden prefix) of a player whose metrics give `prefix`."""
        if table.plan.lot is not None and prefix is not None:
            prefix += draw(table.plan.lot, *table.name[:2], player)
        return self.roster.placed(player, prefix) if player in self.sanctions else (prefix, None)

    def _settle_whole(self, table: Table, dirty: list[tuple[str, Row]]) -> list[Change]:
        """`_settle` where the place of a row depends on the other rows: any of them may have moved."""
        before = {player: (row.prefix, row.extra, row.hidden) for player, row in table.rows.items()}
        self._settle(table, dirty)
        break_ties(table.plan, table.rows)
        touched, batch = dict(dirty), max(row.touched for _, row in dirty)
        changes = []
        for player, row in sorted(table.rows.items(), key=_PLAYER):
            row.touched = batch
            moved = (row.prefix, row.extra, row.hidden) != before[player]
            if moved or player in touched:
                changes.append(Change(table, player, row, moved, *before[player]))
        return changes


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
