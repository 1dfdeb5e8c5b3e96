"""TLS is verified, and whatever fails about it was not sent."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from callspool.errors import SettingsError
from callspool_worker.api import now
from callspool_worker.api.connection import Origin
from callspool_worker.api.network import create_context
from callspool_worker.decisions.answers import Answered, NotSent
from tests.worker.api.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_worker.api import UnpodApi
    from tests.worker.api.peer import Server

CERTIFICATE = Path(__file__).with_name("localhost.pem")
BODY = b'{"pilot":"p","documents":[]}'


@pytest.fixture
def tls() -> ssl.SSLContext:
    """What a server needs to call itself localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.fixture
def trusting() -> ssl.SSLContext:
    """A context that knows the certificate of localhost."""
    return ssl.create_default_context(cafile=str(CERTIFICATE))


def test_certificates_that_are_not_there_are_told_by_the_name_of_their_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    https, http = Origin("https", "api.example", 443), Origin("http", "127.0.0.1", 80)
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    for name, value in (
        ("SSL_CERT_FILE", "/nonexistent/cacert.pem"),
        ("SSL_CERT_FILE", str(junk)),
        ("SSL_CERT_DIR", "/nonexistent"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(SettingsError) as told:
                create_context([http, https])
            create_context([http])
        assert name in str(told.value)
        assert value in str(told.value)
        assert "\n" not in str(told.value)
    assert create_context([https]).verify_mode is ssl.CERT_REQUIRED


def test_a_certificate_that_nobody_vouches_for_is_refused(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi], tls: ssl.SSLContext
) -> None:
    server = serve(tls=tls)
    answer = connect(server).create("default", "8KZ", BODY)
    assert isinstance(answer, NotSent)
    assert answer.kind == "tls"
    assert "self-signed certificate" in answer.reason or "self signed" in answer.reason
    assert server.requests == []


def test_a_certificate_of_another_host_is_refused(
    serve: Callable[..., Server],
    connect: Callable[..., UnpodApi],
    tls: ssl.SSLContext,
    trusting: ssl.SSLContext,
) -> None:
    server = serve(tls=tls)
    other_name = server.url.replace("127.0.0.1", "127.0.0.2")
    answer = connect(other_name, ssl_context=trusting).create("default", "8KZ", BODY)
    assert isinstance(answer, NotSent)
    assert answer.kind in {"tls", "connect"}, "not every system has a 127.0.0.2"
    assert server.requests == []


def test_a_root_that_the_environment_names_is_trusted(
    serve: Callable[..., Server],
    connect: Callable[..., UnpodApi],
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    answer = connect(serve(tls=tls)).create("default", "8KZ", BODY)
    assert isinstance(answer, Answered)


def test_a_secure_connection_is_kept_and_used_again(
    serve: Callable[..., Server],
    connect: Callable[..., UnpodApi],
    tls: ssl.SSLContext,
    trusting: ssl.SSLContext,
) -> None:
    server = serve(tls=tls)
    api = connect(server, ssl_context=trusting)
    bodies = [BODY, b'{"x":"%b"}' % (b"x" * 900_000), BODY]
    for body in bodies:
        answer = api.create("default", "8KZ", body)
        assert isinstance(answer, Answered)
        assert answer.request_complete
    assert len(server.peers) == 1
    assert [request.body for request in server.requests] == bodies


def test_the_last_byte_is_withheld_from_a_secure_connection_too(
    serve: Callable[..., Server],
    connect: Callable[..., UnpodApi],
    tls: ssl.SSLContext,
    trusting: ssl.SSLContext,
) -> None:
    server = serve(tls=tls)
    api = connect(server, ssl_context=trusting)
    answer = api.create("default", "8KZ", BODY, send_before=now())
    assert isinstance(answer, NotSent)
    assert answer.kind == "withheld"
    server.stop()
    assert [request.ended for request in server.requests] in ([], ["broken off"])


def test_a_server_that_does_not_speak_tls_is_not_sent_to(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def shout(peer: Peer) -> None:
        peer.sock.recv(10)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    url = serve(shout).url.replace("http:", "https:")
    answer = connect(url).create("default", "8KZ", BODY)
    assert isinstance(answer, NotSent)
    assert answer.kind == "tls"


def test_a_handshake_without_end_is_bounded(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    url = serve(lambda peer: peer.wait(30)).url.replace("http:", "https:")
    answer = connect(url, request_timeout=0.3).create("default", "8KZ", BODY)
    assert isinstance(answer, NotSent)
    assert answer.kind == "tls"
