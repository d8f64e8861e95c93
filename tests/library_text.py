"""The text of a scrape as Prometheus's own library writes it: what ours is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from worker.figures import BUCKETS_S, OPERATIONS, Durations, Figures
from worker.metrics import catalog
from worker.metrics.catalog import ACCOUNT, Metric
from worker.metrics.exposition import Scrape
from worker.metrics.samples import Sample


class _Collected(Collector):
    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def collect(self) -> Iterator[Family]:
        for metric, found in self._scrape.metrics():
            if metric is catalog.DURATION:
                yield _histogram(metric, self._scrape.figures)
            else:
                yield _family(metric, found, accounts=self._scrape.tells_accounts_apart)


def _family(metric: Metric, found: list[Sample], *, accounts: bool) -> Family:
    labels = metric.labels_with(accounts=accounts)
    kept = [n for n, label in enumerate(metric.labels) if accounts or label != ACCOUNT]
    family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind == "counter":
        family = CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=labels)
    else:
        family = GaugeMetricFamily(metric.name, metric.help, labels=labels, unit=metric.unit)
    for sample in found:
        family.add_metric([sample.labels[n] for n in kept], sample.value)
    return family


def _histogram(metric: Metric, figures: Figures) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    for operation in OPERATIONS:
        held = figures.durations.get(operation) or Durations()
        family.add_metric([operation], [*zip(bounds, accumulate(held.counts), strict=True)], held.sum_s)
    return family


def library_text_of(scrape: Scrape, accept: str = "") -> tuple[bytes, str]:
    """As ``text_of``."""
    registry = CollectorRegistry()
    registry.register(_Collected(scrape))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
