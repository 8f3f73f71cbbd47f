"""The benchmark's own publisher, a process: msgspec encodes, redis-py sends pipelines of 1,000 XADD.

`python -m bench.publishing URL EVENTS PLAYERS SEED RUN [RATE]` makes the events, prints {"ready": ...}, waits for a line, then
publishes as fast as it can, or RATE events a second in small pipelines, and prints {"seconds", "last"}.
"""

import gc
import json
import sys
import time

import redis
from msgspec.json import Encoder

from bench.workload import scores
from projections.names import FIELD, stream_key
from schemas.events import Score

PIPELINE_EVENTS = 1_000
TICK_S = 0.002
"""At a fixed rate, what is due is sent so often."""


def publish(client: redis.Redis, events: list[Score]) -> bytes:
    """Publishes everything; returns the last entry's id."""
    encode = Encoder().encode
    key = stream_key(0)
    last = b""
    for start in range(0, len(events), PIPELINE_EVENTS):
        pipeline = client.pipeline(transaction=False)
        for event in events[start : start + PIPELINE_EVENTS]:
            pipeline.xadd(key, {FIELD: encode(event)})
        last = pipeline.execute()[-1]
    return last


def publish_at(client: redis.Redis, events: list[Score], rate: float) -> bytes:
    """Publishes so many events a second, evenly; returns the last entry's id."""
    encode = Encoder().encode
    key = stream_key(0)
    last = b""
    started = time.monotonic()
    sent = 0
    while sent < len(events):
        due = min(len(events), int((time.monotonic() - started) * rate) + 1)
        if due > sent:
            pipeline = client.pipeline(transaction=False)
            for event in events[sent:due]:
                pipeline.xadd(key, {FIELD: encode(event)})
            last = pipeline.execute()[-1]
            sent = due
        time.sleep(TICK_S)
    return last


def main(url: str, events: int, players: int, seed: int, run: str, rate: float = 0.0) -> None:
    """Speaks as the module's docstring says."""
    made = list(scores(events, players, seed, run))
    client: redis.Redis = redis.Redis.from_url(url)
    client.ping()
    # The events are there for good; looking through them again and again is not publishing.
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": len(made)}), flush=True)
    sys.stdin.readline()
    started = time.monotonic()
    last = publish_at(client, made, rate) if rate else publish(client, made)
    print(json.dumps({"seconds": time.monotonic() - started, "last": last.decode()}), flush=True)


if __name__ == "__main__":
    events, players, seed = map(int, sys.argv[2:5])
    main(sys.argv[1], events, players, seed, sys.argv[5], float(sys.argv[6]) if len(sys.argv) > 6 else 0.0)
