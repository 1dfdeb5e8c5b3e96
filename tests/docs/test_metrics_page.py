"""docs/metrics.md names every metric that is served, with its type and labels, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from callspool_worker.metrics import definitions, exporter, workers

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(callspool_\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \|", re.MULTILINE)


def test_the_page_has_every_metric_in_the_order_in_which_it_is_served():
    served = [
        *definitions.DEFINITIONS,
        *exporter.OF_ENDPOINTS,
        *exporter.OF_THE_FEED,
        *workers.DEFINITIONS,
    ]
    on_the_page = [
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))
    ]
    assert on_the_page == [(each.name, each.kind, each.labels) for each in served]
