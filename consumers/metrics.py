"""What a consumer process tells Prometheus about each shard that it holds."""

from collections.abc import Iterator

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.publisher import Publisher
from consumers.shard import ShardConsumer


class ShardMetrics(Collector):
    """Read when Prometheus asks; nothing is counted twice."""

    def __init__(self, shard: int, consumer: ShardConsumer, publisher: Publisher) -> None:
        self._labels = [str(shard)]
        self._consumer = consumer
        self._publisher = publisher
        REGISTRY.register(self)

    def remove(self) -> None:
        """Ends the reporting."""
        REGISTRY.unregister(self)

    def collect(self) -> Iterator[Metric]:
        consumer, publisher = self._consumer, self._publisher
        yield self._counter("rankfold_events_archived", "Entries archived with a verdict", consumer.folded_events)
        yield self._counter("rankfold_places_published", "Places sent to the rankings", publisher.published_members)
        yield self._gauge("rankfold_lag_ms", "Age of the newest entry when it was read, ms", consumer.lag_ms)
        yield self._gauge("rankfold_version", "Publications committed", consumer.state.version)
        yield self._gauge("rankfold_version_shown", "The publication that the rankings show", publisher.applied_version)
        stopped = consumer.stopped_by is not None
        yield self._gauge("rankfold_stopped", "1 while the shard waits for an operator", int(stopped))

    def _counter(self, name: str, text: str, value: float) -> Metric:
        family = CounterMetricFamily(name, text, labels=["shard"])
        family.add_metric(self._labels, value)
        return family

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, text, labels=["shard"])
        family.add_metric(self._labels, value)
        return family
