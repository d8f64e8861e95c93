"""The text of a scrape, in a registry that lives for one scrape: nothing of a number is kept between two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from worker.figures import BUCKETS_S, OPERATIONS, Durations, Figures
from worker.metrics import catalog, samples
from worker.metrics.catalog import ACCOUNT, Metric
from worker.metrics.samples import Sample
from worker.metrics.snapshot import Snapshot


class Scrape(Collector):
    """
    The series of one scrape.

    Args:
        worker: The figures of a worker process, and how many jobs run and may run in it; None in others.
        accounts: Whether accounts are told apart.
    """

    def __init__(
        self, seen: Snapshot, version: str, worker: tuple[Figures, int, int] | None = None, *, accounts: bool = True
    ) -> None:
        self._seen = seen
        self._version = version
        self._worker = worker
        self._accounts = accounts

    def collect(self) -> Iterator[Family]:
        found: dict[str, list[Sample]] = defaultdict(list)
        for sample in self._samples():
            found[sample.metric.name].append(sample)
        shown = catalog.METRICS if self._worker else catalog.SERVICE
        for metric in shown:
            if metric is catalog.DURATION:
                yield _histogram(metric, self._worker[0] if self._worker else Figures())
            else:
                yield self._family(metric, found[metric.name])

    def _samples(self) -> Iterator[Sample]:
        yield from samples.of_service(self._seen, self._version)
        seen = self._seen.accounts if self._accounts else (samples.all_together(self._seen.accounts),)
        for account in seen if self._seen.is_read else ():
            yield from samples.of_account(account)
        if self._worker:
            yield from samples.of_process(*self._worker)

    def _family(self, metric: Metric, of: Iterable[Sample]) -> Family:
        labels = metric.labels_with(accounts=self._accounts)
        kept = [n for n, label in enumerate(metric.labels) if self._accounts or label != ACCOUNT]
        family: CounterMetricFamily | GaugeMetricFamily
        if metric.kind == "counter":
            family = CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=labels)
        else:
            family = GaugeMetricFamily(metric.name, metric.help, labels=labels, unit=metric.unit)
        for sample in of:
            family.add_metric([sample.labels[n] for n in kept], sample.value)
        return family


def _histogram(metric: Metric, figures: Figures) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    for operation in OPERATIONS:
        held = figures.durations.get(operation) or Durations()
        family.add_metric([operation], [*zip(bounds, accumulate(held.counts), strict=True)], held.sum_s)
    return family


def text_of(scrape: Scrape, accept: str = "") -> tuple[bytes, str]:
    """A scrape in the format that was asked for (``Accept``), Prometheus's text otherwise; and its content type."""
    registry = CollectorRegistry()
    registry.register(scrape)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
