"""
The text of a scrape, in Prometheus's format or as OpenMetrics: written here, line by line.

The library of Prometheus writes the same to the byte (a test compares), in many times the time. What is kept between
two scrapes is how a name with its labels is written, and how a large number is: the same text for the same thing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from worker.figures import BUCKETS_S, OPERATIONS, Durations, Figures
from worker.metrics import catalog, samples
from worker.metrics.catalog import ACCOUNT, Metric
from worker.metrics.samples import Sample
from worker.metrics.snapshot import Snapshot

_LABELS: Final = {metric.name: metric.labels for metric in catalog.METRICS}

_MOST_SERIES: Final = 16_384
"""For so many it is kept how they are written: those of a thousand accounts. The numbers are those of each scrape."""


class Scrape:
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
        self.tells_accounts_apart = accounts

    @property
    def figures(self) -> Figures:
        """Of this process; none where it is no worker."""
        return self._worker[0] if self._worker else Figures()

    def metrics(self) -> Iterator[tuple[Metric, list[Sample]]]:
        """Every metric with its samples; a histogram has none, its figures stand beside (:attr:`figures`)."""
        found: dict[str, list[Sample]] = defaultdict(list)
        for sample in self._samples():
            found[sample.metric.name].append(sample)
        for metric in catalog.METRICS if self._worker else catalog.SERVICE:
            yield metric, found[metric.name]

    def _samples(self) -> Iterator[Sample]:
        yield from samples.of_service(self._seen, self._version)
        seen = self._seen.accounts if self.tells_accounts_apart else (samples.all_together(self._seen.accounts),)
        for account in seen if self._seen.is_read else ():
            yield from samples.of_account(account)
        if self._worker:
            yield from samples.of_process(*self._worker)


def text_of(scrape: Scrape, accept: str = "") -> tuple[bytes, str]:
    """A scrape in the format that was asked for (``Accept``), Prometheus's text otherwise; and its content type."""
    content_type = choose_encoder(accept)[1]
    is_open = content_type.startswith("application/openmetrics-text")
    lines: list[str] = []
    for metric, found in scrape.metrics():
        lines += _head(metric, is_open=is_open)
        if metric is catalog.DURATION:
            lines += _histogram(metric, scrape.figures)
        else:
            lines += _lines(metric, found, accounts=scrape.tells_accounts_apart)
    if is_open:
        lines.append("# EOF\n")
    return "".join(lines).encode(), content_type


def _head(metric: Metric, *, is_open: bool) -> Iterator[str]:
    name = metric.name.removesuffix("_total") if is_open and metric.kind == "counter" else metric.name
    yield f"# HELP {name} {_escaped(metric.help) if is_open else metric.help}\n"
    yield f"# TYPE {name} {metric.kind}\n"
    if is_open and metric.unit and metric.kind != "counter":
        yield f"# UNIT {name} {metric.unit}\n"


def _lines(metric: Metric, found: Iterable[Sample], *, accounts: bool) -> list[str]:
    return [f"{_series(metric.name, one.labels, accounts)} {_figure(one.value)}\n" for one in found]


@lru_cache(maxsize=_MOST_SERIES)
def _series(name: str, values: tuple[str, ...], accounts: bool) -> str:
    """How a series is written, its labels in the order of their names."""
    shown = sorted((label, n) for n, label in enumerate(_LABELS[name]) if accounts or label != ACCOUNT)
    if not shown:
        return name
    told = ",".join([f'{label}="{_escaped(values[n])}"' for label, n in shown])
    return f"{name}{{{told}}}"


def _histogram(metric: Metric, figures: Figures) -> Iterator[str]:
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    for operation in OPERATIONS:
        held = figures.durations.get(operation) or Durations()
        counts = [*accumulate(held.counts)]
        for bound, n in zip(bounds, counts, strict=True):
            yield f'{metric.name}_bucket{{le="{bound}",operation="{operation}"}} {_figure(n)}\n'
        yield f'{metric.name}_count{{operation="{operation}"}} {_figure(counts[-1])}\n'
        yield f'{metric.name}_sum{{operation="{operation}"}} {_figure(held.sum_s)}\n'


def _figure(value: float) -> str:
    # Most are small whole numbers, and instants that stand for many scrapes: the library's way through exponents is
    # long.
    if type(value) is int and 0 <= value < 1_000_000:
        return f"{value}.0"
    return _large(value) if value > 1_000_000 else _spelt(value)


def _spelt(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # the library leaves this one untyped


_large: Final = lru_cache(maxsize=_MOST_SERIES)(_spelt)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
