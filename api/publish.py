"""POST /v1/games/{game}/events: checks a batch whole, appends it whole, and says where it went."""

import msgspec
from aiohttp import web

from api.access import require_scopes
from api.batch import check_events, read_events
from api.bodies import read_body
from api.freshness import Applied
from api.params import name_of, number_of, parameters, target
from api.problems import TOO_LARGE, RefusedError
from api.response import JSON, NO_STORE, Ready
from projections.append import Appended, Appender, OtherEpoch
from projections.catalog import Catalog, GameInfo
from projections.hashing import body_hash
from projections.names import shard_of
from schemas.errors import NotFound, Unavailable

BODY_BYTES_MAX = 4 * 1024 * 1024
WAIT_MS_MAX = 10_000
ATTEMPTS = 3


class Published(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where each event is, in the request's order. `duplicates` were there before; `position` is the highest.

    `visible` answers `wait`: whether readers see all of it already.
    """

    position: str
    positions: list[str]
    duplicates: int
    visible: bool | None = None


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
        items = [(event.id, body_hash(body), body) for event, body in zip(reading.events, reading.bodies, strict=True)]
        answer = await self.send(info, game, items, wait_ms if "wait" in given else None)
        return Ready(202, JSON + NO_STORE, _encode(answer))

    async def send(
        self, info: GameInfo | None, game: str, items: list[tuple[str, bytes, bytes]], wait_ms: int | None
    ) -> Published:
        """Appends events that were checked (id, body hash, body); `info` is None for a game that these create."""
        appended = await self._append(info, game, items)
        positions = [position for position, _ in appended]
        visible = None if wait_ms is None else await self._applied.wait(max(positions), wait_ms / 1000) is not None
        return Published(
            str(max(positions)), [str(position) for position in positions], sum(d for _, d in appended), visible
        )

    async def _append(self, info: GameInfo | None, game: str, items: list[tuple[str, bytes, bytes]]) -> list[Appended]:
        """Appends to the game's shard. Where that is, is asked again when the log has begun another epoch since."""
        for _ in range(ATTEMPTS):
            # Both as of one moment: an epoch with the shard of another one would get past the append's check.
            epoch, info = self._catalog.epoch, self._catalog.known(game) or info
            shard = info.shard if info is not None else shard_of(game, self._shards if epoch is None else epoch.shards)
            try:
                return await self._appender.append(
                    shard,
                    game,
                    info.game_id if info is not None else None,
                    items,
                    epoch=None if epoch is None else epoch.number,
                )
            except OtherEpoch:
                await self._catalog.refresh()
        raise Unavailable("the number of shards is being changed; this takes a few seconds")

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
