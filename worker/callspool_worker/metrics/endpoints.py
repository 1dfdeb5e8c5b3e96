"""The metrics of the feed's readers and of its delivery, read from the ledger at each scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_worker.metrics.definitions import Definition, family_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.core import Metric

    from callspool_ledger.reads.feed import FeedLag
    from callspool_ledger.webhooks import EndpointRecord
    from callspool_worker.metrics.definitions import Values

_BOTH = ("endpoint", "outcome")
DEFINITIONS = (
    Definition(
        "callspool_webhook_deliveries_total",
        "counter",
        _BOTH,
        "POSTs to endpoints: delivered, failed, refused (400, 413, 422), gone (410).",
    ),
    Definition(
        "callspool_webhook_events_total",
        "counter",
        _BOTH,
        "Events: delivered, set_aside; missed: how often the feed had dropped some before.",
    ),
    Definition(
        "callspool_webhook_resting_seconds",
        "gauge",
        ("endpoint",),
        "Since when the endpoint rests or is switched off, 0 while it takes events.",
    ),
)
OF_THE_FEED = (
    Definition(
        "callspool_events_lag",
        "gauge",
        ("reader",),
        "Seconds: age of the oldest event that the reader has not read, 0 if it read all.",
    ),
    Definition(
        "callspool_events_kept_seconds",
        "gauge",
        (),
        "Seconds that the feed keeps an event now; less than the setting where it is too large.",
    ),
)
_POSTS = ("delivered", "failed", "refused", "gone")
_EVENTS = ("delivered", "set_aside", "missed")


def feed_families(lag: FeedLag, keep: float) -> Iterator[Metric]:
    """Yields the families of the feed; ``keep``: the setting, in seconds."""
    behind: Values = {(reader,): seconds for reader, seconds in lag.behind.items()}
    # What is dropped before its time is dropped because the feed is too large.
    kept = keep if lag.dropped is None else min(keep, lag.dropped)
    keeps: Values = {(): kept}
    for definition, values in zip(OF_THE_FEED, (behind, keeps), strict=True):
        yield family_of(definition, values)


def endpoint_families(endpoints: Sequence[EndpointRecord]) -> Iterator[Metric]:
    """Yields the families of the endpoints; none where there are no endpoints."""
    if not endpoints:
        return
    posts: Values = {
        (one.name, outcome): one.counts.get(f"posts:{outcome}", 0)
        for one in endpoints
        for outcome in _POSTS
    }
    events: Values = {
        (one.name, outcome): one.counts.get(f"events:{outcome}", 0)
        for one in endpoints
        for outcome in _EVENTS
    }
    rests: Values = {(one.name,): _seconds_of_rest(one) for one in endpoints}
    for definition, values in zip(DEFINITIONS, (posts, events, rests), strict=True):
        yield family_of(definition, values)


def _seconds_of_rest(endpoint: EndpointRecord) -> float:
    since = endpoint.state.resting_since
    return max(0.0, (endpoint.now_ms - since) / 1000) if since else 0.0
