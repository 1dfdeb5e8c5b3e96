from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from grafana.alerting.config import BURNS, duration
from tests.grafana.story import Story, always, counter, deliveries, of, settled

SHARES = {14.4: 0.2, 6.0: 0.1, 3.0: 0.05, 1.0: 0.02}
"""More than each factor allows of a budget of 1 %."""


def dying(all_of_them: float, share: float, account: str) -> dict[str, str]:
    return settled(all_of_them * (1 - share), all_of_them * share, account)


def burns() -> Iterator[Story]:
    for (alert, traffic), burn in product(
        (("CallspoolDeliveryLate", deliveries), ("CallspoolDocumentsDie", dying)), BURNS
    ):
        window = f"{duration(burn.long)}/{duration(burn.short)}"
        for account, fires, per_minute, share in (
            (f"too many for {window}", True, 100, SHARES[burn.factor]),
            (f"few enough for {window}", False, 100, SHARES[burn.factor] / 4),
            (f"too few to tell for {window}", False, 0.02, 0.9),
            (f"none at all for {window}", False, 0, 0),
        ):
            labels = {"severity": burn.severity, "window": window, "account": account}
            series = traffic(per_minute, share, account)
            yield Story(account, alert, fires, series, "40m", labels, stage=alert)


PAGE = {"severity": "page", "window": "1h/5m"}
LATE = deliveries(100, 0.9)
LANES_PAUSED = of("callspool_lanes", "default", state="paused")
OVER = {  # an hour of it, and then none
    of("callspool_delivery_seconds_count", "default"): "0+100x60 6000+100x300",
    of("callspool_delivery_seconds_bucket", "default", le="900.0"): "0+10x60 600+100x300",
}
OTHER_EXPORTER = {
    series.replace("a:9191", "b:9191"): values for series, values in deliveries(1, 0.9).items()
}

LATENESS = [
    Story(
        "documents that waited behind a pause are late on purpose",
        "CallspoolDeliveryLate",
        False,
        LATE | {LANES_PAUSED: "1x40 0x60"},
        "80m",
        PAGE,
    ),
    Story(
        "a pause that ended long ago excuses nothing",
        "CallspoolDeliveryLate",
        True,
        LATE | {LANES_PAUSED: "1x10 0x300"},
        "80m",
        PAGE,
    ),
    Story(
        "a pause of one account does not excuse another",
        "CallspoolDeliveryLate",
        True,
        LATE | {of("callspool_lanes", "other", state="paused"): always(3)},
        "40m",
        PAGE,
    ),
    Story("it is over", "CallspoolDeliveryLate", False, OVER, "70m", PAGE),
    Story(
        "as Prometheus 3 writes bounds that are told as whole numbers",
        "CallspoolDeliveryLate",
        True,
        {series.replace("900.0", "900"): values for series, values in LATE.items()},
        "40m",
        PAGE,
    ),
    Story(
        "two exporters do not make twice as many documents of too few",
        "CallspoolDeliveryLate",
        False,
        deliveries(1, 0.9) | OTHER_EXPORTER,
        "90m",
        PAGE,
    ),
]

READY = of("callspool_oldest_ready_seconds", "default")
SPOOLED, OLDEST = of("callspool_spooled_messages"), of("callspool_oldest_spooled_seconds")
WAITING = of("callspool_documents", "default", state="waiting")
THROTTLED = of("callspool_throttled_seconds", "default")
FULL = "CallspoolQueueNearlyFull"

WAITS = [
    Story("nobody sends", "CallspoolOldestWaiting", True, {READY: "0+60x60"}),
    Story("all goes out soon", "CallspoolOldestWaiting", False, {READY: "30x60"}),
    Story("nothing may be sent", "CallspoolOldestWaiting", False, {READY: "0x60"}),
    Story(
        "nobody accepts",
        "CallspoolSpoolNotAccepted",
        True,
        {SPOOLED: "0+5x60", OLDEST: "0+60x60"},
    ),
    Story(
        "a large spool gets shorter",
        "CallspoolSpoolNotAccepted",
        False,
        {SPOOLED: "9000-50x60", OLDEST: "0+60x60"},
    ),
    Story(
        "many are enqueued, all are accepted soon",
        "CallspoolSpoolNotAccepted",
        False,
        {SPOOLED: "0+5x60", OLDEST: "2x60"},
    ),
    Story(
        "more and more wait",
        FULL,
        True,
        {WAITING: always(9e6), of("callspool_max_waiting_documents"): always(1e7)},
    ),
    Story(
        "half of the room is left",
        FULL,
        False,
        {WAITING: always(5e6), of("callspool_max_waiting_documents"): always(1e7)},
    ),
    Story(
        "all accounts fill it together",
        FULL,
        True,
        {
            WAITING: always(5e6),
            of("callspool_documents", "other", state="waiting"): always(4e6),
            of("callspool_max_waiting_documents"): always(1e7),
        },
    ),
    Story(
        "an account rests most of the time",
        "CallspoolRateLimited",
        True,
        {THROTTLED: "60x60", WAITING: always(10)},
        "50m",
    ),
    Story(
        "an account rests now and then",
        "CallspoolRateLimited",
        False,
        {THROTTLED: "0 0 0 20 0 0 0 0 0 5 0 0 0 0 0 0 0 0 0 0 0 9 0x60", WAITING: always(10)},
        "50m",
    ),
    Story(
        "an account rests, and nothing waits for it",
        "CallspoolRateLimited",
        False,
        {THROTTLED: "60x60", WAITING: always(0)},
        "50m",
    ),
]

DEATHS = [
    Story(
        "dead ones of yesterday do not wake anybody today",
        "CallspoolDocumentsDie",
        False,
        {
            of("callspool_document_events_total", "default", event="dead"): always(500),
            of("callspool_document_events_total", "default", event="created"): counter(100),
        },
        "40m",
        PAGE,
    )
]

STORIES = [*burns(), *LATENESS, *WAITS, *DEATHS]
