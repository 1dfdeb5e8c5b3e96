"""How an HTTP response becomes an answer."""

from __future__ import annotations

import gzip
import time
import zlib
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from callspool_worker.decisions.answers import Answered, NoAnswer
from tests.worker.api.conftest import TOKEN
from tests.worker.api.peer import Peer, always, response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from callspool_worker.api import UnpodApi
    from tests.worker.api.peer import Server

    Ask = Callable[[bytes], Answered]

BODY = b'{"pilot":"p","documents":[]}'
DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
AT = 1795341600.0


@pytest.fixture
def ask(serve: Callable[..., Server], connect: Callable[..., UnpodApi]) -> Ask:
    """The answer that a response turns into."""

    def get(raw: bytes) -> Answered:
        answer = connect(serve(always(raw))).create("default", "8KZ", BODY)
        assert isinstance(answer, Answered)
        return answer

    return get


def test_an_answer_keeps_status_body_type_and_date(ask: Ask) -> None:
    answer = ask(response(500, b'{"status_code":500}', {"Content-Type": "x/y", "Date": DATE}))
    assert answer == Answered(
        500, b'{"status_code":500}', {"status_code": 500}, None, AT, "x/y", True
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"cut":', b"\xff\xfe", b'"\xff"', b"[" * 100_000, b"1" * 5000]
)
def test_a_body_that_is_not_json_is_kept_as_it_is(body: bytes, ask: Ask) -> None:
    answer = ask(response(200, body))
    assert answer.json is None
    assert answer.body == body[: 64 * 1024]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "17"}, 17.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "5 seconds"}, 5.0),
        ({"Retry-After": "+7"}, 7.0),
        ({"Retry-After": "1e3"}, 1000.0),
        ({"Retry-After": "3, 9"}, 9.0),
        ({"Retry-After": "20261201"}, 20261201.0),
        ({"Retry-After": "1795341645", "Date": DATE}, 45.0),
        ({"Retry-After": "2026-11-22T10:00:30Z", "Date": DATE}, 30.0),
        ({"Retry-After": "2026-11-22 10:00:30", "Date": DATE}, 30.0),
        ({"Retry-After": "Sunday, 22-Nov-26 10:00:30 GMT", "Date": DATE}, 30.0),
        ({"Retry-After": "Sun Nov 22 10:00:30 2026", "Date": DATE}, 30.0),
        ({"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": DATE}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT", "Date": DATE}, 0.0),
        ({"X-RateLimit-Reset": "1795341645", "Date": DATE}, 45.0),
        ({"X-RateLimit-Reset": "45"}, 45.0),
        ({"X-RateLimit-Reset": "1795341645", "Retry-After": "3", "Date": DATE}, 3.0),
        ({"X-RateLimit-Reset": "never"}, None),
    ],
)
def test_the_wait_that_a_429_asks_for(
    headers: dict[str, str], seconds: float | None, ask: Ask
) -> None:
    assert ask(response(429, b"", headers)).retry_after == seconds


def test_without_a_date_of_the_server_our_clock_counts(ask: Ask) -> None:
    answer = ask(response(429, b"", {"Retry-After": formatdate(time.time() + 60, usegmt=True)}))
    assert answer.retry_after is not None
    assert 55 < answer.retry_after <= 61


def test_a_rate_limit_that_is_not_used_up_asks_for_no_wait(ask: Ask) -> None:
    assert ask(response(206, b"{}", {"X-RateLimit-Reset": "45"})).retry_after is None


def test_a_429_in_the_body_counts_as_one(ask: Ask) -> None:
    answer = ask(response(200, b'{"status_code":429}', {"X-RateLimit-Reset": "45"}))
    assert answer.retry_after == 45.0


def test_a_date_that_is_none_is_none(ask: Ask) -> None:
    assert ask(response(200, b"{}", {"Date": "yesterday"})).server_date is None


def test_a_compressed_answer_is_read_all_the_same(ask: Ask) -> None:
    body = gzip.compress(b'{"status_code":200}')
    assert ask(response(200, body, {"Content-Encoding": "gzip"})).json == {"status_code": 200}


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("GZIP", gzip.compress),
        ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
        ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
        ("", gzip.compress),
        ("identity", lambda body: b"\xef\xbb\xbf" + body),
        ("br", lambda body: body),
    ],
)
def test_an_answer_is_read_however_it_is_packed(
    encoding: str, pack: Callable[[bytes], bytes], ask: Ask
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = ask(response(200, pack(b'{"status_code":200}'), headers))
    assert (answer.json, answer.packed) == ({"status_code": 200}, "")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "x-unheard-of"])
def test_what_is_packed_otherwise_is_known_by_its_name_and_not_quoted(
    encoding: str, ask: Ask
) -> None:
    kind = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    answer = ask(response(200, b"\x0b\x0a\x80{garbage", kind))
    assert (answer.json, answer.body) == (None, b"")
    assert answer.packed == encoding.rpartition(", ")[2]
    assert not answer.is_page


def test_a_redirect_tells_where_to_without_what_may_be_secret(ask: Ask) -> None:
    place = f"https://user:pw@new.example/api/v2/?next=1&key={TOKEN}#x"
    answer = ask(response(301, b"", {"Location": place}))
    assert (answer.status, answer.location) == (301, "https://new.example/api/v2/")
    assert ask(response(302, b"", {"Location": "/login?next=x"})).location == "/login"
    assert ask(response(302, b"", {"Location": f"/{TOKEN}/"})).location == "/[token]/"
    assert len(ask(response(302, b"", {"Location": "/" + "x" * 9000})).location) == 200


def test_a_compressed_answer_is_bounded(ask: Ask) -> None:
    body = gzip.compress(b" " * 50_000_000 + b"{}")
    assert ask(response(200, body, {"Content-Encoding": "gzip"})).json is None


def test_an_encoding_that_lies_leaves_the_body_as_it_is(ask: Ask) -> None:
    assert ask(response(200, b'{"a":1}', {"Content-Encoding": "gzip"})).body == b'{"a":1}'


def test_our_token_is_taken_out_of_what_the_server_quotes(ask: Ask) -> None:
    body = b'{"status_code":401,"message":"Invalid token %b."}' % TOKEN.encode()
    answer = ask(response(401, body))
    assert TOKEN.encode() not in answer.body
    assert answer.json == {"status_code": 401, "message": "Invalid token [token]."}


def test_a_token_that_is_a_common_word_changes_nothing_that_decisions_rest_on(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("t")
    body = b'{"status_code":200,"message":"ok, t","data":{"run_id":"Rt","task_ids":["t"]}}'
    api = connect(serve(always(response(200, body))), api_token_file=file)
    answer = api.create("default", "8KZ", BODY)
    assert isinstance(answer, Answered)
    data = {"run_id": "Rt", "task_ids": ["t"]}
    assert answer.json == {"status_code": 200, "message": "ok, [token]", "data": data}


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "cut_off"),
        (b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "cut_off"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "reset"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "unreadable"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "unreadable"),
        (b"", "reset"),
    ],
)
def test_an_answer_that_breaks_off_is_no_answer(
    raw: bytes, kind: str, serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def break_off(peer: Peer) -> None:
        peer.receive()
        peer.send(raw)

    answer = connect(serve(break_off)).create("default", "8KZ", BODY)
    assert isinstance(answer, NoAnswer)
    assert answer.kind == kind
    assert "\n" not in answer.reason
    assert len(answer.reason) <= 200


def test_an_answer_without_length_ends_with_its_connection(
    serve: Callable[..., Server], connect: Callable[..., UnpodApi]
) -> None:
    def answer_and_close(peer: Peer) -> None:
        peer.receive()
        peer.send(b'HTTP/1.0 200 OK\r\n\r\n{"status_code":200}')

    answer = connect(serve(answer_and_close)).create("default", "8KZ", BODY)
    assert isinstance(answer, Answered)
    assert answer.json == {"status_code": 200}
