"""The hashes by which events are known: of an id, unique within a game for ever, and of what was said under it."""

from hashlib import blake2b


def id_hash(event_id: str) -> bytes:
    """16 bytes that stand for an event id. At a billion ids a game, a collision has a chance of about 1 in 10**21."""
    return blake2b(event_id.encode(), digest_size=16).digest()


def body_hash(body: bytes) -> bytes:
    """8 bytes that stand for the canonical body (`schemas.codec.encode`) of one event id."""
    return blake2b(body, digest_size=8).digest()
