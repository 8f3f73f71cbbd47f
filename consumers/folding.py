"""Folding one batch: dedupe, the ruleset's checks, the engine's fold, and the batch that one transaction will write."""

from collections.abc import Collection, Sequence
from itertools import groupby

from consumers.admission import PLAIN, Accepted, Admission, Scored
from consumers.intake import Entry, Taken, refuse
from consumers.shadows import follow, guarded
from consumers.slices import slices
from engine.erasure import surrogate_in
from projections.batch import Batch, LiveGame, ShardState
from projections.commit import REFUSED
from projections.freezes import Line, pinned
from projections.freezes import follow as follow_freeze
from projections.names import shard_of
from projections.store import Store
from projections.stretch import last, prepare, settling, stage
from projections.surrogates import Erasing
from schemas.errors import InvalidRuleset
from schemas.events import Close, Event, Fixture, Freeze, Pick, Player, Result, RulesetChange, Score, Thaw
from schemas.position import Position
from schemas.ruleset import parse

CACHE_GAMES = 1_000
"""So many games are held beside those of the batches under way; a small one takes some 30 KiB without its rows."""


class Folding:
    """The games of a shard with their folds, a cache in front of PostgreSQL."""

    def __init__(
        self, shard: int, total: int, store: Store, *, cache_rows: int, cache_games: int = CACHE_GAMES
    ) -> None:
        self.shard = shard
        self.total = total
        self.store = store
        self.cache_rows = cache_rows
        self.cache_games = cache_games
        self._games: dict[str, LiveGame] = {}
        self.admission = Admission(shard, store, self._games)
        self._committed_version = 0
        self._latest: dict[str, int] = {}
        self._accepted: Accepted = []

    @property
    def held_games(self) -> int:
        return len(self._games)

    def forget(self) -> None:
        """Drops everything that is held in memory."""
        self._latest, self._accepted = {}, []
        self._games.clear()
        self.admission.forget()

    def committed(self, batch: Batch) -> None:
        """The batch is in PostgreSQL: its ids are found there from now on, and its rows may leave the cache."""
        self.admission.committed(batch.version)
        for live in self._games.values():
            for one in live.following:
                one.uncommitted.pop(batch.version, None)
        self._committed_version = batch.version

    def begin(self, state: ShardState) -> Batch:
        """A batch to `add` entries to, until it is to `finish`. There is one at a time, and nothing is written by it."""
        # Now, and not while a batch is half folded: a row that is needed must not leave between load and use.
        self._evict(self._committed_version)
        self._latest, self._accepted = {}, []
        return Batch(self.shard, state, (state.ms, state.seq))

    async def add(self, part: list[Taken], batch: Batch) -> bool:
        """Archives and stages entries that hold no change of rules. Returns whether others may follow in the same batch."""
        batch.upto = part[-1].last
        batch.entries += sum(map(len, part))
        await self._meet(set().union(*(stretch.games for stretch in part)), batch)
        accepted = await self.admission.take(part, batch)
        self._accepted = [each for some in accepted if isinstance(some, list) for each in some]
        latest: dict[str, int] = {}
        for some in accepted:
            if isinstance(some, Scored):
                latest[some.live.name] = some.scores.ms[-1]
            else:
                latest |= {event.game: entry.ms for entry, event in some}
        touched = {name: self._games[name] for name in latest}
        self._latest |= latest
        said: dict[str, list[Event]] = {name: [] for name in touched}
        for _, event in self._accepted:
            said[event.game].append(event)
        for name, live in touched.items():
            await prepare(self.store, live, said[name], batch)
        for some in accepted:
            if isinstance(some, Scored):
                async for at in slices(range(len(some.scores)), PLAIN):
                    some.live.fold.stage_scores(*some.scores.said(at[0], at[-1] + 1))
            else:
                async for stretch in slices(some):
                    await self._stage(stretch, batch)
        # What follows would look for picks and ids where those of this batch are not found yet.
        contests = any(isinstance(event, Result | Fixture | Pick) for _, event in self._accepted)
        apart = contests or self.admission.looks_up or any(live.shadows for live in touched.values())
        return not apart and self.held_games <= self.cache_games

    async def _stage(self, accepted: Sequence[tuple[Entry, Event]], batch: Batch) -> None:
        """Stages events in their order; scores that follow one another in a game all at once."""
        for game, group in groupby(accepted, _scored_in):
            said = list(group)
            if game is None:
                for entry, event in said:
                    position = Position(batch.state.epoch, self.shard, entry.ms, entry.seq)
                    await stage(self.store, self._games[event.game], event, position, batch)
                continue
            scores = [event for _, event in said if isinstance(event, Score)]
            ms, seq = [entry.ms for entry, _ in said], [entry.seq for entry, _ in said]
            self._games[game].fold.stage_scores(scores, ms, seq)

    def gathers(self) -> bool:
        """Whether the batch at hand takes no more memory than the rows that it will touch are many."""
        return all(self._games[name].fold.gathers for name in self._latest)

    def staged_rows(self) -> int:
        """How many rows the batch at hand will touch; one counts as often as steps of another kind come in between."""
        folds = [self._games[name].fold for name in self._latest]
        return sum(len(entrants) for fold in folds for _, entrants in fold.touched())

    async def finish(self, batch: Batch) -> None:
        """Brings the rows up to date with what was added."""
        for name, ms in self._latest.items():
            live = self._games[name]
            await self._settle(live, ms, batch)
            batch.take_rest(live)
            if self._accepted and isinstance(self._accepted[0][1], Freeze | Thaw | Close):
                self._freeze(live, self._accepted[0][1], batch)
            if live.shadows:
                await self._follow(live, [each for each in self._accepted if each[1].game == name], batch)

    async def _follow(self, live: LiveGame, accepted: Accepted, batch: Batch) -> None:
        """Folds what a game's live generation has taken into those that follow beside it."""

        async def settle(shadow: LiveGame) -> None:
            await self._settle(shadow, accepted[-1][0].ms, batch)

        await follow(self.store, live, accepted, batch, settle)

    async def _settle(self, live: LiveGame, ms: int, batch: Batch) -> None:
        """Brings the rows of a game up to date with what was staged, and with the time of its last entry."""
        shown = len(batch.lines.history)
        async for _ in settling(self.store, live, ms, batch):
            if not live.is_shadow:
                await batch.pour()
        if live.frozen:
            batch.pinned |= pinned(live.frozen, live.fold.tables.values())
        if live.is_shadow:
            # What nobody was shown is no history.
            del batch.lines.history[shown:]

    def _freeze(self, live: LiveGame, event: Freeze | Thaw | Close, batch: Batch) -> None:
        """What the batch holds is shown still; it is that event alone, so the version says where the freeze lies."""
        batch.freezes.append(Line(live.game_id, event, last(batch)))
        follow_freeze(live.frozen, event, batch.version)

    async def _meet(self, names: Collection[str], batch: Batch) -> None:
        unknown = [name for name in names if name not in self._games]
        if unknown:
            self._games.update({live.name: live for live in await self.store.games(unknown, self.shard)})
        for name in names:
            if (live := self._games.get(name)) is not None:
                live.used = batch.version

    async def erase(self, entry: Entry, state: ShardState) -> Batch:
        """The batch of an event that erases a player, alone: all rows and contests that name him are loaded before.

        Nothing else may be under way, and whoever commits it has to `forget` afterwards.
        """
        event = entry.event
        assert isinstance(event, Player)
        batch = self._lone(entry, state)
        await self._meet([event.game], batch)
        if await self.admission.admit([entry], batch):
            live = self._games[event.game]
            await self._erase(live, event, entry, batch)
            for shadow in live.shadows:
                await guarded(self.store, shadow, batch, self._erase(shadow, event, entry, batch))
        return batch

    async def _erase(self, live: LiveGame, event: Player, entry: Entry, batch: Batch) -> None:
        position = Position(batch.state.epoch, self.shard, entry.ms, entry.seq)
        live.fold.home = position[:2]
        live.fold.pass_time(entry.ms)
        live.fold.restated.add(event.player)
        await self.store.load_player(live, event.player)
        await self.store.load_rows(live, batch)
        live.fold.stage(event, position)
        await self._settle(live, entry.ms, batch)
        after = surrogate_in(live.fold, event.player, position)
        batch.take_erasing(live, Erasing(live.game_id, live.generation_id, event.player, position, after))
        batch.take_rest(live)

    def _lone(self, entry: Entry, state: ShardState) -> Batch:
        batch = Batch(self.shard, state, (entry.ms, entry.seq))
        batch.entries = 1
        return batch

    def park(self, entry: Entry, rule: str, state: ShardState) -> Batch:
        """A batch of one entry that goes to the dead letters unfolded."""
        batch = self._lone(entry, state)
        batch.lines.dead.append(self.admission.dead(entry, "", rule, state.epoch))
        batch.lines.log.append((0, state.epoch, self.shard, entry.ms, entry.seq, REFUSED, None, entry.body))
        return batch

    async def change_rules(self, entry: Entry, state: ShardState) -> Batch:
        """The batch of a `ruleset` event alone. The first one makes the game; later ones wait for a generation."""
        event = entry.event
        assert isinstance(event, RulesetChange)
        batch = self._lone(entry, state)
        await self._meet([event.game], batch)
        live = self._games.get(event.game)
        problem = await self._rules_problem(event, live)
        if problem is not None:
            entry = refuse(entry, *problem)
        if live is not None or problem is not None:
            admitted = await self.admission.archive([entry], batch)
            if live is not None and admitted:
                await self._pass_time(live, entry, batch)
                for shadow in live.shadows:
                    await guarded(self.store, shadow, batch, self._pass_time(shadow, entry, batch))
            if live is not None and admitted and event.version > await self.store.latest_ruleset(live.game_id):
                batch.rules = event
            return batch
        batch.rules, batch.parts = event, await self._parts(event)
        batch.first_entry = (entry.ms, entry.seq, entry.body, entry.id_hash, entry.body_hash)
        return batch

    async def _parts(self, event: RulesetChange) -> int:
        """Of how many parts the game is that these rules make: of as many as those say that are there."""
        spread = parse(event.text).spread
        return (await self.store.parts_of(event.game) or await self.store.log_shards(self.total)) if spread else 1

    async def _pass_time(self, live: LiveGame, entry: Entry, batch: Batch) -> None:
        await self._settle(live, entry.ms, batch)
        batch.take_rest(live)

    async def _rules_problem(self, event: RulesetChange, live: LiveGame | None) -> tuple[str, str] | None:
        if live is not None and live.shard != self.shard:
            return "game", self.admission.astray(live)
        try:
            rules = parse(event.text, game=event.game)
        except InvalidRuleset as error:
            return "text", str(error)
        spread = live.fold.game.rules.spread if live is not None else (await self.store.parts_of(event.game) or 0) > 1
        if rules.spread != spread and (live is not None or spread):
            return "text", "spread: a game is spread from its first rules on, or never"
        if event.mode != "retroactive":
            return "mode", "rules that hold from a date on are not supported yet; use retroactive"
        if live is None:
            home = shard_of(event.game, await self.store.log_shards(self.total))
            if rules.spread and self.shard >= (parts := await self._parts(event)):
                return "game", f"this game is spread over the shards 0 to {parts - 1}"
            if not rules.spread and home != self.shard:
                return "game", f"this game belongs on shard {home}"
            return None if event.version == 1 else ("version", "the first version of a game's rules is 1")
        if spread and await self.store.ruleset_elsewhere(event.game, event.version, event.text):
            return "version", f"version {event.version} holds on another shard with another text"
        latest = await self.store.latest_ruleset(live.game_id)
        if event.version <= latest and await self.store.ruleset_text(live.game_id, event.version) == event.text:
            return None
        return None if event.version == latest + 1 else ("version", f"the next version is {latest + 1}")

    def _evict(self, committed_version: int) -> None:
        """Forgets the games and the rows that were not used lately, once there are too many."""
        if len(self._games) > self.cache_games:
            # Those first that were used longest ago, and none that a batch under way has touched.
            idle = sorted((live for live in self._games.values() if live.used <= committed_version), key=_used)
            for live in idle[: len(self._games) - self.cache_games // 2]:
                del self._games[live.name]
        folds = [one.fold for live in self._games.values() for one in live.following]
        tables = [table for fold in folds for table in fold.tables.values()]
        if sum(len(table.rows) for table in tables) <= self.cache_rows:
            return
        ages = sorted(row.touched for table in tables for row in table.rows.values())
        # Half of the cache goes, but nothing that a batch under way has touched.
        limit = min(ages[len(ages) // 2] + 1, committed_version)
        # What is settled as a whole, with its copies, stays or goes as a whole.
        lasting = {
            (table.plan, table.name[1])
            for table in tables
            if table.plan.whole and any(row.touched >= limit for row in table.rows.values())
        }
        for table in tables:
            if (table.plan, table.name[1]) in lasting:
                continue
            held = len(table.rows)
            table.rows = {player: row for player, row in table.rows.items() if row.touched >= limit}
            table.whole = table.whole and len(table.rows) == held
        for fold in folds:
            fold.copies.forget(limit)


def _used(live: LiveGame) -> int:
    return live.used


def _scored_in(said: tuple[Entry, Event]) -> str | None:
    """The game that a score belongs to; None for what is no score."""
    event = said[1]
    return event.game if type(event) is Score else None
