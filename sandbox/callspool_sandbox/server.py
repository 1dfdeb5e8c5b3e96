"""A sandbox's life: listen, say so, serve, and end when told or when nobody needs it any more."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from typing import TYPE_CHECKING

from callspool.errors import SettingsError
from callspool_sandbox.connection import SandboxConnection
from callspool_sandbox.log import EventLog
from callspool_sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_sandbox.options import Options

_BACKLOG = 1024
_BUFFER = 1 << 18


def run_sandbox(options: Options, ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT (or until stdin closes, if so told).

    ``ready`` is called with the base URL once requests are answered. Raises SettingsError where the
    address is taken or the log cannot be written.
    """
    try:
        log = EventLog(options.log)
    except OSError as error:
        raise SettingsError(f"log {options.log}: cannot be opened: {error.strerror}") from error
    try:
        asyncio.run(_serve(options, log, ready))
    finally:
        log.close()


async def _serve(options: Options, log: EventLog, ready: Callable[[str], None]) -> None:
    sandbox = Sandbox(options, log)
    open_connections: set[asyncio.Task[None]] = set()

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(
            SandboxConnection(sandbox, reader, writer).serve()
        )
        open_connections.add(task)
        task.add_done_callback(open_connections.discard)

    try:
        server = await _listen(options, on_connection)
        ended = _end_signals(options)
        ready(_url(options.host, server.sockets[0].getsockname()[1]))
        await ended.wait()
        server.close()
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
    finally:
        sandbox.close()


async def _listen(
    options: Options,
    on_connection: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None],
) -> asyncio.Server:
    try:
        return await asyncio.start_server(
            on_connection, options.host, options.port, backlog=_BACKLOG, limit=_BUFFER
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {options.port} of {options.host} is in use; "
                "end what listens there, or choose another with --port (0 takes a free one)"
            ) from error
        raise SettingsError(
            f"cannot listen on {options.host}: {error.strerror or error}"
        ) from error


def _end_signals(options: Options) -> asyncio.Event:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if options.until_stdin_closes:
        # A thread's blocking read would outlive the loop; the loop watches the pipe itself.
        descriptor = sys.stdin.fileno()

        def readable() -> None:
            if not os.read(descriptor, 1024):
                loop.remove_reader(descriptor)
                ended.set()

        loop.add_reader(descriptor, readable)
    return ended


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
