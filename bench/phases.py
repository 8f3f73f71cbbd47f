"""The phases of the benchmark. Each returns plain numbers; what they mean as a whole is put together in `report`."""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from bench.processes import Child, cpu_seconds
from bench.stack import Stack
from bench.workload import GAME, SEED
from projections.names import stream_key
from schemas.position import parse_entry

LATENCY_POLL_S = 0.001
WARM_UP_MS = 1_000
SPREAD_SHARDS = 2
QUIET_S = 0.3
"""How long a consumer gets to come to rest before it is paused."""

Progress = Callable[[str], None]


def beside_publisher(stack: Stack, events: int, players: int, round_: int, progress: Progress) -> float:
    """Events per second from the start of publishing until all are visible, publisher and consumer side by side."""
    stack.reset()
    progress("making the events")
    with stack.consumer() as consumer, stack.publisher(events, players, SEED + round_, "run") as publisher:
        progress("publishing and consuming")
        started = time.monotonic()
        publisher.say("go")
        seconds = stack.until_visible(publisher.reply()["last"], consumer) - started
        stack.require_folded(events)
    return events / seconds


class Backlog(NamedTuple):
    """Events per second published while nothing consumes, and the same events from the log to visible ranks.

    `cpu_us` is the processor time, microseconds an event, of each process (all consumers together) that the latter took.
    """

    bare_s: float
    backlog_s: float
    cpu_us: dict[str, float]


def bare_and_backlog(
    stack: Stack, consumers: Sequence[Child], events: int, players: int, round_: int, progress: Progress
) -> Backlog:
    """Publishes and then consumes, one after the other; there is one consumer a shard."""
    progress("making the events")
    with stack.publisher(events, players, SEED + round_, "run") as publisher:
        # Paused, not stopped: to start an interpreter and to get a lease is no part of folding a backlog.
        time.sleep(QUIET_S)
        for consumer in consumers:
            consumer.pause()
        progress("publishing, nothing consumes")
        publisher.say("go")
        published = publisher.reply()
    progress("consuming the backlog")
    before = _cpu(stack, consumers)
    started = time.monotonic()
    for consumer in consumers:
        consumer.go_on()
    seconds = stack.until_visible(published["last"], *consumers) - started
    cpu_us = {name: (total - before[name]) * 1e6 / events for name, total in _cpu(stack, consumers).items()}
    stack.require_folded(events)
    return Backlog(events / published["seconds"], events / seconds, cpu_us)


def spread(stack: Stack, events: int, players: int, round_: int, progress: Progress) -> Backlog:
    """The same with the game spread over a shard a core, each with a consumer of its own."""
    stack.reset(SPREAD_SHARDS)
    with ExitStack() as open_:
        consumers = [open_.enter_context(stack.consumer(shard)) for shard in range(SPREAD_SHARDS)]
        return bare_and_backlog(stack, consumers, events, players, round_, progress)


def _cpu(stack: Stack, consumers: Sequence[Child]) -> dict[str, float]:
    services = stack.services
    return {
        "consumer": sum(cpu_seconds(consumer.process.pid) for consumer in consumers),
        "postgres": cpu_seconds(services.postgres_pid),
        "redis_rankings": cpu_seconds(services.rankings_pid),
        "redis_log": cpu_seconds(services.log_pid),
    }


def replay(stack: Stack, option: str) -> float:
    """Events per second of `rankfold replay`, `--verify` or `--swap`; a verification that fails ends the benchmark."""
    started = time.monotonic()
    child = Child(stack.log, "cli.main", "replay", GAME, option, "--json", environment=stack.environment())
    answer = child.rest()
    # The program's own time, without the start of an interpreter.
    seconds: float = answer.get("seconds", time.monotonic() - started)
    events: int = answer["events"]
    return events / seconds


def latency(stack: Stack, consumer: Child, rate: int, seconds: int, players: int) -> dict[str, float]:
    """Milliseconds from an entry's XADD until readers see it, at a fixed rate of publishing, without the first second.

    An entry's time is cut to whole milliseconds and readers' progress is looked at every millisecond, so the figures are
    too high by about one.
    """
    before = stack.last_entry()
    seen: list[tuple[tuple[int, int], float]] = []
    with stack.publisher(rate * seconds, players, SEED - 1, "live", rate) as publisher:
        publisher.say("go")
        last: tuple[int, int] | None = None
        while last is None or not seen or seen[-1][0] < last:
            found, now_ms = stack.applied(), time.time() * 1000
            if found is not None and (not seen or found > seen[-1][0]):
                seen.append((found, now_ms))
            if last is None and publisher.replied():
                last = parse_entry(publisher.reply()["last"][0].encode())
                consumer.require_running()
            time.sleep(LATENCY_POLL_S)
    entries = stack.entries_after(before)
    shown = [position for position, _ in seen]
    counted = [entry for entry in entries if entry[0] >= entries[0][0] + WARM_UP_MS]
    delays = sorted(seen[bisect_left(shown, entry)][1] - entry[0] for entry in counted)
    achieved = len(entries) * 1000 / max(1, entries[-1][0] - entries[0][0])
    percentiles = {f"p{percent}_ms": delays[len(delays) * percent // 100] for percent in (50, 90, 99)}
    return {"rate": achieved, **percentiles, "max_ms": delays[-1]}


def sizes(stack: Stack, players: int, events: int) -> dict[str, Any]:
    """What players and events take up, in bytes."""
    tables = stack.table_bytes()
    return {
        "redis_bytes_per_player": (stack.rankings_bytes() - stack.empty_bytes) / players,
        "postgres_bytes_per_player": sum(tables.values()) / players,
        "standings_bytes_per_player": tables["standings"] / players,
        "history_bytes_per_player": tables["standings_history"] / players,
        "archive_bytes_per_event": (tables["log"] + tables["event_ids"]) / events,
        "log_bytes_per_event": int(stack.redis_log.memory_usage(stream_key(0), samples=0) or 0) / events,
    }


def memory(stack: Stack, players: int, progress: Progress) -> dict[str, Any]:
    """The consumer's peak memory when it has met so many players, one event each, and what they take up."""
    stack.reset()
    progress("making the events")
    with stack.consumer() as consumer, stack.publisher(players, players, SEED, "one") as publisher:
        progress("publishing and consuming")
        idle = consumer.memory_bytes_peak()
        publisher.say("go")
        stack.until_visible(publisher.reply()["last"], consumer)
        stack.require_folded(players)
        peak = consumer.memory_bytes_peak()
    return {"players": players, "idle_bytes": idle, "peak_bytes": peak, **sizes(stack, players, players)}
