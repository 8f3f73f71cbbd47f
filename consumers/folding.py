"""Folding one batch: dedupe, the ruleset's checks, the engine's fold, and the batch that one transaction will write."""

from collections.abc import Collection

from consumers.intake import Entry, refuse
from consumers.shadows import Accepted, follow, guarded
from consumers.slices import slices
from engine.corrections import CORRECTIONS, archived_subject
from engine.erasure import MARK, reserved, surrogate_in
from engine.spread import goes_with, part_of
from projections.batch import Batch, LiveGame, ShardState
from projections.commit import ACCEPTED, DUPLICATE, REFUSED
from projections.freezes import Line, pinned
from projections.freezes import follow as follow_freeze
from projections.names import shard_of
from projections.store import Store
from projections.stretch import last, settling, stage
from projections.surrogates import Erasing
from schemas.codec import named_game
from schemas.errors import InvalidRuleset
from schemas.events import Close, Event, Fixture, Freeze, Pick, Player, Result, RulesetChange, Score, Thaw
from schemas.position import Position
from schemas.ruleset import parse

IdKey = tuple[int, bytes]
CACHE_GAMES = 1_000
"""So many games are held beside those of the batches under way; a small one takes some 30 KiB without its rows."""

LOOK_UPS = 256
"""For so many batches ids are looked up once a duplicate has come: they seldom come alone."""


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
        self._in_flight: dict[int, dict[IdKey, bytes]] = {}
        self._look_ups = 0
        self._committed_version = 0
        self._latest: dict[str, int] = {}
        self._accepted: Accepted = []

    @property
    def held_games(self) -> int:
        return len(self._games)

    def expect_duplicates(self) -> None:
        """The archive refused an id as used before: for a while, look ids up before folding.

        Otherwise they are not looked up at all. Nearly every id is new, and the unique key of `event_ids` refuses, with the
        whole transaction, one that is not; the batch is then folded again, with a look-up.
        """
        self._look_ups = LOOK_UPS

    def forget(self) -> None:
        """Drops everything that is held in memory."""
        self._latest, self._accepted = {}, []
        self._games.clear()
        self._in_flight.clear()

    def committed(self, batch: Batch) -> None:
        """The batch is in PostgreSQL: its ids are found there from now on, and its rows may leave the cache."""
        self._in_flight.pop(batch.version, None)
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

    async def add(self, entries: list[Entry], batch: Batch) -> bool:
        """Archives and stages entries that hold no change of rules. Returns whether others may follow in the same batch."""
        batch.upto = (entries[-1].ms, entries[-1].seq)
        batch.entries += len(entries)
        await self._meet({entry.event.game for entry in entries if entry.event is not None}, batch)
        judged: list[Entry] = []
        async for part in slices(entries):
            judged += map(self._judge, part)
        accepted = self._accepted = await self._admit(judged, batch)
        latest = {event.game: entry.ms for entry, event in accepted}
        touched = {name: self._games[name] for name in latest}
        self._latest |= latest
        contests = [
            event for _, event in accepted if type(event) is not Score and isinstance(event, (Result, Fixture, Pick))
        ]
        for name, live in touched.items() if contests else ():
            await self.store.load_contests(live, [event for event in contests if event.game == name])
        for name, live in touched.items():
            live.fold.home = (batch.state.epoch, self.shard)
            if isinstance(accepted[0][1], CORRECTIONS):
                corrections = [event for _, event in accepted if isinstance(event, CORRECTIONS) and event.game == name]
                await self.store.load_past(live, corrections, last(batch))
        async for stretch in slices(accepted):
            for entry, event in stretch:
                if type(event) is Score:
                    touched[event.game].fold.stage_score(event, entry.ms, entry.seq)
                else:
                    position = Position(batch.state.epoch, self.shard, entry.ms, entry.seq)
                    await stage(self.store, touched[event.game], event, position, batch)
        # What follows would look for picks and ids where those of this batch are not found yet.
        apart = contests or self._look_ups or any(live.shadows for live in touched.values())
        return not apart and self.held_games <= self.cache_games

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

    def _judge(self, entry: Entry) -> Entry:
        """What the shard and the game's ruleset say about an entry."""
        event = entry.event
        if event is None or entry.problem is not None:
            return entry
        live = self._games.get(event.game)
        if live is None:
            return refuse(entry, "game", f"unknown game {event.game!r}; apply a ruleset for it first")
        if live.shard != self.shard:
            return refuse(entry, "game", self._astray(live))
        if live.fold.owns is not None and (player := goes_with(event)) is not None and not live.fold.owns(player):
            home = f"this player's part of a spread game lives on shard {part_of(player, live.parts)}"
            return refuse(entry, "player", f"{home}, not on shard {self.shard}")
        if type(event) is not Score or event.player.startswith(MARK):
            forged = reserved(event, entry.ms, entry.seq)
            if forged is not None:
                return refuse(entry, "player", f"{forged} is an id that only an erased player is given")
        problems = live.fold.game.check(event)
        if problems:
            rest = "".join(f"; {problem}" for problem in problems[1:])
            return refuse(entry, problems[0].field, problems[0].rule + rest)
        return entry

    def _astray(self, live: LiveGame) -> str:
        return f"this game lives on shard {live.shard}, not on shard {self.shard}"

    async def _admit(self, entries: list[Entry], batch: Batch) -> list[tuple[Entry, Event]]:
        """Archives every entry with its verdict, and returns those that are new."""
        used: dict[IdKey, bytes] | None = None
        if self._look_ups:
            self._look_ups -= 1
            keys = [
                (self._games[entry.event.game].game_id, entry.id_hash)
                for entry in entries
                if entry.event is not None and entry.problem is None
            ]
            used = {key: row["body_hash"] for key, row in (await self.store.known_ids(keys)).items()}
            for ids in self._in_flight.values():
                used.update({key: ids[key] for key in keys if key in ids})
            self._in_flight[batch.version] = {}
        accepted: list[tuple[Entry, Event]] = []
        async for stretch in slices(entries):
            for entry in stretch:
                self._admit_one(entry, batch, used, accepted)
        return accepted

    def _admit_one(
        self, entry: Entry, batch: Batch, used: dict[IdKey, bytes] | None, accepted: list[tuple[Entry, Event]]
    ) -> None:
        event, epoch, shard = entry.event, batch.state.epoch, self.shard
        live = self._games.get(event.game) if event is not None else None
        game_id = live.game_id if live is not None else 0
        verdict, subject = REFUSED, None
        if event is not None and entry.problem is None:
            before = None
            if used is not None:
                key = (game_id, entry.id_hash)
                before = used.get(key)
                if before is None:
                    used[key] = self._in_flight[batch.version][key] = entry.body_hash
            if before is None:
                verdict = ACCEPTED
                subject = archived_subject(event)
                batch.lines.ids.append((game_id, entry.id_hash, entry.body_hash, epoch, shard, entry.ms, entry.seq))
                accepted.append((entry, event))
            elif before == entry.body_hash:
                verdict = DUPLICATE
            else:
                entry = refuse(entry, "id", f"the id {event.id!r} was used before with another content")
        if entry.problem is not None:
            batch.lines.dead.append(self._dead(entry, entry.problem.field, entry.problem.rule, epoch))
        # What a duplicate says may be about somebody who was erased since its original came.
        body = b"" if verdict == DUPLICATE and live is not None and live.erased else entry.body
        batch.lines.log.append((game_id, epoch, shard, entry.ms, entry.seq, verdict, subject, body))

    def _dead(
        self, entry: Entry, field: str, rule: str, epoch: int
    ) -> tuple[str | None, int, int, int, int, str, str, bytes]:
        game = entry.event.game if entry.event is not None else named_game(entry.body)
        # PostgreSQL's text holds no NUL, and reasons may quote what a publisher sent.
        clean = rule.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        return game, epoch, self.shard, entry.ms, entry.seq, field.replace("\0", "\ufffd"), clean, entry.body

    async def erase(self, entry: Entry, state: ShardState) -> Batch:
        """The batch of an event that erases a player, alone: all rows and contests that name him are loaded before.

        Nothing else may be under way, and whoever commits it has to `forget` afterwards.
        """
        event = entry.event
        assert isinstance(event, Player)
        batch = self._lone(entry, state)
        await self._meet([event.game], batch)
        if await self._admit([self._judge(entry)], batch):
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
        batch.lines.dead.append(self._dead(entry, "", rule, state.epoch))
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
            admitted = await self._admit([entry], batch)
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
            return "game", self._astray(live)
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
