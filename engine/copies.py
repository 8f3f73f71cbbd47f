"""Copies: rankings whose rows follow from the rows of another one, and that have no state of their own.

Of a board with `movement` there is, for every ranking, the one before the present round or stretch: the same rules over the
marks that lie before, with all corrections known now. Of a board with segments by players' attributes there is one for every
value: the rows of the players whose profile has it. A row of a copy that is not ranked says nothing, and is taken for
missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.badges import bare
from engine.headtohead import break_ties
from engine.marks import Mark
from engine.movement import BEFORE, NOTHING, Cutoff, Present
from engine.segments import segment_id
from engine.shapes import Row
from engine.tables import Change, Table
from schemas.events import AttributeValue, Player

if TYPE_CHECKING:
    from engine.fold import Fold

Attributes = Mapping[str, AttributeValue]
Stretches = Iterator[tuple[Table, list[Change]]]
Shown = tuple[bytes | None, bytes, bytes | None]
"""(prefix, extra, hidden) of a row."""

PlaceOf = Callable[[str], Shown]
NOWHERE: Shown = (None, b"", None)


class Traits:
    """The attributes of players that segments go by. Live, those that were looked up: `unknown` says whose were not."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._known: dict[str, Attributes] = {}
        self._staged: dict[str, dict[str, AttributeValue]] = {}
        self._touched: dict[str, int] = {}

    def change(self, player: str, attributes: Attributes) -> bool:
        """Takes over what an event says of a player; returns whether segments go by it."""
        relevant = {name: value for name, value in attributes.items() if name in self._names}
        if relevant:
            self._staged.setdefault(player, {}).update(relevant)
        return bool(relevant)

    def unknown(self, players: set[str], batch: int) -> set[str]:
        """Those of the players whose stored attributes have to be learned; none of them is forgotten before `batch` is."""
        self._touched.update(dict.fromkeys(players, batch))
        return players - self._known.keys()

    def learn(self, player: str, stored: Attributes) -> None:
        """Takes over what is stored of a player, from before the staged events."""
        self._known[player] = {name: value for name, value in stored.items() if name in self._names}

    def forget(self, before: int) -> bool:
        """Forgets the players that no batch from `before` on has looked at; returns whether there were any."""
        gone = [player for player, batch in self._touched.items() if batch < before]
        for player in gone:
            del self._touched[player]
            self._known.pop(player, None)
        return bool(gone)

    def drop(self, player: str, batch: int) -> None:
        """Forgets what a player's id stood for: from now on it stands for somebody without attributes."""
        self._staged.pop(player, None)
        self._known[player] = {}
        self._touched[player] = batch

    def of(self, player: str) -> Attributes:
        """The attributes of a player, with those of the staged events."""
        staged = self._staged.pop(player, None)
        if staged is not None:
            self._known[player] = {**self._known.get(player, {}), **staged}
        return self._known.get(player, {})


class Copies:
    """The copies of a fold's tables. Boards without any never come here."""

    def __init__(self, fold: "Fold") -> None:
        self._fold = fold
        self.traits = Traits(fold.game.traits)
        self.moved: set[str] = set()
        """Players whose attributes have changed since the last settling."""
        self._presents: dict[Table, tuple[Present, Cutoff | None]] = {}

    def change(self, event: Player) -> None:
        """An event says something of a player."""
        if self._fold.game.traits:
            changed = event.attributes is not None and self.traits.change(event.player, event.attributes)
            if changed or event.status is not None:
                self.moved.add(event.player)
                self._fold.restated.add(event.player)

    def rename(self, before: str, after: str) -> None:
        """A player has lost his identity: under his new id he has no attributes."""
        self.traits.drop(before, self._fold.batch)
        self.moved.discard(before)
        if self._fold.game.traits:
            self.moved.add(after)
        for present, _ in self._presents.values():
            present.update(before, [])

    def forget(self, before: int) -> None:
        """Gives memory back: attributes that no batch from `before` on has asked for, and what is known of lost tables."""
        if self.traits.forget(before):
            for table in self._fold.tables.values():
                if table.plan.player_segments:
                    # Settling it as a whole needs everybody's attributes.
                    table.whole = False
        self._presents = {table: known for table, known in self._presents.items() if table.whole}

    def segments_of(self, table: Table, player: str) -> list[str]:
        """The segments of the whole board that a player belongs to."""
        names = table.plan.player_segments
        if not names or table.name[2]:
            return []
        traits = self.traits.of(player)
        found = (segment_id(name, traits[name]) for name in names if name in traits)
        return [segment for segment in found if segment is not None]

    def wanted(self, tables: Mapping[Table, Iterable[str]]) -> dict[Table, set[str]]:
        """The rows of segments that settling these players' rows needs; makes the tables that are new."""
        found: dict[Table, set[str]] = {}
        for table, players in tables.items():
            for player in players:
                for segment in self.segments_of(table, player):
                    for before in ("", BEFORE) if table.moves else ("",):
                        found.setdefault(self._copy_of(table, before + segment), set()).add(player)
        return found

    def _copy_of(self, table: Table, segment: str) -> Table:
        board, period, _ = table.name
        return self._fold.table(board, period, segment)

    def settle(self, table: Table, players: list[str], stride: int) -> Stretches:
        """Settles what follows from a table in which the rows of these players were settled."""
        if table.plan.head_to_heads:
            players = sorted(table.rows)
        yield from self._spread(table, "", players, table, stride, lambda player: table.rows[player].state)
        if not table.moves:
            return
        cutoff, advanced = self._advance(table, players)
        if advanced:
            players = sorted(table.rows)
        before = self._copy_of(table, BEFORE + table.name[2])

        def marks(player: str) -> list[Mark]:
            return [] if cutoff == NOTHING else cutoff.before(bare(table.rows[player].state))

        yield from self._update(before, players, self._places_before(table, cutoff, marks), stride, marks)
        yield from self._spread(table, BEFORE, players, before, stride, marks)

    def _advance(self, table: Table, players: list[str]) -> tuple[Cutoff, bool]:
        """The present cutoff of a table, and whether all its rows have to be looked at because of it."""
        present, held = self._presents.get(table, (None, None))
        if present is None:
            assert table.plan.present is not None
            present = table.plan.present()
            players = list(table.rows)
        for player in players:
            present.update(player, bare(table.rows[player].state))
        cutoff = present.cutoff()
        self._presents[table] = present, cutoff
        return cutoff, cutoff != held

    def _places_before(self, table: Table, cutoff: Cutoff, marks: Callable[[str], list[Mark]]) -> PlaceOf:
        shape = table.plan.shape

        def place(player: str) -> Shown:
            held = marks(player)
            if not held:
                return NOWHERE
            prefix, extra = shape.result(held)
            if shape.clocked:
                prefix, extra, _ = shape.result_at(held, cutoff.start_ms - 1)
            prefix, hidden = self._fold.shown(table, player, prefix)
            return prefix, extra, hidden

        return place

    def _spread(
        self,
        table: Table,
        variant: str,
        players: list[str],
        source: Table,
        stride: int,
        state_of: Callable[[str], Any],
    ) -> Stretches:
        """Brings the segments of a whole board, or of the one before it, up to date with `source`."""
        if not table.plan.player_segments or table.name[2]:
            return
        touched: dict[Table, list[str]] = {}
        for player in players:
            for segment in self.segments_of(table, player):
                touched.setdefault(self._copy_of(table, variant + segment), []).append(player)
        for copy in self._segments(table, variant) if self.moved else ():
            left = [player for player in players if player in self.moved and player in copy.rows]
            touched[copy] = sorted({*touched.get(copy, ()), *left})
        for copy, members in touched.items():
            segment = copy.name[2].removeprefix(variant)

            def place(player: str, segment: str = segment) -> Shown:
                row = source.rows.get(player)
                if row is None or segment not in self.segments_of(table, player):
                    return NOWHERE
                return row.prefix, row.extra, row.hidden

            yield from self._update(copy, members, place, stride, state_of)

    def _segments(self, table: Table, variant: str) -> list[Table]:
        """The tables of a board's segments by players' attributes that are in memory."""
        starts = tuple(f"{variant}{name}:" for name in table.plan.player_segments)
        tables = self._fold.tables.values()
        return [copy for copy in tables if copy.name[:2] == table.name[:2] and copy.name[2].startswith(starts)]

    def _update(
        self, copy: Table, players: list[str], place: PlaceOf, stride: int, state_of: Callable[[str], Any]
    ) -> Stretches:
        """Gives players of a copy their places, in stretches; returns what moved."""
        if copy.plan.head_to_heads:
            stride = max(stride, len(players))
        for at in range(0, len(players), stride):
            before = self._put(copy, players[at : at + stride], place)
            if copy.plan.head_to_heads:
                _break_ties(copy, state_of)
            rows = ((player, copy.rows[player], held) for player, held in before.items())
            moved = [Change(copy, player, row, True, *held) for player, row, held in rows if _shown(row) != held]
            if moved:
                yield copy, moved

    def _put(self, copy: Table, players: list[str], place: PlaceOf) -> dict[str, Shown]:
        """Returns what was shown before."""
        before: dict[str, Shown] = {}
        for player in players:
            prefix, extra, hidden = place(player)
            row = copy.rows.get(player)
            if prefix is None and hidden is None:
                extra = b""
                if row is None:
                    continue
            if row is None:
                row = copy.rows[player] = Row(None)
            row.touched = self._fold.batch
            before[player] = _shown(row)
            row.prefix, row.extra, row.hidden = prefix, extra, hidden
        return before


def _shown(row: Row) -> Shown:
    return row.prefix, row.extra, row.hidden


def _break_ties(copy: Table, state_of: Callable[[str], Any]) -> None:
    """Parts those who are level in a copy by the marks between them there."""
    ranked = {player: row for player, row in copy.rows.items() if row.prefix is not None}
    for player, row in ranked.items():
        row.state = state_of(player)
    break_ties(copy.plan, ranked)
    for row in ranked.values():
        row.state = None
