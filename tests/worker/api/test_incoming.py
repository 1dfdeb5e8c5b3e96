"""The parser of answers by itself: however the bytes are cut, the same answer comes out."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool_worker.api.connection import MOST_OF_A_HEAD, Incoming

WHOLE = b'HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 7\r\n\r\n{"a":1}'
CHUNKED = (
    b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'3;why=not\r\n{"a\r\n4\r\n":1}\r\n0\r\nTrailer: t\r\n\r\n'
)
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
CLOSING = WHOLE.replace(b"Date: x", b"Connection: close")


def read(pieces: list[bytes]) -> tuple[Incoming, bytes]:
    incoming = Incoming()
    for piece in pieces:
        if piece:
            incoming.feed(piece)
    return incoming, b"".join(incoming.take())


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % len(raw) for place in places), len(raw)]
    return [raw[start:end] for start, end in pairwise(marks)]


@given(
    raw=st.sampled_from([WHOLE, CHUNKED, INTERIM + WHOLE, INTERIM + CHUNKED]),
    places=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_an_answer_is_the_same_however_it_is_cut(raw: bytes, places: list[int]):
    incoming, body = read(cut(raw, places))
    assert incoming.is_complete
    assert incoming.leaves_connection_usable
    assert (incoming.status, body) == (500 if b"chunked" in raw else 200, b'{"a":1}')
    assert [name for name, _ in incoming.headers] in (
        [b"Date", b"Content-Length"],
        [b"Transfer-Encoding"],
    )


@pytest.mark.parametrize(
    "raw", [CLOSING, WHOLE + b"x", WHOLE + WHOLE, WHOLE.replace(b"1.1", b"1.0"), CHUNKED + b"\0"]
)
def test_a_connection_with_anything_behind_the_answer_is_not_used_again(raw: bytes):
    incoming, body = read([raw])
    assert incoming.is_complete
    assert not incoming.leaves_connection_usable
    assert body == b'{"a":1}'


def test_what_comes_behind_an_answer_does_not_change_it():
    incoming, body = read([WHOLE, b"HTTP/1.1 404 No\r\nX: y\r\nContent-Length: 1\r\n\r\n?"])
    assert (incoming.status, len(incoming.headers), body) == (200, 2, b'{"a":1}')
    assert not incoming.leaves_connection_usable


def test_an_answer_without_a_length_is_whole_when_its_connection_ends():
    incoming, body = read([b"HTTP/1.1 200 OK\r\n\r\n{", b"}"])
    assert not incoming.is_complete
    incoming.feed(b"")
    assert incoming.is_complete
    assert not incoming.leaves_connection_usable
    assert body == b"{}"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_whole_with_its_head(status: int):
    incoming, body = read([b"HTTP/1.1 %d No\r\n\r\n" % status])
    assert incoming.leaves_connection_usable
    assert (incoming.status, body) == (status, b"")


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", httpx.ReadError),
        (b"HTTP/1.1 200 O", httpx.ReadError),
        (INTERIM, httpx.ReadError),
        (WHOLE[:-1], httpx.RemoteProtocolError),
        (CHUNKED[:-2], httpx.RemoteProtocolError),
    ],
)
def test_an_answer_that_the_end_of_its_connection_cuts_is_none(
    raw: bytes, error: type[httpx.TransportError]
):
    incoming, _ = read([raw])
    with pytest.raises(error):
        incoming.feed(b"")
    assert not incoming.is_complete


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ],
)
def test_what_is_not_an_answer_in_http_is_refused(raw: bytes):
    with pytest.raises(httpx.RemoteProtocolError):
        read([raw])


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"y" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    ],
)
def test_what_is_not_body_is_bounded(head: bytes, piece: bytes):
    incoming = Incoming()
    incoming.feed(head or piece)
    pieces = [piece] * (2 * MOST_OF_A_HEAD // len(piece))
    with pytest.raises(httpx.RemoteProtocolError):
        deque(map(incoming.feed, pieces), maxlen=0)


@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans())
def test_any_bytes_are_an_answer_or_an_error_of_the_transport(pieces: list[bytes], begins: bool):
    try:
        incoming, body = read([b"HTTP/1.1 200 OK\r\n" if begins else b"", *pieces])
        incoming.feed(b"")
    except httpx.TransportError:
        return
    assert incoming.is_complete
    assert body in b"".join(pieces)
