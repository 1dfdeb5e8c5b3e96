"""Answers in a compression: what is understood, and what comes all the same."""

from __future__ import annotations

import zlib

_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"
_LAYERS = 3
_AS_IT_IS = frozenset({"", "identity", "none"})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


def unpack(raw: bytes, encoding: str, most: int) -> tuple[bytes, str]:
    """The body as it was before it was packed, up to ``most`` bytes, and ``""``.

    Or nothing, and the name of a compression that is not understood here.
    """
    body = raw
    names = [name.strip().lower() for name in encoding.split(",")]
    for name in reversed(names[:_LAYERS]):
        if name in {"gzip", "x-gzip", "deflate"}:
            body = _inflate(body, most)
        elif name not in _AS_IT_IS:
            return (body, "") if _is_readable(body) else (b"", name)
    if body.startswith(_GZIP):
        body = _inflate(body, most)  # some proxies do not say so
    return body.removeprefix(_MARK), ""


def _inflate(body: bytes, most: int) -> bytes:
    """What was packed as gzip, zlib, or deflate without either's frame; else the same."""
    for window in () if _is_readable(body) else (_GZIP_OR_ZLIB, -zlib.MAX_WBITS):
        try:
            found = zlib.decompressobj(window).decompress(body, most)
        except zlib.error:
            continue
        return found or body
    return body


def _is_readable(body: bytes) -> bool:
    """Whether a body can be read as it is: a header may lie."""
    return body.lstrip()[:1] in {b"", b"{", b"["}
