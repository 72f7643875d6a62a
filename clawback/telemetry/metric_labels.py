"""Adds a label to every metric of a process, for what is the same in all of them."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector


class LabelledCollector(Collector):
    """Collects what another registry collects, with further labels on every sample."""

    def __init__(self, registry: CollectorRegistry, labels: Mapping[str, str]) -> None:
        self._registry, self._labels = registry, labels

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; a label that a sample has already stays as it is."""
        for metric in self._registry.collect():
            labelled = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            labelled.samples = [
                sample._replace(labels={**self._labels, **sample.labels})
                for sample in metric.samples
            ]
            yield labelled


def label_all(registry: CollectorRegistry, labels: Mapping[str, str]) -> CollectorRegistry:
    """Return a registry of the same metrics with further labels; the same one without any."""
    if not labels:
        return registry

    labelled = CollectorRegistry(auto_describe=False)
    labelled.register(LabelledCollector(registry, labels))
    return labelled
