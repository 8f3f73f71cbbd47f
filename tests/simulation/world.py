"""The world of a simulation: the real log, consumer, database and rankings, with faults, and the audit of what they show.

Machines (tests/simulation/machine.py) consume; the world publishes, and does what operators do.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

from consumers.crash import RESHARD_POINTS, Crash
from consumers.shard import ShardConsumer
from projections import epochs, generations
from projections.append import Appender, Item
from projections.hashing import body_hash
from projections.names import shard_of, stream_key
from projections.reshard import reshard
from schemas.codec import decode, encode
from schemas.errors import Conflict, NotFound, RankfoldError
from schemas.position import parse_entry
from tests.harness import Harness, silent
from tests.simulation.accepting import RawEntry
from tests.simulation.faults import Faults, LossyStore
from tests.simulation.judging import Discrepancy, Known, judge
from tests.simulation.machine import Machine, tracked
from tests.simulation.rulesets import renamed, rules_of
from tests.simulation.workload import Workload


class KilledError(Exception):
    """Whoever changes the number of shards was killed."""


def _killed() -> None:
    raise KilledError


class World:
    """One seeded run: `run` it for so many steps. Raises Discrepancy as soon as something is not as it should be."""

    make_consumer: Any = ShardConsumer
    patience_s = 60.0
    """After so long without an end of something it has failed."""

    def __init__(
        self,
        harness: Harness,
        seed: int,
        texts: dict[str, str],
        *,
        total: int = 1,
        keep_log_s: int = 3_600,
        freezes: bool = False,
    ) -> None:
        self.harness = harness
        self.seed = seed
        self.total = total
        self.keep_log_s = keep_log_s
        self.pauses = 0.02
        """How often a machine stands still, of all that is done."""
        self.chance = random.Random(seed)
        self.faults = Faults(random.Random(seed + 1))
        self.done: Counter[str] = Counter()
        self.streams = total
        """The largest number of shards that there ever was."""
        self.shards = {1: total}
        """How many shards there are in each epoch."""
        self.entries: list[RawEntry] = []
        self.known = Known()
        self.workloads = {
            name: Workload(random.Random(f"{seed} {name}"), name, rules_of(text), freezes=freezes)
            for name, text in texts.items()
        }
        self.texts = texts
        self.machine: Machine | None = None
        self.paused: list[Machine] = []
        """Machines that stood still for a while, and do not know that another one has taken over."""
        self.swapped: list[tuple[str, tuple[int, int], int]] = []
        """Generations that became live, behind which entry, since the last judgement."""
        self._appender = Appender(harness.log, harness.pool)

    def make_store(self, pool: Any) -> LossyStore:
        """What a machine writes with."""
        return LossyStore(pool, self.faults)

    @property
    def events(self) -> int:
        """Entries in the log."""
        return len(self.entries)

    @property
    def epoch(self) -> int:
        """The present epoch of the log."""
        return max(self.shards)

    async def run(self, steps: int) -> None:
        """Publishes the rules, then does whatever comes up, and settles now and then and at the end."""
        asyncio.get_running_loop().set_task_factory(tracked)
        await epochs.begin(self.harness.pool, self.total)
        for name, text in self.texts.items():
            await self._append(name, [self.workloads[name].rules_event(renamed(text, name))])
        for step in range(steps):
            await self._act()
            if step % 25 == 24:
                await self.settle()
        await self.settle()

    async def close(self) -> None:
        """Ends the machines."""
        for machine in (*self.paused, *([self.machine] if self.machine is not None else [])):
            await machine.crash()
        self.paused.clear()

    async def _act(self) -> None:
        kind = self.chance.random()
        if self.chance.random() < self.pauses:
            await self._pause()
        elif kind < 0.47:
            await self._publish()
        elif kind < 0.92:
            await self._consume()
        elif kind < 0.94:
            self.done["flush"] += 1
            await self.harness.rankings.flushdb()
        elif kind < 0.96 and self.machine is not None:
            self.done["crash between batches"] += 1
            await self.machine.crash()
            self.machine = None
        elif kind < 0.98:
            await self._generate()
        elif kind < 0.99:
            await self._reshard()
        else:
            await self.settle()

    async def _publish(self) -> None:
        name = self.chance.choice(list(self.workloads))
        bodies = self.workloads[name].take(self.chance.choice((1, 2, 5, 30)), await self._now_ms())
        self.done["published"] += len(bodies)
        if self.chance.random() < 0.2:
            await self._append_as_http(name, bodies)
        else:
            if self.total > 1 and self.faults.draws("XADD: to another shard", 0.02):
                await self._append(name, bodies[:2], astray=1)
            await self._append(name, bodies)
            if self.faults.draws("XADD: reply lost", 0.05):
                await self._append(name, bodies)

    async def _append(self, name: str, bodies: list[bytes], *, astray: int = 0) -> None:
        """Straight into the stream, as game services do."""
        shard = (shard_of(name, self.total) + astray) % self.total
        pipeline = self.harness.log.pipeline(transaction=False)
        for body in bodies:
            pipeline.xadd(stream_key(shard), {"event": body})
        ids = await pipeline.execute()
        self._note(shard, zip(map(parse_entry, ids), bodies, strict=True))

    def _note(self, shard: int, entries: Iterable[tuple[tuple[int, int], bytes]]) -> None:
        """These are in the log."""
        self.entries += [RawEntry(*entry, body, self.epoch, shard) for entry, body in entries]

    async def _append_as_http(self, name: str, bodies: list[bytes]) -> None:
        """By the script that the API appends with, and once more when the reply is lost: nothing may come twice."""
        items = []
        for body in bodies:
            try:
                event = decode(body)
            except RankfoldError:
                continue
            if event.game == name:
                items.append(Item(event.id, body_hash(encode(event)), encode(event)))
        shard = shard_of(name, self.total)
        game_id = await self.harness.value("SELECT game_id FROM games WHERE name = $1", name)
        for _ in range(2 if self.faults.draws("append: reply lost", 0.3) else 1):
            try:
                answers = await self._appender.append(shard, name, () if game_id is None else (game_id,), items)
            except RankfoldError:
                # An id that stands for something else: nothing was appended.
                return
            fresh = [
                (one.position[2:], item.body) for one, item in zip(answers, items, strict=True) if not one.duplicate
            ]
            self._note(shard, fresh)
            self.done["appended"] += len(fresh)

    async def _now_ms(self) -> int:
        seconds, micros = await self.harness.log.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def _alive(self) -> Machine:
        """The machine; a new one when there is none or it is dead."""
        while self.machine is None or self.machine.dead.is_set():
            if self.machine is not None:
                await self.machine.crash()
            self.machine = Machine(self)
            self.done["machines"] += 1
            await self.machine.start()
        return self.machine

    async def _consume(self) -> None:
        machine = await self._alive()
        shard = self.chance.randrange(self.streams)
        if self.paused and self.chance.random() < 0.4:
            machine = self.chance.choice(self.paused)
            if machine.dead.is_set() or shard not in machine.after:
                return
            self.done["steps of machines that were overtaken"] += 1
            await machine.step(shard, self.chance.choice((1, 1, 3, 50)))
            return
        await machine.step(shard, self.chance.choice((1, 3, 10, 50, 1_000)))

    async def _pause(self) -> None:
        """The machine stands still, and is replaced; later it goes on as if nothing had been."""
        if self.machine is not None and not self.machine.dead.is_set():
            self.paused.append(self.machine)
            self.machine = None

    async def _generate(self) -> None:
        """A generation by the newest rules is built while the machine works on, to live or to follow; or one goes."""
        await self._alive()
        pool, redis = self.harness.pool, self.harness.rankings
        name = self.chance.choice(list(self.workloads))
        if not await self.harness.value("SELECT 1 FROM games WHERE name = $1", name):
            return
        what = self.chance.choice(("swap", "swap", "shadow", "shadow", "swap in", "swap back", "drop"))
        others = [one for one in await generations.listed(pool, name) if not one.live]
        if not others and what in ("swap in", "drop"):
            return
        try:
            if what == "swap":
                self._live(name, await self.harness.swap(name))
            elif what == "shadow":
                await self.harness.build(name)
            elif what == "swap in":
                one = self.chance.choice(others)
                self._live(name, await generations.swap(pool, redis, name, one.generation_id, silent))
            elif what == "swap back":
                self._live(name, await generations.swap_back(pool, redis, name, silent))
            else:
                await generations.drop(pool, redis, name, self.chance.choice(others).generation_id)
        except (Conflict, NotFound):
            # Nothing was live before, or a frozen board is shown from it.
            return
        self.done[what] += 1

    def _live(self, name: str, built: generations.Built) -> None:
        self.swapped.append((name, built.position[0][2:], built.generation_id))

    async def _reshard(self) -> None:
        """Another number of shards. Whoever makes the change may be killed, and makes it again."""
        await self._drained()
        shards = self.chance.choice([number for number in (1, 2, 3, 4) if number != self.total])
        trap = Crash(self.chance.choice((None, None, *RESHARD_POINTS)), RESHARD_POINTS, die=_killed)
        for crash in (trap, Crash(None)):
            try:
                await reshard(self.harness.pool, self.harness.log, shards, silent, crash=crash)
                break
            except KilledError:
                self.faults.happened["reshard: killed"] += 1
        self.shards[self.epoch + 1] = self.total = shards
        self.streams = max(self.streams, shards)
        self.done["reshard"] += 1
        # This one knows nothing of new streams; and it may go on as if nothing had been.
        await self._pause()

    async def settle(self) -> None:
        """Hands over everything without further faults, waits until it is shown, and judges it."""
        self.faults.armed = False
        try:
            await self._drained()
            await self._note_versions()
            await judge(self.harness, self.entries, self.shards, self.known)
            self.done["settled"] += 1
        finally:
            self.faults.armed = True

    async def _drained(self) -> None:
        """Hands over everything, and waits until it is committed and shown."""
        for machine in self.paused:
            await machine.crash()
        self.paused.clear()
        for shard in range(self.streams):
            while True:
                machine = await self._alive()
                if not await machine.step(shard, 1_000) and not machine.dead.is_set():
                    break
        await self._shown()

    async def _note_versions(self) -> None:
        """Says which rules have become live since which entry."""
        versions = dict(await self.harness.pool.fetch("SELECT generation_id, ruleset_version FROM generations"))
        for name, upto, generation in self.swapped:
            self.known.versions.setdefault(name, []).append((upto, versions[generation]))
        self.swapped.clear()

    async def _shown(self) -> None:
        """Waits until everything is committed and shown; machines that die meanwhile are replaced."""
        waiting = asyncio.create_task(self._until_shown())
        while not (await asyncio.wait({waiting}, timeout=0.05))[0]:
            # One that died had perhaps not committed what it was given.
            machine = await self._alive()
            for shard in range(self.streams):
                await machine.step(shard, 1_000)
        try:
            await waiting
        except AssertionError as error:
            raise Discrepancy(str(error)) from None

    async def _until_shown(self) -> None:
        for shard in range(self.streams):
            last = max([one[:2] for one in self.entries if one.shard == shard], default=(0, 0))
            await self.harness.reached(last, shard, self.patience_s)
            await self.harness.shown(shard, self.patience_s)
