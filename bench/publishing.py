"""The benchmark's own publisher, a process: msgspec encodes, redis-py sends pipelines of 1,000 XADD.

`python -m bench.publishing URL SHARDS EVENTS PLAYERS SEED RUN [RATE]` makes the events, prints {"ready": ...}, waits for
a line, then publishes as fast as it can, or RATE events a second in small pipelines, and prints
{"seconds", "last"}: the id of each shard's last entry.
"""

import gc
import json
import sys
import time

import redis
from msgspec.json import Encoder

from bench.workload import scores
from engine.spread import part_of
from projections.names import FIELD, stream_key
from schemas.events import Score

PIPELINE_EVENTS = 1_000
encode = Encoder().encode
TICK_S = 0.002
"""At a fixed rate, what is due is sent so often."""


class Publisher:
    """Sends events to the shards that their players belong to."""

    def __init__(self, client: redis.Redis, shards: int) -> None:
        self.client = client
        self.keys = [stream_key(shard) for shard in range(shards)]
        self.last: dict[int, bytes] = {}
        """The id of each shard's last entry."""

    def publish(self, events: list[Score]) -> None:
        """Publishes everything."""
        for start in range(0, len(events), PIPELINE_EVENTS):
            self._send(events[start : start + PIPELINE_EVENTS])

    def publish_at(self, events: list[Score], rate: float) -> None:
        """Publishes so many events a second, evenly."""
        started = time.monotonic()
        sent = 0
        while sent < len(events):
            due = min(len(events), int((time.monotonic() - started) * rate) + 1)
            if due > sent:
                self._send(events[sent:due])
                sent = due
            time.sleep(TICK_S)

    def _send(self, events: list[Score]) -> None:
        keys, shards = self.keys, [0] * len(events)
        if len(keys) > 1:
            shards = [part_of(event.player, len(keys)) for event in events]
        pipeline = self.client.pipeline(transaction=False)
        for shard, event in zip(shards, events, strict=True):
            pipeline.xadd(keys[shard], {FIELD: encode(event)})
        self.last.update(zip(shards, pipeline.execute(), strict=True))


def main(url: str, shards: int, events: int, players: int, seed: int, run: str, rate: float = 0.0) -> None:
    """Speaks as the module's docstring says."""
    made = list(scores(events, players, seed, run))
    client: redis.Redis = redis.Redis.from_url(url)
    client.ping()
    # The events are there for good; looking through them again and again is not publishing.
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": len(made)}), flush=True)
    sys.stdin.readline()
    publisher = Publisher(client, shards)
    started = time.monotonic()
    if rate:
        publisher.publish_at(made, rate)
    else:
        publisher.publish(made)
    seconds = time.monotonic() - started
    last = [publisher.last[shard].decode() for shard in range(shards)]
    print(json.dumps({"seconds": seconds, "last": last}), flush=True)


if __name__ == "__main__":
    shards, events, players, seed = map(int, sys.argv[2:6])
    main(sys.argv[1], shards, events, players, seed, sys.argv[6], float(sys.argv[7]) if len(sys.argv) > 7 else 0.0)
