"""Why a shard's consumer does not fold at present, told through the rankings' Redis: PostgreSQL may be what is away.

What is told is gone soon after the last word, so a consumer that dies leaves nothing behind that is no longer true.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from redis.asyncio import Redis

from projections.names import circuit_key

KEPT_MS = 30_000
State = Literal["closed", "retrying", "parked", "stopped"]
STATES: tuple[State, ...] = ("closed", "retrying", "parked", "stopped")


class Circuit(msgspec.Struct, frozen=True):
    """closed: it folds. retrying: a service is away. parked: it looks, event by event, for one that cannot be folded.
    stopped: it waits for an operator.

    `attempts` counts the failures in a row of the present kind; `since_ms` is when the first one was (epoch milliseconds).
    """

    state: State = "closed"
    attempts: int = 0
    reason: str = ""
    advice: str = ""
    since_ms: int | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Circuit).decode


async def tell(redis: Redis, shard: int, circuit: Circuit) -> None:
    """Says how a shard's consumer is doing."""
    if circuit.state == "closed":
        await redis.delete(circuit_key(shard))
    else:
        await redis.set(circuit_key(shard), _encode(circuit), px=KEPT_MS)


async def told(redis: Redis, shards: Sequence[int]) -> dict[int, Circuit]:
    """How the consumers of these shards are doing; who says nothing is well."""
    replies: list[Any] = await redis.mget([circuit_key(shard) for shard in shards]) if shards else []
    return {shard: Circuit() if raw is None else _decode(raw) for shard, raw in zip(shards, replies, strict=True)}
