"""A sandbox's life: it listens, says so, serves connections, and ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING

import h11

from callspool.errors import SettingsError
from callspool_sandbox.fault_files import Drop, Hang, Mixed
from callspool_sandbox.fault_plan import plan
from callspool_sandbox.log import EventLog
from callspool_sandbox.protocol import Answer, proxy_answer, reason
from callspool_sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_sandbox.exchange import Head, HttpReply
    from callspool_sandbox.sandbox import Options


_CHUNK = 1 << 16
_LINGER = 1.0


class SandboxConnection:
    """Serves requests until either side has enough.

    h11 reads heads and chunked bodies. Bodies of a known length are taken as they are, and answers
    are written by hand, because some of them must not be proper HTTP.
    """

    def __init__(
        self, sandbox: Sandbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._sandbox = sandbox
        self._reader = reader
        self._writer = writer
        self._clock = sandbox.clocks[0]
        self._last = False

    async def serve(self) -> None:
        """Serves the connection to its end; a client that goes away is no error."""
        try:
            while await self._one_request():
                pass
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            return
        except (h11.RemoteProtocolError, asyncio.LimitOverrunError):
            with contextlib.suppress(ConnectionAbortedError):
                self._sandbox.log.write("bad_request", {})
            self._last = True
            self._writer.write(self._whole(proxy_answer(400)))
        finally:
            self._writer.close()

    async def _one_request(self) -> bool:
        http = h11.Connection(h11.SERVER)
        http.receive_data(await self._next_head())
        request = http.next_event()
        if not isinstance(request, h11.Request):
            return False
        head = self._sandbox.note_arrival(
            request.method.decode(), request.target.decode("latin-1"), dict(request.headers)
        )
        self._clock = head.clock
        try:
            self._last = not _may_go_on(request)
            return await self._exchange(head, http) and not self._last
        finally:
            self._sandbox.note_end(head)

    async def _next_head(self) -> bytes:
        idle_limit = self._sandbox.states.now.keep_alive
        if idle_limit is None:
            return await self._reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(idle_limit):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def _exchange(self, head: Head, http: h11.Connection) -> bool:
        if isinstance(head.early, Drop):
            self._sandbox.write_line(head, None)
            return self._drop(head.early)
        if isinstance(head.early, Hang):
            steps = plan(head.early, 0, 0.0)
            await asyncio.sleep(steps.pause_at(self._sandbox.states.running()))
        if isinstance(head.early, Mixed) and self._sandbox.last_answer is not None:
            self._writer.write(self._whole(self._sandbox.last_answer))
            await self._writer.drain()
            if head.early.where == "before":
                self._sandbox.write_line(head, self._sandbox.last_answer.status)
                return await self._read_body(head, http) is not None
        if head.header(b"expect").lower() == "100-continue":
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self._read_body(head, http)
        if body is None:
            return False
        return await self._send(await self._sandbox.reply(head, body))

    async def _read_body(self, head: Head, http: h11.Connection) -> bytes | None:
        """The whole body, or None where the client is gone or was answered."""
        limit = self._sandbox.options.max_body
        try:
            if b"transfer-encoding" in head.headers:
                body = await self._read_chunked(http, limit)
            else:
                length = int(head.headers.get(b"content-length", b"0"))
                body = await self._reader.readexactly(length) if length <= limit else None
        except asyncio.IncompleteReadError as error:
            fields = head.for_log(None) | {"bytes": len(error.partial)}
            self._sandbox.log.write("incomplete_request", fields)
            return None
        if body is None:
            await self._refuse_as_too_large(head)
        return body

    async def _read_chunked(self, http: h11.Connection, limit: int) -> bytes | None:
        body = bytearray()
        while len(body) <= limit:
            event = http.next_event()
            if event is h11.NEED_DATA:
                data = await self._reader.read(_CHUNK)
                if not data:
                    raise asyncio.IncompleteReadError(bytes(body), None)
                http.receive_data(data)
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return bytes(body)
        return None

    async def _refuse_as_too_large(self, head: Head) -> None:
        self._last = True
        answer = proxy_answer(413)
        self._sandbox.write_line(head, answer.status)
        self._writer.write(self._whole(answer))
        await self._writer.drain()
        # Closing with unread bytes would reset the connection, answer and all.
        self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while await self._reader.read(_CHUNK):
                    pass

    async def _send(self, reply: HttpReply) -> bool:
        steps = reply.steps
        answer = reply.answer
        if answer is None:
            return self._drop(steps.drop or Drop())
        data = self._whole(answer)
        if steps.drop is not None:
            body = len(answer.body)
            sent = body // 2 if steps.drop.bytes is None else min(steps.drop.bytes, body)
            self._writer.write(data[: len(data) - body + sent])
            await self._writer.drain()
            return self._drop(steps.drop)
        if steps.drip is not None:
            await self._drip(data, steps.drip.seconds, steps.drip.pieces)
        else:
            self._writer.write(data + (self._whole(reply.behind) if reply.behind else b""))
            await self._writer.drain()
        return True

    def _whole(self, answer: Answer) -> bytes:
        lines = [
            f"HTTP/1.1 {answer.status} {reason(answer.status)}",
            f"Date: {self._clock.date()}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers),
        ]
        if self._last:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + answer.body

    async def _drip(self, data: bytes, seconds: float, pieces: int) -> None:
        size = -(-len(data) // pieces)
        for start in range(0, len(data), size):
            if start:
                await asyncio.sleep(seconds / (pieces - 1))
            self._writer.write(data[start : start + size])
            await self._writer.drain()

    def _drop(self, fault: Drop) -> bool:
        if fault.reset:
            connected = self._writer.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        self._writer.close()
        return False


def _may_go_on(request: h11.Request) -> bool:
    """Whether the connection may carry another request after this one."""
    headers = dict(request.headers)
    return (
        request.http_version == b"1.1"
        and b"close" not in headers.get(b"connection", b"").lower()
        and b"transfer-encoding" not in headers
    )


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
        log.on_failure = ended.set
        ready(_url(options.host, server.sockets[0].getsockname()[1]))
        await ended.wait()
        server.close()
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
        if log.failure:
            raise SettingsError(log.failure)
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
