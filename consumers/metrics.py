"""What a consumer process tells Prometheus about each shard that it holds."""

from collections.abc import Iterator

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.publisher import Publisher
from consumers.shard import ShardConsumer
from projections.circuits import STATES

LINES: dict[str, tuple[type[CounterMetricFamily] | type[GaugeMetricFamily], str]] = {
    "rankfold_events_archived": (CounterMetricFamily, "Entries archived with a verdict"),
    "rankfold_places_published": (CounterMetricFamily, "Places sent to the rankings"),
    "rankfold_lag_ms": (GaugeMetricFamily, "Age of the newest entry when it was read, ms"),
    "rankfold_version": (GaugeMetricFamily, "Publications committed"),
    "rankfold_version_shown": (GaugeMetricFamily, "The publication that the rankings show"),
    "rankfold_stopped": (GaugeMetricFamily, "1 while the shard waits for an operator"),
    "rankfold_circuit": (GaugeMetricFamily, "0 closed, 1 retrying, 2 parked, 3 stopped"),
    "rankfold_retries": (CounterMetricFamily, "Failures after which the shard tried again"),
    "rankfold_parked": (CounterMetricFamily, "Entries that could not be folded and became dead letters"),
}


class ShardMetrics(Collector):
    """One a process, with the shards that it holds at the time. Read when Prometheus asks; nothing is counted twice."""

    def __init__(self) -> None:
        self._shards: dict[int, tuple[ShardConsumer, Publisher]] = {}
        REGISTRY.register(self)

    def add(self, consumer: ShardConsumer, publisher: Publisher) -> None:
        """Reports a shard from now on."""
        self._shards[consumer.shard] = (consumer, publisher)

    def remove(self, shard: int) -> None:
        """Ends the reporting of a shard."""
        self._shards.pop(shard, None)

    def close(self) -> None:
        """Ends the reporting."""
        REGISTRY.unregister(self)

    def collect(self) -> Iterator[Metric]:
        values = {shard: _values(*parts) for shard, parts in sorted(self._shards.items())}
        for at, (name, (kind, text)) in enumerate(LINES.items()):
            family = kind(name, text, labels=["shard"])
            for shard, measured in values.items():
                family.add_metric([str(shard)], measured[at])
            yield family


def _values(consumer: ShardConsumer, publisher: Publisher) -> tuple[float, ...]:
    """In the order of LINES."""
    return (
        consumer.folded_events,
        publisher.published_members,
        consumer.lag_ms,
        consumer.state.version,
        publisher.applied_version,
        int(consumer.stopped_by is not None),
        STATES.index(consumer.circuit.state),
        consumer.retries,
        consumer.parked,
    )
