"""What the shard writer holds of a shard: its position, the generations of its games, and the batch that it makes of them."""

from collections.abc import Iterable
from typing import NamedTuple

from engine.fold import Fold
from engine.pickbook import PickLine
from engine.rules import Game
from engine.spread import owner
from engine.tables import Change, Table
from projections import badges, contests, copies, freezes, surrogates
from projections.clock import ClockLines
from projections.feed import Feed, Lines, no_lines
from projections.profiles import ProfileLine, profile_rows
from projections.rankings import Places
from schemas.events import RulesetChange

POUR = 20_000
"""Rows that are handed over at once."""


class ShardState(NamedTuple):
    """A shard's committed position. `version` counts publications, `catalog` changes that void what a writer knows.

    `profiles` is the version in which something was last said of a player.
    """

    epoch: int
    ms: int
    seq: int
    version: int
    catalog: int
    profiles: int = 0


class LiveGame:
    """A generation of a game as the writer holds it: its fold, with as many rows as fit the cache.

    Of a game that is spread over so many `parts` it is the one that lives on `shard`.
    """

    __slots__ = (
        "erased",
        "fold",
        "frozen",
        "game_id",
        "generation_id",
        "is_shadow",
        "name",
        "parts",
        "ruleset_version",
        "shadows",
        "shard",
        "uncommitted",
        "used",
    )

    def __init__(
        self, game_id: int, name: str, shard: int, generation_id: int, version: int, game: Game, parts: int = 1
    ) -> None:
        self.game_id = game_id
        self.name = name
        self.shard = shard
        self.generation_id = generation_id
        self.ruleset_version = version
        self.parts = parts
        self.fold = Fold(game, owner(shard, parts))
        self.erased = False
        """Whether somebody was erased from this game."""
        self.is_shadow = False
        self.shadows: tuple[LiveGame, ...] = ()
        """Generations that are folded behind the live one, which they are then known by."""
        self.frozen: freezes.Held = {}
        self.uncommitted: dict[int, list[PickLine]] = {}
        """The picks of batches that may not be committed yet, by version."""
        self.used = 0
        """The version of the last batch that had anything to do with it."""

    @property
    def following(self) -> "tuple[LiveGame, ...]":
        """The live generation and its shadows."""
        return (self, *self.shadows)


class Batch:
    """Everything that one transaction writes."""

    def __init__(self, shard: int, state: ShardState, upto: tuple[int, int]) -> None:
        self.shard = shard
        self.state = state
        self.upto = upto
        self.version = state.version + 1
        self.entries = 0
        """How many it has taken in."""
        self.lines = no_lines()
        """What was not handed over to `feed` yet; without one, everything."""
        self.feed: Feed | None = None
        """Where lines go while the batch grows, when its transaction is open already."""
        self.behind = False
        """Whether more batches are waiting."""
        self.voided: list[tuple[int, dict[str, bool]]] = []
        self.new_rankings: list[tuple[int, int, str, str, str, int]] = []
        self.contests = contests.no_lines()
        self.players: list[ProfileLine] = []
        self.places: dict[int, tuple[Places, Places, bool]] = {}
        self.awards: list[badges.AwardLine] = []
        self.clock = ClockLines()
        self.freezes: list[freezes.Line] = []
        self.closes: list[freezes.Closed] = []
        self.pinned: set[int] = set()
        """Rankings whose places are not to be shown, since they are frozen."""
        self.erasings: list[surrogates.Erasing] = []
        self.rules: RulesetChange | None = None
        self.parts = 1
        """Of so many a game that `rules` make is to be, if it is spread."""
        self.first_entry: tuple[int, int, bytes, bytes, bytes] | None = None

    def drain(self) -> Lines:
        """Gives away the lines that it holds."""
        lines, self.lines = self.lines, no_lines()
        return lines

    async def pour(self) -> None:
        """Hands rows over, if there are many and somebody takes them."""
        if self.feed is not None and len(self.lines.new_rows) + len(self.lines.changed_rows) >= POUR:
            await self.feed.put(self.drain())

    def give_up(self) -> None:
        """It will not become whole: whoever still adds to it has nothing more of it written."""
        self.feed = self.feed or Feed()
        self.feed.end()

    def _shown(self, table: Table) -> tuple[Places, Places]:
        """Where the places of a ranking's players that moved are collected, and the places of the hidden."""
        if table.ranking_id not in self.places:
            self.places[table.ranking_id] = ({}, {}, table.plan.style == "dense")
        return self.places[table.ranking_id][:2]

    @property
    def after_state(self) -> ShardState:
        """The shard's state once this batch is committed."""
        profiles = self.version if self.players else self.state.profiles
        return self.state._replace(ms=self.upto[0], seq=self.upto[1], version=self.version, profiles=profiles)

    def take(self, table: Table, changes: Iterable[Change]) -> None:
        """Collects changed rows of one table. They are written out here, before the next batch alters them."""
        version, (_, _, _, new, changed, past) = self.version, self.lines
        ranking_id, dump, (shown, veiled) = table.ranking_id, table.shape.dump, self._shown(table)
        for change in changes:
            player, row, moved = change.player, change.row, change.moved
            prefix, extra, hidden = row.prefix, row.extra, row.hidden
            state = dump(row.state)
            if not row.stored:
                row.stored = True
                row.since = version
                new.append((ranking_id, player, prefix, extra, state, version, hidden))
            else:
                if moved:
                    before = (ranking_id, player, change.before_prefix, change.before_extra)
                    past.append((*before, row.since, version, change.before_hidden))
                    row.since = version
                changed.append((ranking_id, player, prefix, extra, state, row.since, hidden))
            if moved:
                shown[player] = (prefix, extra)
                if hidden is not None or change.before_hidden is not None:
                    veiled[player] = (hidden, extra)

        self.clock.take(table, changes)

    def take_erasing(self, live: LiveGame, erasing: surrogates.Erasing) -> None:
        """Has a player's rows renamed, where they are stored and where they are shown."""
        self.erasings.append(erasing)
        for table, shown, veiled in surrogates.places(live.fold, erasing):
            for held, places in zip(self._shown(table), (shown, veiled), strict=True):
                held.update(places)

    def take_rest(self, live: LiveGame) -> None:
        """Collects what a game's fold has changed besides rows."""
        fold = live.fold
        live.uncommitted[self.version] = self.contests.add(live.generation_id, fold)
        self.players += profile_rows(live.generation_id, fold, self.version)
        fold.profiles.clear()
        if fold.corrections.fresh:
            self.voided.append((live.generation_id, dict(fold.corrections.fresh)))
            fold.corrections.fresh.clear()
        self.closes += freezes.closes_of(live)
        self.awards += badges.award_lines(live.generation_id, fold.awards)
        fold.awards.clear()
        if self.new_rankings and fold.game.copied:
            idle = copies.leave_idle(fold, {line[0] for line in self.new_rankings})
            self.new_rankings = [line for line in self.new_rankings if line[0] not in idle]
