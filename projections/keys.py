"""API keys: random tokens of which only a hash is stored, each for one game (or all) and some scopes.

A token is `rfk_ID_SECRET`. The id finds the row; the secret has 256 random bits, so that a plain fast hash is enough.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from projections.database import queries
from schemas.errors import NotFound

Q = queries("keys")
Scope = Literal["read", "publish", "officiate", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "publish", "officiate", "admin")
TOKEN = re.compile(r"rfk_(?P<id>[0-9a-f]{16})_[A-Za-z0-9_-]{43}")


class Key(msgspec.Struct, frozen=True):
    """What is known of a key. `game` is None for all games; `digest` is the hash of the whole token."""

    key_id: str
    digest: bytes
    game: str | None
    scopes: frozenset[Scope]
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def fits(self, token: str) -> bool:
        """Whether this is the token's key; takes the same time whichever byte differs."""
        return hmac.compare_digest(self.digest, digest_of(token))

    def holds(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def may(self, scope: Scope, game: str) -> bool:
        """Whether it grants a scope in a game; `admin` grants all of them."""
        return self.game in (None, game) and (scope in self.scopes or "admin" in self.scopes)


def digest_of(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.blake2b(token.encode(), digest_size=32).digest()


def id_of(token: str) -> str | None:
    """The id in a token, or None when it cannot be one."""
    found = TOKEN.fullmatch(token)
    return None if found is None else found["id"]


async def create(
    pool: asyncpg.Pool, game: str | None, scopes: Collection[Scope], label: str, expires_at: datetime | None
) -> tuple[Key, str]:
    """(the new key, its token, which nobody can tell later)."""
    key_id = secrets.token_hex(8)
    token = f"rfk_{key_id}_{secrets.token_urlsafe(32)}"
    row = await pool.fetchrow(Q["create"], key_id, digest_of(token), game, sorted(scopes), label, expires_at)
    assert row is not None
    return _key(row), token


async def find(pool: asyncpg.Pool, key_id: str) -> Key | None:
    """A key by its id."""
    row = await pool.fetchrow(Q["find"], key_id)
    return None if row is None else _key(row)


async def list_(pool: asyncpg.Pool, game: str | None, *, every: bool) -> list[Key]:
    """The keys that fit a game (None: all), oldest first; `every` also the revoked ones."""
    return [_key(row) for row in await pool.fetch(Q["list"], game, every)]


async def revoke(pool: asyncpg.Pool, key_id: str) -> Key:
    """Revokes a key for good; raises NotFound. Again makes no difference."""
    row = await pool.fetchrow(Q["revoke"], key_id)
    if row is None:
        raise NotFound("key", key_id)
    return _key(row)


def _key(row: asyncpg.Record) -> Key:
    return Key(
        row["key_id"],
        row["digest"],
        row["game"],
        frozenset(row["scopes"]),
        row["label"],
        row["created_at"],
        row["expires_at"],
        row["revoked_at"],
    )
