"""A small HTTP server for scrapes and probes: /metrics, /healthz and /readyz."""

from __future__ import annotations

import errno
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.exposition import choose_encoder

from callspool.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client.registry import Collector

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
    """The URL of a server that listens there, as a person may open it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int, pages: Pages, setting: str) -> ThreadingHTTPServer:
    class Handler(_HttpHandler):
        served = pages

    class Listener(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """A client that went away is no news."""

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
