"""Connections that ask for too much, or give nothing back: the protocol, without a network."""

from __future__ import annotations

import asyncio
import functools
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from uvicorn import Config
from uvicorn.server import ServerState

from callspool_operators.serving import connections
from callspool_operators.serving.connections import CROWD, BoundedConnection, TlsGreeting

HEAD = b"POST /v1/requests HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(**given: object) -> None:
        asyncio.run(asyncio.wait_for(test(**given), 30))

    return run


class _Transport(asyncio.Transport):
    """Keeps what is written, and whether the connection was closed or aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.aborted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class _Held:
    """A connection to an application that answers once it is let go; counts what it was asked."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.scopes: list[Any] = []
        config = Config(
            self._answer,
            interface="asgi3",
            proxy_headers=False,
            http=BoundedConnection,
            ws="none",
            log_config=None,
        )
        self.transport = _Transport()
        self.connection = BoundedConnection(config, ServerState(), {})
        self.connection.connection_made(self.transport)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await self.let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def end(self) -> None:
        self.connection.connection_lost(None)


@in_a_loop
async def test_trailers_are_not_kept_and_have_a_bound():
    held = _Held()
    held.connection.data_received(HEAD + b"1\r\n[\r\n0\r\n" + b"a: b\r\n" * 1_000)
    await held.settle()
    assert [name for name, _ in held.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]
    assert not held.transport.aborted
    held.connection.data_received(b"a: b\r\n" * 6_000)
    assert held.transport.aborted
    held.end()


@in_a_loop
async def test_a_long_body_in_small_chunks_is_within_the_bound():
    held = _Held()
    held.connection.data_received(HEAD)
    for _ in range(10):
        held.connection.data_received(b"1\r\n[\r\n" * 2_000)
    assert not held.transport.is_closing()
    held.end()


@in_a_loop
async def test_requests_behind_one_that_is_not_answered_yet_are_not_served():
    held = _Held()
    held.connection.data_received(GET * 50)
    held.connection.data_received(GET * 50)
    await held.settle()
    assert not held.transport.is_closing()
    held.let_go.set()
    await held.settle()
    assert len(held.scopes) == 1
    assert held.transport.written.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in held.transport.written
    assert held.transport.closed
    held.end()


@in_a_loop
async def test_a_request_after_an_answer_is_served():
    held = _Held()
    held.let_go.set()
    for _ in range(3):
        held.connection.data_received(GET)
        await held.settle()
    assert held.transport.written.count(b"HTTP/1.1 200") == 3
    held.end()


@pytest.mark.parametrize("is_closed_first", [False, True])
@in_a_loop
async def test_a_caller_that_does_not_read_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, is_closed_first: bool
):
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.01)
    held = _Held()
    if is_closed_first:
        held.connection.data_received(b"what is this\r\n\r\n")
        assert held.transport.closed
    else:
        held.connection.pause_writing()
        held.connection.resume_writing()
        await asyncio.sleep(0.05)
        assert not held.transport.aborted
        held.connection.pause_writing()
    await asyncio.sleep(0.05)
    assert held.transport.aborted
    held.end()


@in_a_loop
async def test_a_connection_whose_refused_body_still_comes_gives_way_again():
    held = _Held()
    held.connection.data_received(HEAD)
    await held.settle()
    assert held.connection not in CROWD.silent
    held.scopes[0]["callspool_give_way"]()
    assert held.connection in CROWD.silent
    held.end()
    assert held.connection not in CROWD.silent


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_connections_that_have_not_begun_tls_count_and_give_way(
    certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, new_loop: Any
):
    monkeypatch.setattr(CROWD, "most", 20)
    monkeypatch.setattr(connections, "HANDSHAKE_SECONDS", 5.0)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        begin = functools.partial(TlsGreeting, _Echo, certificate)
        async with await loop.create_server(begin, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
            half = silent[-1]
            half[1].write(b"\x16\x03\x01\x02\x00\x01")
            for reader, _ in silent[:30]:
                assert await reader.read() == b""
            assert len(CROWD.silent) == 20
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(b"hello")
            assert await reader.read(5) == b"hello"
            monkeypatch.setattr(connections, "HANDSHAKE_SECONDS", 0.05)
            late = await asyncio.open_connection("127.0.0.1", port)
            assert await late[0].read() == b""
            for each in (writer, late[1], *(one for _, one in silent)):
                each.close()
        while CROWD.silent:
            await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(scenario(), 30))
