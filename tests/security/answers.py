"""Answers of an API that may be broken, hostile or somebody else, as bytes on a connection."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.worker.api.conftest import TOKEN

STEERING = "\x1b]0;owned\x07\x9b2J\u202e\r\n"
TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        STEERING,
        TOKEN,
        "+14155550123",
        "..",
        "../../x",
        "T1",
        "R1",
        "crm-1",
        "200",
        "2026-11-22T10:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "x" * 5000,
    ]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(2**63), 2**64, 0, 1, 200, 500])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
CODES = st.sampled_from([200, 206, 400, 401, 403, 404, 413, 422, 429, 500, 503]) | ANYTHING
ERRORS = st.dictionaries(st.sampled_from(["pilot", "documents", "loc", "msg", TOKEN]), ANYTHING)
CREATIONS = st.fixed_dictionaries(
    {},
    optional={
        "run_id": TEXTS | ANYTHING,
        "task_ids": st.lists(TEXTS, max_size=2) | ANYTHING,
        "status": ANYTHING,
    },
)
INPUTS = st.fixed_dictionaries(
    {}, optional={"document_id": ANYTHING, "callspool_attempt": ANYTHING, "name": TEXTS}
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "run_id": TEXTS | ANYTHING,
        "task_id": TEXTS | ANYTHING,
        "ref_id": ANYTHING,
        "input": INPUTS | ANYTHING,
        "created": TEXTS | ANYTHING,
        "batch_count": ANYTHING,
    },
)
LISTS = st.lists(ENTRIES | ANYTHING, max_size=4)


def bodies(data: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Bodies that look like the API's, JSON of any other kind, and what is no JSON at all."""
    likely = st.fixed_dictionaries(
        {},
        optional={
            "status_code": CODES,
            "message": TEXTS | ANYTHING,
            "data": data | ANYTHING,
            "errors": ERRORS | ANYTHING,
            "detail": ANYTHING,
            "count": ANYTHING,
        },
    )
    written = (likely | likely | ANYTHING).map(_json)
    return written | written | _BROKEN | st.tuples(written, _BROKEN).map(b"".join)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


_BROKEN = st.binary(max_size=40) | st.sampled_from(
    [
        b"[" * 100_000,
        b'{"data":' * 3000,
        b'{"message":"\\ud800"}',
        b'{"message":"\xff\xfe"}',
        b'{"status_code":NaN}',
        b"\xef\xbb\xbf{}",
        '{"message":"ü"}'.encode("utf-16"),
        b'{"a":1e999}',
        b"9" * 5000,
        b"<html><script>" * 100,
        STEERING.encode(),
        f"HTTP token {TOKEN} of Ada".encode(),
    ]
)
_STATUS = st.sampled_from([200] * 6 + [206, 400, 401, 404, 422, 429, 500, 502, 204, 304, 301, 999])
_WORD = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Date": st.sampled_from(["Sun, 22 Nov 2026 10:00:00 GMT", "Thu, 1 Jan 0001 -"]) | _WORD,
        "Retry-After": st.sampled_from(["3", "1e308", "-1", "nan", "9" * 400]) | _WORD,
        "X-RateLimit-Reset": st.sampled_from(["5", "1e18", "inf"]) | _WORD,
        "Location": st.just("http://127.0.0.1:1/"),
        "Set-Cookie": _WORD,
        "X-Long": st.just("x" * 30_000),
    },
)
_PACKED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, gzip": lambda body: gzip.compress(gzip.compress(body)),
    "br": bytes,
    "identity": bytes,
}
_FRAMINGS = ["length"] * 6 + ["short", "long", "chunked", "bad chunk", "none", "both"]


@st.composite
def answers(draw: st.DrawFn, data: st.SearchStrategy[Any]) -> bytes:
    """A whole answer in bytes, mostly HTTP."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=60))
    body = draw(bodies(data))
    headers = draw(_HEADERS)
    encoding = draw(st.sampled_from(["", "", "", *_PACKED]))
    if encoding:
        headers["Content-Encoding"] = encoding
        body = _PACKED[encoding](body) if draw(st.booleans()) else body
    framed = _framed(draw(st.sampled_from(_FRAMINGS)), body, headers)
    lines = [f"HTTP/1.1 {draw(_STATUS)} Whatever", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + framed


def _framed(framing: str, body: bytes, headers: dict[str, str]) -> bytes:
    lengths = {"length": len(body), "short": len(body) // 2, "long": len(body) + 5, "both": 3}
    if framing in lengths:
        headers["Content-Length"] = str(lengths[framing])
    if framing in {"chunked", "bad chunk", "both"}:
        headers["Transfer-Encoding"] = "chunked"
        size = b"zz" if framing == "bad chunk" else b"%x" % len(body)
        return b"%b\r\n%b\r\n0\r\n\r\n" % (size, body) if body else b"0\r\n\r\n"
    return body
