"""The process of `callspool serve`: it listens within bounds, and ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import resource
import signal
import socket
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import prometheus_client
import uvicorn

from callspool.errors import CallspoolError
from callspool_operators.serving.app import DESCRIBED, make_app
from callspool_operators.serving.connections import (
    CROWD,
    MOST_CONNECTIONS,
    BoundedConnection,
    TlsGreeting,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from litestar import Litestar

    from callspool.settings import Settings


SPARE_FILES: Final = 256
"""Files that a process opens besides its connections from callers."""


def raise_limits() -> int:
    """Lets this process open as many files as it may; returns how many connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        unlimited = hard == resource.RLIM_INFINITY
        soft = wanted if unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed: Any = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - SPARE_FILES
    return max(16, min(MOST_CONNECTIONS, int(allowed)))


DRAIN_SECONDS: Final = 30
"""How long a process that was told to end goes on with what it has begun to answer."""
BACKLOG: Final = 2_048
YOUNG_OBJECTS: Final = 20_000
"""New objects after which the collector of garbage looks: a request makes hundreds."""
DRAINED_BYTES: Final = 32 * 1024 * 1024
DRAINED_SECONDS: Final = 5.0

_ALLOWED: Final = {
    path: b", ".join(
        sorted(
            {
                b"OPTIONS",
                *(m.encode() for r in DESCRIBED if path in r.paths for m in r.http_methods),
            }
        )
    )
    for path in {path for route in DESCRIBED for path in route.paths}
}
"""The methods of each path: of a path with two handlers, Litestar names those of one."""


class _LogLine(msgspec.Struct, omit_defaults=True):
    at: str
    event: str
    level: str
    route: str
    method: str
    status: int
    seconds: float
    key: str | None = None


class CountedApp:
    """An application whose answers are counted, and logged if callers asked for them."""

    def __init__(self, app: Litestar) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, is_read = time.monotonic(), 0, False

        async def receive_on() -> Any:
            nonlocal is_read
            message = await receive()
            is_read = not message.get("more_body", False)
            return message

        async def send_on(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if scope["method"] == "OPTIONS" and scope["path"] in _ALLOWED:
                    message = {**message, "headers": [(b"allow", _ALLOWED[scope["path"]])]}
                if status >= 400 and not is_read and not _waits_for_consent(scope):
                    scope["callspool_give_way"]()
                    await _drain(receive_on)
            await send(message)

        try:
            await self._app(scope, receive_on, send_on)
        finally:
            route = find_route(scope["path"])
            if route is not None:
                seconds = time.monotonic() - began
                self._app.state.service.metrics.count_answer(route, status, seconds)
                _log_answer(scope, route, status, seconds)


async def _drain(receive: Callable[[], Awaitable[Any]]) -> None:
    """Reads on, for a while, what a refused caller still sends: else it never sees the answer."""
    size, more = 0, True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAINED_SECONDS):
            while more and size < DRAINED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)


def _waits_for_consent(scope: Any) -> bool:
    return any(name == b"expect" for name, _ in scope["headers"])


def find_route(path: str) -> str | None:
    """Returns the route of a path, which is what metrics and logs may hold; None for a probe."""
    if path in _ALLOWED:
        return path
    if path.startswith("/v1/documents/"):
        return "/v1/documents/{id}"
    return "other" if path.startswith("/v1/") else None


def _log_answer(scope: Any, route: str, status: int, seconds: float) -> None:
    line = _LogLine(
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        event="http_answered",
        level="error" if status >= 500 else "info",
        route=route,
        method=scope["method"] if scope["method"].isalpha() else "?",
        status=status,
        seconds=round(seconds, 4),
        key=scope.get("callspool_key"),
    )
    sys.stderr.write(msgspec.json.encode(line).decode() + "\n")


def quieten_log(record: logging.LogRecord) -> bool:
    """Whether a line goes into the log: mistakes of callers do not, and no text of an error does.

    Callers are told by their answer; the text of an error may quote a body.
    """
    if record.exc_info and record.exc_info[0] is not None:
        record.msg = f"{record.getMessage().strip()}: {record.exc_info[0].__name__}"
        record.args, record.exc_info, record.exc_text = (), None, None
    return record.name.startswith("callspool") or record.levelno >= logging.ERROR


class _QuietServer(uvicorn.Server):
    """A server that ends with code 0 when it is told to end; ``told`` is called before."""

    def __init__(self, config: uvicorn.Config, told: Callable[[], None]) -> None:
        super().__init__(config)
        self._told = told

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._told()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens; raises `CallspoolError` with the remedy."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
    except OSError as fault:
        reason = fault.strerror or "unknown name"
        raise CallspoolError(
            f"cannot listen on {host} port {port} ({reason}): choose another --port or --host"
        ) from None
    found.setblocking(False)
    return found


def _count_before_tls(loop: asyncio.AbstractEventLoop) -> None:
    """Has servers of this loop count connections from their beginning, not from TLS on."""
    create_server = loop.create_server

    def create(begin: Callable[[], asyncio.Protocol], **given: Any) -> Any:
        context = given.pop("ssl", None)
        if context is None:
            return create_server(begin, **given)
        return create_server(functools.partial(TlsGreeting, begin, context), **given)

    loop.create_server = create  # type: ignore[method-assign,assignment]


def serve(
    settings: Settings,
    listening: socket.socket,
    tell: Callable[[], None],
    *,
    cert: Path | None = None,
    key: Path | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; ``tell`` is called once it answers."""
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    logging.basicConfig(level=logging.WARNING, format="callspool serve: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(quieten_log)
    CROWD.most = raise_limits()
    app = make_app(settings)
    gc.collect()
    gc.freeze()  # what lives as long as the process is not looked through again
    gc.set_threshold(YOUNG_OBJECTS)
    config = uvicorn.Config(
        CountedApp(app),
        http=BoundedConnection,
        ws="none",
        loop="auto",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except OSError as fault:
        raise CallspoolError(
            f"cannot read --cert or --key ({fault.strerror or type(fault).__name__}): they have to"
            " be PEM files"
        ) from None

    def end_waits() -> None:
        if server.started:
            app.state.service.feed.end_waits()

    server = _QuietServer(config, end_waits)

    async def run() -> None:
        _count_before_tls(asyncio.get_running_loop())
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if not serving.done():
            tell()
        await serving

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())
