"""A family of metrics: what is said of it once, and its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


class Definition(NamedTuple):
    """One family; a counter's name ends in ``_total``, as it is scraped."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


class Bars(NamedTuple):
    """A histogram as Prometheus has it: cumulated, the last bound is +Inf."""

    buckets: list[tuple[str, float]]
    sum: float


Values: TypeAlias = dict[tuple[str, ...], float | Bars]
"""Samples by the values of their labels, in the definition's order."""


def family_of(definition: Definition, samples: Values) -> Metric:
    """The family as prometheus_client writes it."""
    name, kind, labels, text = definition
    if kind == "histogram":
        family = HistogramMetricFamily(name, text, labels=labels)
        for values, bars in samples.items():
            assert isinstance(bars, Bars)
            family.add_metric(values, bars.buckets, bars.sum)
        return family
    simple = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(
        name, text, labels=labels
    )
    for values, number in samples.items():
        assert not isinstance(number, Bars)
        simple.add_metric(values, number)
    return simple
