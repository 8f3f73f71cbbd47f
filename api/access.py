"""Who may do what: API keys with scopes per game, private boards, and how often.

A handler is wrapped only when keys or limits are on: an open API pays nothing. The wrapper leaves the key's holder in the
request, for handlers whose answers depend on it; where nothing was left, everything is allowed.
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from time import monotonic
from typing import Any, NamedTuple

import asyncpg
from aiohttp import web

from api.freshness import SingleFlight
from api.limits import LEFT, Group, Limiter, Limits, address_of
from api.metrics import Handler
from api.params import name_of, target
from api.problems import FORBIDDEN, UNAUTHORIZED, Item, RefusedError, invalid
from api.response import Ready
from engine.boards import BoardPlan
from projections.catalog import Catalog, GameInfo
from projections.database import AWAY
from projections.keys import Key, Scope, digest_of, find, id_of
from schemas.errors import Unavailable
from schemas.events import SCOPES, Event

CACHED_S = 5.0
"""So long a revoked key may still be let in."""

KEYS_MAX = 10_000
GAME = "/v1/games/{game}"
BOARD = GAME + "/boards/{board}"
_CHALLENGE = b'WWW-Authenticate: Bearer realm="rankfold"\r\n'
_NOBODY = digest_of("")
_NOTHING_KEPT: dict[Any, Any] = {}


class Security(NamedTuple):
    """How an API is guarded. `keys`: what is not public needs one. `proxies`: how many of one's own are in front."""

    keys: bool = False
    limits: Limits | None = None
    proxies: int = 0
    host: str = "127.0.0.1"

    @property
    def access(self) -> str:
        """In a word, for readiness: keys, open, or open to others than this machine."""
        return "keys" if self.keys else "open" if is_loopback(self.host) else "open beyond loopback"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Holder(NamedTuple):
    """Who asks: the holder of a key, or (None) anybody."""

    key: Key | None

    def may(self, scope: Scope, game: str) -> bool:
        """Whether a scope is granted in a game."""
        return self.key is not None and self.key.may(scope, game)

    def require(self, scopes: Sequence[Scope], game: str) -> None:
        """Refuses who has none of the scopes: 401 without a key, else 403."""
        for scope in scopes:
            if self.may(scope, game):
                return
        raise self.refused(f"a key for {game} with the scope {' or '.join(scopes)} is needed")

    def refused(self, rule: str, items: list[Item] | None = None) -> RefusedError:
        """The refusal of what this holder may not do."""
        if self.key is None:
            return RefusedError(UNAUTHORIZED, rule, items, _CHALLENGE)
        return RefusedError(FORBIDDEN, rule, items)


HOLDER = web.RequestKey("holder", Holder)


def shows(request: web.Request, game: str, plan: BoardPlan) -> bool:
    """Whether whoever asks may see a board."""
    if plan.board.access == "public":
        return True
    holder = request.get(HOLDER)
    return holder is None or holder.may("read", game)


def boards_shown(request: web.Request, info: GameInfo) -> list[str]:
    """The names of a game's boards that whoever asks may see."""
    return [name for name, plan in info.game.boards.items() if shows(request, info.name, plan)]


def official(request: web.Request, game: str, view: str | None) -> bool:
    """Whether whoever asks is to see on while a board is frozen: officials, unless they want to see what the public does.

    Where no keys are on, whoever says so is one.
    """
    if view not in (None, "public", "official"):
        raise invalid("view", "public or official")
    holder = request.get(HOLDER)
    if holder is None or view == "public":
        return view == "official"
    may: bool = holder.may("officiate", game)
    if view == "official" and not may:
        holder.require(["officiate"], game)
    return may


def require_board(request: web.Request, game: str, plan: BoardPlan) -> None:
    """Refuses who may not see a board."""
    if not shows(request, game, plan):
        request[HOLDER].require(["read"], game)


def require_official(request: web.Request, game: str) -> None:
    """Refuses who is no official of a game."""
    holder = request.get(HOLDER)
    if holder is not None:
        holder.require(["officiate"], game)


def require_scopes(
    request: web.Request, game: str, events: Iterable[tuple[int, Event]], so: str = "nothing was appended"
) -> None:
    """Refuses a batch with events, given with their indexes, that the key has no scope for; `so` is what follows."""
    holder = request.get(HOLDER)
    if holder is None:
        return
    wrong = [
        Item("type", f"needs the scope {SCOPES[type(event)]}", index)
        for index, event in events
        if not holder.may(SCOPES[type(event)], game)
    ]
    if wrong:
        raise holder.refused(f"the key does not have the scope that these events need; {so}", wrong)


class Keys:
    """Keys by their tokens, remembered for CACHED_S; while PostgreSQL is away what is remembered holds on."""

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], float] = monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._known: dict[str, tuple[Key | None, float]] = {}
        self._flights = SingleFlight()

    def recalled(self, token: str) -> Key | None:
        """The key of a token that is remembered, fits and holds; of any other `key` has to tell."""
        known = self._fresh(id_of(token) or "")
        return None if known is None else _fitting(known[0], token)

    def holds(self, key: Key) -> bool:
        """Whether a key that a token has fitted is what is remembered, and still holds."""
        known = self._fresh(key.key_id)
        return known is not None and known[0] is key and key.holds(datetime.now(UTC))

    async def key(self, token: str) -> Key | None:
        """The key of a token, or None when it is none, or none any more."""
        key_id = id_of(token)
        if key_id is None:
            return None
        known = self._fresh(key_id)
        if known is None:
            known = await self._flights.do(key_id, lambda: self._read(key_id))
        return _fitting(known[0], token)

    def _fresh(self, key_id: str) -> tuple[Key | None, float] | None:
        """What is remembered of a key, unless that is too old."""
        known = self._known.get(key_id)
        return None if known is None or self._clock() - known[1] >= CACHED_S else known

    async def _read(self, key_id: str) -> tuple[Key | None, float]:
        began = self._clock()
        try:
            key = await find(self._pool, key_id)
        except AWAY as error:
            known = self._known.get(key_id)
            if known is None:
                raise Unavailable("the database does not answer") from error
            return known
        if len(self._known) >= KEYS_MAX:
            self._known.clear()
        self._known[key_id] = key, began
        return key, began


def _fitting(key: Key | None, token: str) -> Key | None:
    """The key that has a token's id, if it is this token's and holds."""
    if key is None:
        # As long as it takes with one.
        hmac.compare_digest(_NOBODY, digest_of(token))
        return None
    return key if key.fits(token) and key.holds(datetime.now(UTC)) else None


class Access:
    """Wraps handlers with what an API's security demands."""

    def __init__(self, security: Security, catalog: Catalog, keys: Keys, limiter: Limiter | None) -> None:
        self._security = security
        self._catalog = catalog
        self._keys = keys if security.keys else None
        self._limiter = limiter

    def guard(self, method: str, template: str, handler: Handler) -> Handler:
        """The handler, and in front of it whatever is on."""
        if not template.startswith("/v1/") or (self._keys is None and self._limiter is None):
            return handler
        group, scopes = group_of(method, template), scopes_of(method, template)
        of_board = template.startswith(BOARD)

        async def guarded(request: web.Request) -> Ready:
            # Most are known: what need not be waited for is not made to.
            holder, headers = self._known(request), b""
            if holder is None:
                holder, headers = await self._admit(request, group)
            if headers:
                request[LEFT] = headers
            if self._keys is not None:
                request[HOLDER] = holder
                if of_board:
                    name = name_of(target(request).parts[3], "game")
                    self._require_board(request, self._catalog.known(name) or await self._catalog.game(name))
                elif scopes:
                    holder.require(scopes, name_of(target(request).parts[3], "game"))
            response = await handler(request)
            if headers:
                response.add(headers)
            return response

        return guarded

    def _known(self, request: web.Request) -> Holder | None:
        """Who asks, where nobody has to be asked for that and nothing is counted."""
        if self._limiter is not None:
            return None
        if self._keys is None:
            return Holder(None)
        # The same header fields as before, on the same connection, carry the same token.
        kept: dict[Any, Any] = getattr(request, "kept", _NOTHING_KEPT)
        holder: Holder | None = kept.get(HOLDER)
        if holder is not None and holder.key is not None and self._keys.holds(holder.key):
            return holder
        token = _token(request)
        if token is None:
            return Holder(None)
        key = self._keys.recalled(token)
        if key is None:
            return None
        holder = Holder(key)
        if kept is not _NOTHING_KEPT:
            kept[HOLDER] = holder
        return holder

    async def _admit(self, request: web.Request, group: Group) -> tuple[Holder, bytes]:
        """(who asks, the header lines that tell what is left of his limit)."""
        limiter = self._limiter
        token = _token(request) if self._keys is not None else None
        address = f"address:{address_of(request, self._security.proxies)}" if limiter is not None else ""
        key = None
        if token is not None and self._keys is not None:
            if limiter is not None:
                limiter.refuse_blocked("failures", address)
            key = await self._keys.key(token)
            if key is None:
                if limiter is not None:
                    await limiter.count("failures", address)
                challenge = _CHALLENGE.replace(b"\r\n", b', error="invalid_token"\r\n')
                raise RefusedError(UNAUTHORIZED, "the key is unknown, expired or revoked", None, challenge)
        if limiter is None:
            return Holder(key), b""
        return Holder(key), await limiter.count(group, address if key is None else f"key:{key.key_id}")

    def _require_board(self, request: web.Request, info: GameInfo) -> None:
        plan = info.game.boards.get(name_of(target(request).parts[5], "board"))
        if plan is not None:
            require_board(request, info.name, plan)


def _token(request: web.Request) -> str | None:
    """The token that a request carries; any other way to authenticate is refused."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise RefusedError(UNAUTHORIZED, "send the key as Authorization: Bearer KEY", None, _CHALLENGE)
    return token.strip()


def group_of(method: str, template: str) -> Group:
    """What a route is counted as."""
    if template.startswith(GAME) and (
        method == "PUT"
        or template.endswith(("/events", "/retry"))
        or (method, template) == ("POST", GAME + "/generations")
    ):
        return "submissions"
    return "ranks" if "{player}" in template or template.endswith("/ranks") else "boards"


def scopes_of(method: str, template: str) -> tuple[Scope, ...]:
    """The scopes of which a route needs one; none for what anybody may ask. Routes that nobody thought of need `officiate`."""
    open_to_all = (GAME, GAME + "/players/{player}", GAME + "/players/{player}/stats")
    if not template.startswith(GAME) or template.startswith(BOARD) or template in open_to_all:
        return ()
    if template == GAME + "/events":
        return ("publish", "officiate", "admin")
    if template == GAME + "/generations":
        return ("admin",) if method == "POST" else ("officiate",)
    if template.startswith(GAME + "/ruleset"):
        return ("admin",) if method == "PUT" else ("read", "officiate")
    return ("read", "officiate") if template == GAME + "/rejections" else ("officiate",)
