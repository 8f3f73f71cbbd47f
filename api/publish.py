"""POST /v1/games/{game}/events: checks a batch whole, appends it whole, and says where it went."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from aiohttp import web

from api.access import require_scopes
from api.batch import check_events, read_events
from api.bodies import read_body
from api.freshness import Applied
from api.params import name_of, number_of, parameters, target
from api.problems import TOO_LARGE, RefusedError
from api.response import JSON, NO_STORE, Ready
from engine.spread import goes_with, part_of
from projections.append import Appended, Appender, IdConflict, Item, OtherEpoch
from projections.catalog import Catalog, GameInfo
from projections.hashing import body_hash
from projections.names import shard_of
from projections.tasks import all_of
from schemas.errors import NotFound, Unavailable
from schemas.events import Event, RulesetChange
from schemas.position import Vector
from schemas.ruleset import parse

BODY_BYTES_MAX = 4 * 1024 * 1024
WAIT_MS_MAX = 10_000
ATTEMPTS = 3


class Published(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where each event is, in the request's order. `duplicates` were there before; `position` is the highest.

    In a spread game an event of everyone is on every shard, and `position` is the highest of each that was appended to, with
    commas between them. `visible` answers `wait`: whether readers see all of it already.
    """

    position: str
    positions: list[str]
    duplicates: int
    visible: bool | None = None


class _Home(NamedTuple):
    """A shard that events of a request go to: the game's ids, that of its part there first, and the events' indexes."""

    shard: int
    game_ids: tuple[int, ...]
    indexes: list[int]


_encode = msgspec.json.Encoder().encode


class Publishing:
    """The handler; `shards` is how many the log gets when it begins."""

    def __init__(self, catalog: Catalog, appender: Appender, applied: Applied, shards: int) -> None:
        self._catalog = catalog
        self._appender = appender
        self._applied = applied
        self._shards = shards

    async def publish(self, request: web.Request) -> Ready:
        """202 with the positions; a retry of the same events gets the same positions, and appends nothing."""
        (_, _, _, segment, _), query = target(request)
        game = name_of(segment, "game")
        given = parameters(query, "wait")
        wait_ms = number_of(given, "wait", 0, 0, WAIT_MS_MAX)
        reading = read_events(await _body(request), _media_type(request), game)
        require_scopes(request, game, zip(reading.indexes, reading.events, strict=True))
        info = await self.game(game, creates=reading.begins_with_ruleset)
        check_events(reading, info.game if info is not None else None, game)
        said = list(zip(reading.events, reading.bodies, strict=True))
        answer = await self.send(info, game, said, wait_ms if "wait" in given else None)
        return Ready(202, JSON + NO_STORE, _encode(answer))

    async def send(
        self, info: GameInfo | None, game: str, said: Sequence[tuple[Event, bytes]], wait_ms: int | None
    ) -> Published:
        """Appends events that were checked, with their canonical bodies; `info` is None for a game that these create."""
        positions, duplicates = await self._append(info, game, said)
        highest = positions[0] if len(positions) == 1 else Vector.highest(itertools.chain.from_iterable(positions))
        visible = None if wait_ms is None else await self._visible(highest, wait_ms / 1000)
        texts = list(map(str, positions))
        return Published(texts[0] if len(texts) == 1 else str(highest), texts, duplicates, visible)

    async def _visible(self, positions: Vector, seconds: float) -> bool:
        return None not in await asyncio.gather(*(self._applied.wait(position, seconds) for position in positions))

    async def _append(
        self, info: GameInfo | None, game: str, said: Sequence[tuple[Event, bytes]]
    ) -> tuple[list[Vector], int]:
        """Appends to the game's shards: where each event is, and how many were there before.

        Where the game lives is asked again when the log has begun another epoch since.
        """
        items = [Item(event.id, body_hash(body), body) for event, body in said]
        for _ in range(ATTEMPTS):
            # Both as of one moment: an epoch with the shard of another one would get past the append's check.
            epoch, info = self._catalog.epoch, self._catalog.known(game) or info
            number = None if epoch is None else epoch.number
            try:
                if info is not None and len(info.parts) == 1:
                    found = await self._appender.append(info.shard, game, (info.game_id,), items, epoch=number)
                    return [Vector((one.position,)) for one in found], sum([one.duplicate for one in found])
                homes = self._homes(info, game, [event for event, _ in said])
                return await self._append_to_all(homes, game, items, number)
            except OtherEpoch:
                await self._catalog.refresh()
        raise Unavailable("the number of shards is being changed; this takes a few seconds")

    async def _append_to_all(
        self, homes: list[_Home], game: str, items: list[Item], epoch: int | None
    ) -> tuple[list[Vector], int]:
        """Of an event that goes to several shards, where it is on each of them, in their order.

        When one of them cannot be appended to, the others have theirs: the request that is made again adds what is missing.
        """
        first, *rest = homes
        # Whoever comes first on the first shard wins on all: what is of everyone has one order of conflicts.
        answers = [await self._append_to(first, game, items, epoch)]
        if rest:
            answers += await all_of(self._append_to(home, game, items, epoch) for home in rest)
        copies: list[list[Appended]] = [[] for _ in items]
        for home, found in zip(homes, answers, strict=True):
            for index, answer in zip(home.indexes, found, strict=True):
                copies[index].append(answer)
        duplicates = sum(all(answer.duplicate for answer in each) for each in copies)
        return [Vector(answer.position for answer in each) for each in copies], duplicates

    async def _append_to(self, home: _Home, game: str, items: list[Item], epoch: int | None) -> list[Appended]:
        try:
            chosen = [items[index] for index in home.indexes]
            return await self._appender.append(home.shard, game, home.game_ids, chosen, epoch=epoch)
        except IdConflict as conflict:
            raise IdConflict(conflict.ids, [home.indexes[index] for index in conflict.indexes]) from None

    def _homes(self, info: GameInfo | None, game: str, events: Sequence[Event]) -> list[_Home]:
        """Which events go to which shard, at least one, of a game that is spread or not there yet."""
        epoch = self._catalog.epoch
        shards = self._shards if epoch is None else epoch.shards
        every = list(range(len(events)))
        if info is None and not _spreads(events):
            return [_Home(shard_of(game, shards), (), every)]
        ids = [] if info is None else [part.game_id for part in info.parts]
        parts = len(ids) or self._catalog.begun.get(game, shards)
        players = [goes_with(event) for event in events]
        homes = [None if player is None else part_of(player, parts) for player in players]
        found = []
        for shard in range(parts):
            indexes = [index for index in every if homes[index] in (None, shard)]
            if indexes:
                found.append(_Home(shard, tuple(ids[shard : shard + 1] + ids[:shard] + ids[shard + 1 :]), indexes))
        return found

    async def game(self, name: str, *, creates: bool) -> GameInfo | None:
        """The game, or None when it does not exist and this request creates it."""
        try:
            return self._catalog.known(name) or await self._catalog.game(name)
        except NotFound:
            if creates:
                return None
            raise


async def _body(request: web.Request) -> bytes:
    length = request.content_length
    if length is not None and length > BODY_BYTES_MAX:
        # Said before reading it.
        raise RefusedError(TOO_LARGE, f"a body has at most {BODY_BYTES_MAX} bytes")
    return await read_body(request)


def _media_type(request: web.Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _spreads(events: Sequence[Event]) -> bool:
    """Whether the rules that a request begins with are those of a spread game."""
    first = events[0]
    return isinstance(first, RulesetChange) and parse(first.text).spread
