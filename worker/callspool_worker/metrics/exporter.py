"""The exporter reads the ledger at each scrape; a small HTTP server answers scrapes and probes."""

from __future__ import annotations

import errno
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from callspool.errors import QueueUnavailable, SettingsError
from callspool.redis_io.servers import server_of
from callspool_ledger.errors import describe_mismatch
from callspool_ledger.reads.feed import FeedLag, read_lags
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.servers import connect_partitions
from callspool_ledger.reads.summary import read_partitions
from callspool_ledger.webhooks import read_endpoints
from callspool_worker.metrics.definitions import BY_NAME, DEFINITIONS, counter, family_of, gauge
from callspool_worker.metrics.samples import samples_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.core import Metric

    from callspool.settings import Settings
    from callspool_ledger.reads.snapshot import Snapshot
    from callspool_ledger.webhooks import EndpointRecord
    from callspool_worker.metrics.definitions import Values

_BOTH = ("endpoint", "outcome")
OF_ENDPOINTS = (
    counter(
        "callspool_webhook_deliveries_total",
        "POSTs to endpoints: delivered, failed, refused (400, 413, 422), gone (410).",
        _BOTH,
    ),
    counter(
        "callspool_webhook_events_total",
        "Events: delivered, set_aside; missed: how often the feed had dropped some before.",
        _BOTH,
    ),
    gauge(
        "callspool_webhook_resting_seconds",
        "Since when the endpoint rests or is switched off, 0 while it takes events.",
        ("endpoint",),
    ),
)
OF_THE_FEED = (
    gauge(
        "callspool_events_lag",
        "Seconds: age of the oldest event that the reader has not read, 0 if it read all.",
        ("reader",),
    ),
    gauge(
        "callspool_events_kept_seconds",
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
    for definition, values in zip(OF_ENDPOINTS, (posts, events, rests), strict=True):
        yield family_of(definition, values)


def _seconds_of_rest(endpoint: EndpointRecord) -> float:
    since = endpoint.state.resting_since
    return max(0.0, (endpoint.now_ms - since) / 1000) if since else 0.0


PATIENCE = 10.0
"""Seconds for a client to send its request, and to say another one on the same connection."""

_TEXT = "text/plain; charset=utf-8"
_INDEX = "callspool\n/metrics  for Prometheus\n/healthz  is it alive\n/readyz   can it work\n"


class MetricsPage(NamedTuple):
    """An answer: ``is_well`` False is 503."""

    is_well: bool
    text: str


class Pages(NamedTuple):
    """What is served: the metrics, and what a probe is told."""

    metrics: Collector
    healthz: Callable[[], MetricsPage]
    readyz: Callable[[], MetricsPage]


class MetricsServer:
    """Serves pages from threads of its own until it is closed.

    Port 0 takes a free one. Raises `SettingsError` where the address cannot be listened on;
    ``setting`` names what the user may change.
    """

    def __init__(self, host: str, port: int, pages: Pages, *, setting: str) -> None:
        self._server = _listen(host, port, pages, setting)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._server.server_address[1]
        return port

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ends listening; an answer that is being given is given."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def url_of(host: str, port: int) -> str:
    """Returns the URL of a server that listens there, as a person may open it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int, pages: Pages, setting: str) -> ThreadingHTTPServer:
    class Handler(_HttpHandler):
        served = pages

    class Listener(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """Says nothing of a client that went away."""

    try:
        return Listener((host, port), Handler)
    except (OSError, OverflowError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        is_elsewhere = isinstance(fault, socket.gaierror) or (
            isinstance(fault, OSError) and fault.errno == errno.EADDRNOTAVAIL
        )
        remedy = (
            "give an address of this machine, as 127.0.0.1 or 0.0.0.0"
            if is_elsewhere
            else f"end what listens there, or give another with {setting}"
        )
        raise SettingsError(
            f"cannot listen on port {port} of {host} ({reason.lower()}): {remedy}"
        ) from None


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "callspool"
    sys_version = ""
    timeout = PATIENCE
    served: Pages

    def do_GET(self) -> None:
        """Answers one request."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, content_type, encode(self.served.metrics))
        elif path in {"/healthz", "/readyz"}:
            page = self.served.healthz() if path == "/healthz" else self.served.readyz()
            status = HTTPStatus.OK if page.is_well else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(status, _TEXT, f"{page.text}\n".encode())
        elif path == "/":
            self._answer(HTTPStatus.OK, _TEXT, _INDEX.encode())
        else:
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, b"not found: there is /metrics\n")

    do_HEAD = do_GET  # noqa: N815 - its base's name

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
        """Scrapes are no news."""


class LedgerCollector(Collector):
    """Reads the ledger at each scrape. ``read`` raises `QueueUnavailable` while Redis is away.

    ``max_waiting``: the setting, in documents; ``keep`` that of events, in seconds.
    ``read_endpoints`` and ``read_feed`` raise as ``read``.
    """

    def __init__(
        self,
        read: Callable[[], Snapshot],
        max_waiting: int,
        read_endpoints: Callable[[], Sequence[EndpointRecord]] = list,
        read_feed: Callable[[], FeedLag] = lambda: FeedLag({}, None),
        keep: float = 0.0,
    ) -> None:
        self._read = read
        self._max_waiting = max_waiting
        self._read_endpoints = read_endpoints
        self._read_feed = read_feed
        self._keep = keep

    def collect(self) -> Iterator[Metric]:
        """Yields the families; of the ledger's only those that Redis could be asked for."""
        begun = time.perf_counter()
        try:
            snapshot, endpoints = self._read(), self._read_endpoints()
            lag = self._read_feed()
        except QueueUnavailable:
            snapshot = None
        yield _gauge("callspool_up", 1)
        yield _gauge("callspool_redis_up", 0 if snapshot is None else 1)
        yield _gauge("callspool_scrape_seconds", time.perf_counter() - begun)
        if snapshot is None:
            return
        samples = samples_of(snapshot, self._max_waiting)
        for definition in DEFINITIONS:
            if definition.name in samples:
                yield family_of(definition, samples[definition.name])
        yield from endpoint_families(endpoints)
        yield from feed_families(lag, self._keep)

    def describe(self) -> Iterator[Metric]:
        """Yields the families without values: nothing is read when the collector is registered."""
        for definition in DEFINITIONS:
            yield family_of(definition, {})


def _gauge(name: str, value: float) -> Metric:
    return family_of(BY_NAME[name], {(): value})


TIMEOUT = 2.0
"""Seconds for each step of asking Redis: a scrape has ten, as a rule."""


@contextmanager
def exporter(settings: Settings, host: str, port: int) -> Iterator[MetricsServer]:
    """Serves the ledger there while the context lasts; Redis may come and go meanwhile.

    Raises `SettingsError` where the address cannot be listened on.
    """
    with ExitStack() as stack:
        clients = connect_partitions(server_of(settings.redis_url, TIMEOUT), settings.partitions)
        for client in clients:
            stack.callback(client.close)
        reader = LedgerReader(*clients)

        def readyz() -> MetricsPage:
            try:
                _check(reader, len(clients))
                reader.check_writes()
            except QueueUnavailable as reason:
                return MetricsPage(is_well=False, text=str(reason))
            return MetricsPage(is_well=True, text="ok")

        pages = Pages(
            metrics=LedgerCollector(
                partial(_metrics, reader, len(clients)),
                settings.max_waiting * len(clients),
                lambda: reader.ask(read_endpoints()),
                lambda: reader.ask(read_lags()),
                settings.events_keep,
            ),
            healthz=lambda: MetricsPage(is_well=True, text="ok"),
            readyz=readyz,
        )
        server = MetricsServer(host, port, pages, setting="--port")
        server.start()
        try:
            yield server
        finally:
            server.close()


def _metrics(reader: LedgerReader, partitions: int) -> Snapshot:
    _check(reader, partitions)
    return reader.metrics()


def _check(reader: LedgerReader, partitions: int) -> None:
    """Raises `QueueUnavailable` where some partitions would be left out, or nothing answers."""
    known = reader.ask(read_partitions())
    if known not in {0, partitions}:
        raise QueueUnavailable(describe_mismatch(known, partitions))
