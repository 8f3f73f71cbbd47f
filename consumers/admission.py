"""Admission: what the shard and the game's rules say about each entry, whether its id is new, and its lines in the archive."""

from itertools import chain, repeat
from typing import NamedTuple

from consumers.intake import Entry, Mixed, Plain, Taken, refuse
from consumers.slices import slices
from engine.corrections import archived_subject, subjects_of_scores
from engine.erasure import MARK, reserved
from engine.spread import goes_with, part_of
from projections.batch import Batch, LiveGame
from projections.commit import ACCEPTED, DUPLICATE, REFUSED
from projections.store import Store
from schemas.codec import named_game
from schemas.events import Event, Score

IdKey = tuple[int, bytes]
Accepted = list[tuple[Entry, Event]]

LOOK_UPS = 256
"""For so many batches ids are looked up once a duplicate has come: they seldom come alone."""

PLAIN = 1_000
"""So many plain scores are admitted between two turns of the loop: around a millisecond of work."""


class Scored(NamedTuple):
    """Plain scores of one game, all of them accepted."""

    live: LiveGame
    scores: Plain


class Admission:
    """Judges and archives the entries of a shard. `games` are those that are held; whoever owns it keeps them present."""

    def __init__(self, shard: int, store: Store, games: dict[str, LiveGame]) -> None:
        self.shard = shard
        self._store = store
        self._games = games
        self._in_flight: dict[int, dict[IdKey, bytes]] = {}
        self._look_ups = 0

    @property
    def looks_up(self) -> bool:
        """Whether ids are looked up at present."""
        return self._look_ups > 0

    def expect_duplicates(self) -> None:
        """The archive refused an id as used before: for a while, look ids up before folding.

        Otherwise they are not looked up at all. Nearly every id is new, and the unique key of `event_ids` refuses, with the
        whole transaction, one that is not; the batch is then folded again, with a look-up.
        """
        self._look_ups = LOOK_UPS

    def forget(self) -> None:
        """Drops everything that is held in memory."""
        self._in_flight.clear()

    def committed(self, version: int) -> None:
        """The ids of a batch are found in PostgreSQL from now on."""
        self._in_flight.pop(version, None)

    async def take(self, part: list[Taken], batch: Batch) -> list[Scored | Accepted]:
        """Archives every entry with its verdict, and returns those that are new, in their order within each game."""
        held = [self._games[name] for stretch in part for name in stretch.games if name in self._games]
        if self._look_ups or any(live.shadows for live in held):
            part = [Mixed(chain.from_iterable(stretch.entries() for stretch in part))]
        accepted: list[Scored | Accepted] = []
        for stretch in part:
            plain = self._plainly_good(stretch) if isinstance(stretch, Plain) else None
            if plain is None:
                accepted.append(await self.admit(stretch.entries(), batch))
                continue
            for scored in plain:
                async for some in slices(range(len(scored.scores)), PLAIN):
                    self._admit_plain(scored, some[0], some[-1] + 1, batch)
            accepted += plain
        return accepted

    def _plainly_good(self, stretch: Plain) -> list[Scored] | None:
        """The scores of each game, if there is nothing that the shard and the rules have to say about any of them."""
        scored: list[Scored] = []
        for name, scores in stretch.by_game().items():
            live = self._games.get(name)
            if live is None or live.shard != self.shard or not live.fold.game.declares(scores.events):
                return None
            players = [event.player for event in scores.events]
            if MARK in "".join(players) or not (live.fold.owns is None or all(map(live.fold.owns, players))):
                return None
            scored.append(Scored(live, scores))
        return scored

    def _admit_plain(self, scored: Scored, start: int, end: int, batch: Batch) -> None:
        scores, game, epoch, shard = scored.scores, scored.live.game_id, batch.state.epoch, self.shard
        ms, seq, bodies = scores.ms[start:end], scores.seq[start:end], scores.bodies[start:end]
        known, said = scores.id_hashes[start:end], scores.body_hashes[start:end]
        subjects = subjects_of_scores(scores.events[start:end])
        where = repeat(game), repeat(epoch), repeat(shard)
        batch.lines.log.extend(zip(*where, ms, seq, repeat(ACCEPTED), subjects, bodies, strict=False))
        batch.lines.ids.extend(zip(repeat(game), known, said, repeat(epoch), repeat(shard), ms, seq, strict=False))

    def judge(self, entry: Entry) -> Entry:
        """What the shard and the game's ruleset say about an entry."""
        event = entry.event
        if event is None or entry.problem is not None:
            return entry
        live = self._games.get(event.game)
        if live is None:
            return refuse(entry, "game", f"unknown game {event.game!r}; apply a ruleset for it first")
        if live.shard != self.shard:
            return refuse(entry, "game", self.astray(live))
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

    def astray(self, live: LiveGame) -> str:
        """Why a game's entries are refused here."""
        return f"this game lives on shard {live.shard}, not on shard {self.shard}"

    async def admit(self, entries: list[Entry], batch: Batch) -> Accepted:
        """Judges entries, archives each with its verdict, and returns those that are new."""
        judged: list[Entry] = []
        async for stretch in slices(entries):
            judged += map(self.judge, stretch)
        return await self.archive(judged, batch)

    async def archive(self, entries: list[Entry], batch: Batch) -> Accepted:
        """`admit` for entries that were judged."""
        used: dict[IdKey, bytes] | None = None
        if self._look_ups:
            self._look_ups -= 1
            keys = [
                (self._games[entry.event.game].game_id, entry.id_hash)
                for entry in entries
                if entry.event is not None and entry.problem is None
            ]
            used = {key: row["body_hash"] for key, row in (await self._store.known_ids(keys)).items()}
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
            batch.lines.dead.append(self.dead(entry, entry.problem.field, entry.problem.rule, epoch))
        # What a duplicate says may be about somebody who was erased since its original came.
        body = b"" if verdict == DUPLICATE and live is not None and live.erased else entry.body
        batch.lines.log.append((game_id, epoch, shard, entry.ms, entry.seq, verdict, subject, body))

    def dead(
        self, entry: Entry, field: str, rule: str, epoch: int
    ) -> tuple[str | None, int, int, int, int, str, str, bytes]:
        """The dead letter of an entry."""
        game = entry.event.game if entry.event is not None else named_game(entry.body)
        # PostgreSQL's text holds no NUL, and reasons may quote what a publisher sent.
        clean = rule.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        return game, epoch, self.shard, entry.ms, entry.seq, field.replace("\0", "\ufffd"), clean, entry.body
