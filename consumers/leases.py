"""Who folds which shard: leases in PostgreSQL, shared out evenly among the processes that are alive.

Every process announces itself, and all of them compute from the same rows who should hold what. Each gives up what it holds
beyond that and takes what is free. Leases only avoid work in vain: what is written rests on the compare-and-set alone.
"""

from collections.abc import Collection, Mapping
from time import monotonic
from typing import Any, NamedTuple

import asyncpg

from projections import epochs
from projections.database import queries

Q = queries("leases")
LEASE_S = 5.0
"""A process that says nothing for so long is taken for dead. Its place among the living and its leases end together."""

RENEW_S = 1.0

FROZEN_S = 10.0
"""A backend that waits for its client for so long in the midst of a statement is ended, if others wait for it."""


def shared_out(
    shards: Collection[int], members: Mapping[str, Collection[int]], held: Mapping[int, str], me: str
) -> dict[int, str]:
    """The process that should hold each shard. `members` are the shards that each living process may take.

    Who holds a shard keeps it, unless he holds at least two more than another process that may take it. A free shard goes
    to the one with the fewest; among equals each process counts on itself, and the first one to take it has it. A shard that
    nobody may take, or that a process holds which has not announced itself, is left out.
    """
    loads = dict.fromkeys(members, 0)
    given: dict[int, str] = {}
    for shard in shards:
        owner = held.get(shard)
        if owner in loads and shard in members[owner]:
            given[shard] = owner
            loads[owner] += 1
    for shard in sorted(shards):
        able = [member for member in members if shard in members[member]]
        if able and shard not in given and held.get(shard) in (None, *members):
            given[shard] = min(able, key=lambda member: (loads[member], member != me, member))
            loads[given[shard]] += 1
    while (move := _levelling(given, members, loads)) is not None:
        shard, taker = move
        loads[given[shard]] -= 1
        loads[taker] += 1
        given[shard] = taker
    return given


def _levelling(
    given: Mapping[int, str], members: Mapping[str, Collection[int]], loads: Mapping[str, int]
) -> tuple[int, str] | None:
    """A shard and who should have it instead, as long as somebody has two more than another who may take one of them."""
    takers = sorted(loads, key=lambda member: (loads[member], member))
    for giver in sorted(loads, key=lambda member: (-loads[member], member)):
        if loads[giver] - loads[takers[0]] < 2:
            return None
        for shard in sorted((shard for shard, owner in given.items() if owner == giver), reverse=True):
            for taker in takers:
                if loads[giver] - loads[taker] < 2:
                    break
                if shard in members[taker]:
                    return shard, taker
    return None


class Turn(NamedTuple):
    """What a process should fold from now on, and which of the shards that it folded have another holder already.

    `epoch` is the log's: when it is another one, every shard has to be started anew.
    """

    mine: set[int]
    lost: set[int]
    epoch: int


class Leases:
    """The leases of one process. The pool is best one of its own: they are renewed however busy the others are."""

    def __init__(self, pool: asyncpg.Pool, owner: str, shards: int, may_hold: Collection[int]) -> None:
        """`shards` is how many a new log gets; `may_hold` says which of them may be taken, all if it is empty."""
        self._pool = pool
        self.owner = owner
        self._shards = shards
        self._may_hold = sorted(may_hold)
        self._renewed = monotonic()
        self._holding_up: dict[tuple[Any, ...], float] = {}
        """What others wait for: how far it is, and since when."""

    async def turn(self, running: Collection[int], ending: Collection[int]) -> Turn:
        """Announces itself, renews, and takes what it should have. `ending`: what it is about to give back.

        After a pause, be it PostgreSQL's or its own, it only announces itself and renews: it does not know yet who else is
        still there.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            epoch = await epochs.begin(connection, self._shards)
            # Also those that are no shards any more: what is still appended to them has to be answered for.
            may_hold = self._may_hold or list(range(await epochs.streams(connection, epoch.shards)))
            await connection.execute(Q["announce"], self.owner, may_hold, LEASE_S)
            rows = await connection.fetch(Q["renew"], self.owner, sorted(running), LEASE_S)
        late, self._renewed = monotonic() - self._renewed > LEASE_S - RENEW_S, monotonic()
        kept = {shard for (shard,) in rows}
        number = epoch.number if epoch.opened else epoch.number - 1
        if late:
            return Turn(kept, set(running) - kept, number)
        members: dict[str, list[int]] = {row["owner"]: row["shards"] for row in await self._pool.fetch(Q["members"])}
        held: dict[int, str] = {row["shard"]: row["owner"] for row in await self._pool.fetch(Q["holders"])}
        everything = sorted({shard for shards in members.values() for shard in shards})
        owners = shared_out(everything, members, held, self.owner)
        wanted = {shard for shard, owner in owners.items() if owner == self.owner}
        new = wanted - set(running) - set(ending)
        taken = await self._pool.fetch(Q["take"], self.owner, sorted(new), LEASE_S) if new else []
        return Turn(kept & wanted | {shard for (shard,) in taken}, set(running) - kept, number)

    async def end_frozen(self) -> list[int]:
        """Ends what holds others up and does not go on: the former holder of a shard, stopped in the midst of a COPY, say.

        No time limit of PostgreSQL ends a backend that waits for its client within a statement: for the rest of a COPY, or
        for the values of what it has just prepared. Who is stopped or cut off never sends them. Called again and again;
        returns the process ids of the backends that it has ended.
        """
        seen, now = self._holding_up, monotonic()
        rows = [tuple(row) for row in await self._pool.fetch(Q["holding_up"])]
        self._holding_up = {row: seen.get(row, now) for row in rows}
        frozen = [pid for (pid, *_), since in self._holding_up.items() if now - since >= FROZEN_S]
        return [pid for pid in frozen if await self._pool.fetchval(Q["end_backend"], pid)]

    async def release(self, shard: int) -> None:
        """Gives a lease back, if it is still its own."""
        await self._pool.execute(Q["release"], self.owner, shard)

    async def leave(self) -> None:
        """Is no longer counted among the living."""
        await self._pool.execute(Q["leave"], self.owner)
