"""What the process counts, for Prometheus.

Counting must cost next to nothing: plain integers, made into metric families only when somebody scrapes.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter

import asyncpg
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from api.health import pool_state
from api.identity import POSITION, identify
from api.limits import LEFT
from api.live import Hub
from api.problems import respond
from api.response import NO_STORE, NOSNIFF, Ready
from projections.circuits import STATES, Circuit
from projections.rankings import RedisRankings

BOUNDS_S = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CIRCUIT_WORDS = "By shard: " + ", ".join(f"{number} {state}" for number, state in enumerate(STATES))
Handler = Callable[[web.Request], Awaitable[Ready]]


class RouteStats:
    """Requests of one route: for each status, how many took how long."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts: dict[int, list[int]] = {}
        self.seconds: dict[int, float] = {}

    def observe(self, status: int, seconds: float) -> None:
        """Counts one request."""
        counts = self.counts.get(status)
        if counts is None:
            counts = self.counts[status] = [0] * (len(BOUNDS_S) + 1)
            self.seconds[status] = 0.0
        counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.seconds[status] += seconds


class Stats:
    """All routes of the process, and the collector that shows them."""

    def __init__(
        self,
        rankings: RedisRankings,
        pool: asyncpg.Pool,
        hub: Hub,
        positions: Callable[[], str],
        circuits: Callable[[], Awaitable[dict[int, Circuit]]],
    ) -> None:
        self._routes: dict[tuple[str, str], RouteStats] = {}
        self._rankings = rankings
        self._pool = pool
        self._positions = positions
        self._tell_circuits = circuits
        self._circuits: dict[int, Circuit] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._registry.register(hub)

    def guard(self, method: str, template: str, handler: Handler) -> Handler:
        """The handler with its errors made into problems, counted under its route."""
        stats = self._routes.setdefault((method, template), RouteStats())

        async def guarded(request: web.Request) -> Ready:
            began = perf_counter()
            identity = identify(request)
            try:
                response = await handler(request)
            except Exception as error:
                POSITION.set(self._positions())
                response = respond(error)
                response.add(request.get(LEFT, b""))
            response.add(identity)
            stats.observe(response.status, perf_counter() - began)
            return response

        return guarded

    async def metrics(self, request: web.Request) -> Ready:
        """GET /metrics in the Prometheus text format."""
        self._circuits = await self._tell_circuits()
        return Ready(
            200, b"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n" + NOSNIFF + NO_STORE, self.text()
        )

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """The metric families; called by prometheus-client at each scrape."""
        yield self._requests()
        yield CounterMetricFamily("rankfold_lookups", "Look-ups in rankings", value=self._rankings.lookups)
        yield CounterMetricFamily("rankfold_lookup_calls", "Script calls that carried them", value=self._rankings.calls)
        state = pool_state(self._pool)
        gauge = GaugeMetricFamily("rankfold_pool_connections", "PostgreSQL connections", labels=["state"])
        for name in ("active", "idle", "waiting", "total"):
            gauge.add_metric([name], getattr(state, name))
        yield gauge
        states = GaugeMetricFamily("rankfold_shard_circuit", CIRCUIT_WORDS, labels=["shard"])
        for shard, circuit in self._circuits.items():
            states.add_metric([str(shard)], STATES.index(circuit.state))
        yield states

    def _requests(self) -> Metric:
        family = HistogramMetricFamily(
            "rankfold_http_request_seconds", "Time to answer requests", labels=["method", "route", "status"]
        )
        for (method, template), stats in self._routes.items():
            for status, counts in stats.counts.items():
                buckets, total = [], 0
                for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), counts, strict=True):
                    total += count
                    buckets.append((bound, total))
                family.add_metric([method, template, str(status)], buckets, stats.seconds[status])
        return family
