"""One row of the table of metrics, from which a metric of Prometheus is made for each process."""

from collections.abc import Callable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

Kind = TypeVar("Kind", bound=MetricWrapperBase)


class MetricRow(Generic[Kind]):
    """A metric by name, meaning and labels; ``options`` are its kind's own, as a histogram's ``buckets``."""

    def __init__(
        self,
        kind: Callable[..., Kind],
        name: str,
        meaning: str,
        labels: tuple[str, ...] = (),
        **options: tuple[float, ...],
    ) -> None:
        self._kind, self._name, self._meaning, self._labels, self._options = kind, name, meaning, labels, options

    def create(self, registry: CollectorRegistry) -> Kind:
        """The metric itself, on this registry."""
        return self._kind(f"prequel_{self._name}", self._meaning, self._labels, registry=registry, **self._options)

    def __get__(self, metrics: object, owner: type) -> Kind:
        """For the type checker. At run time an instance's own attribute, the metric, comes before this one."""
        raise AttributeError(f"{self._name} exists only on a Metrics, not on its class")
