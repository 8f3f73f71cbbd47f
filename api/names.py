"""Names of players as pages show them: out of the profiles, remembered for as long as no profile has changed.

What a shard shows says at which publication a profile changed last. While that is none, nothing is asked at all; when it is
newer than what is remembered, the changes are fetched before any name is given out. So an answer's names are at least as
new as its position. Names that are not remembered are fetched for all who ask in one turn of the event loop together.
"""

import asyncio
import logging
from collections.abc import Iterable
from time import monotonic

import asyncpg

from api.freshness import AWAY_S, Shown, SingleFlight
from engine.spread import part_of
from projections.catalog import GameInfo
from projections.database import AWAY, queries

Q = queries("reader")
NAMES_MAX = 200_000
"""So many names a process remembers, of all games together."""

CHANGES_MAX = 1_000
"""With more changes than this since the last look, all names of the game are forgotten instead."""

log = logging.getLogger("rankfold.api")
Names = dict[str, str]
"""Names by player; who has none is left out."""

UNKNOWN: Names = {}
"""What this very object stands for: nobody's name, because PostgreSQL does not answer."""


def named_at(names: Names, shown: Shown) -> tuple[int, ...]:
    """As of which changes of profiles these names are: of none while they are unknown, so that they are asked for anew."""
    return (0,) * len(shown.profiled) if names is UNKNOWN else shown.profiled


class _Book:
    """What is remembered of one generation; `version` is the publication that it is up to."""

    __slots__ = ("generation_id", "held", "version", "waiting", "wanted")

    def __init__(self, generation_id: int, version: int) -> None:
        self.generation_id = generation_id
        self.version = version
        self.held: dict[str, str | None] = {}
        self.wanted: set[str] = set()
        self.waiting: asyncio.Task[dict[str, str | None]] | None = None


class NameBooks:
    """The names of all games."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._books: dict[int, _Book] = {}
        self._flights = SingleFlight()
        self._away_until = 0.0

    async def of(self, info: GameInfo, shown: Shown, players: Iterable[str]) -> Names:
        """The names of these players; UNKNOWN while PostgreSQL does not answer."""
        if not shown.profiles:
            return {}
        if len(info.parts) == 1:
            return await self._of(info, shown, players)
        shares: dict[int, list[str]] = {}
        for player in players:
            shares.setdefault(part_of(player, len(info.parts)), []).append(player)
        found: Names = {}
        for part, share in shares.items():
            if shown.of(part).profiles:
                names = await self._of(info.parts[part], shown.of(part), share)
                if names is UNKNOWN:
                    return UNKNOWN
                found |= names
        return found

    async def _of(self, info: GameInfo, shown: Shown, players: Iterable[str]) -> Names:
        book = self._books.get(info.generation_id)
        if book is None:
            book = self._books[info.generation_id] = _Book(info.generation_id, shown.profiles)
        wanted = list(players)
        try:
            if book.version < shown.profiles:
                self._check()
                await self._flights.do(book.generation_id, lambda: self._renew(book, shown.profiles))
            found = {player: book.held[player] for player in wanted if player in book.held}
            if len(found) < len(wanted):
                self._check()
                found |= await self._fetch(book, [player for player in wanted if player not in found])
        except AWAY as error:
            if monotonic() >= self._away_until:
                log.warning("names are left out: %s", error)
                self._away_until = monotonic() + AWAY_S
            return UNKNOWN
        return {player: name for player, name in found.items() if name is not None}

    def _check(self) -> None:
        """For AWAY_S nobody asks again: each would wait for his own time-out."""
        if monotonic() < self._away_until:
            raise ConnectionError

    async def _renew(self, book: _Book, version: int) -> None:
        """Takes over what has changed. Of the erased nothing may stay behind, so then all is forgotten."""
        rows = await self._pool.fetch(Q["names_changed"], book.generation_id, book.version, CHANGES_MAX + 1)
        if len(rows) > CHANGES_MAX or any(row["status"] == "erased" for row in rows):
            book.held.clear()
        for row in rows:
            if row["player"] in book.held:
                book.held[row["player"]] = row["name"]
        book.version = version

    async def _fetch(self, book: _Book, players: list[str]) -> dict[str, str | None]:
        """Asks for names together with everybody else who asks in this turn of the event loop."""
        book.wanted.update(players)
        if book.waiting is None:
            book.waiting = asyncio.create_task(self._ask(book))
        names = await asyncio.shield(book.waiting)
        return {player: names.get(player) for player in players}

    async def _ask(self, book: _Book) -> dict[str, str | None]:
        await asyncio.sleep(0)
        wanted, book.wanted, book.waiting = book.wanted, set(), None
        version = book.version
        rows = await self._pool.fetch(Q["names"], book.generation_id, list(wanted))
        names: dict[str, str | None] = dict.fromkeys(wanted)
        names.update((row["player"], row["name"]) for row in rows)
        if book.version == version:
            # Otherwise the answer may be older than what was renewed meanwhile: it serves those who asked, and no more.
            if sum(len(each.held) for each in self._books.values()) + len(names) > NAMES_MAX:
                self._books.clear()
                self._books[book.generation_id] = book
                book.held.clear()
            book.held.update(names)
        return names
