"""The metrics of one `callspool serve`: documents by key and verdict, and how long answers took."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class IntakeMetrics:
    """Counts what this process takes in; a key's name is a label, and there are few keys."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._documents = Counter(
            "callspool_intake_documents",
            "Documents that came over HTTP, by the key's name and the verdict.",
            ["key", "verdict"],
            registry=registry,
        )
        self._seconds = Histogram(
            "callspool_intake_request_seconds",
            "How long answers over HTTP took, by route and status.",
            ["route", "status"],
            buckets=_SECONDS,
            registry=registry,
        )

    def count_documents(self, key: str, verdict: str, documents: int) -> None:
        """Counts documents with a verdict."""
        if documents:
            self._documents.labels(key, verdict).inc(documents)

    def count_answer(self, route: str, status: int, seconds: float) -> None:
        """Counts an answer."""
        self._seconds.labels(route, str(status)).observe(seconds)

    def page(self) -> bytes:
        """Returns the metrics as Prometheus reads them."""
        return generate_latest(self._registry)
