"""Answers in a compression, also in those that a client does not expect."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool_sandbox.answers import Answer
    from callspool_sandbox.faults.model import PackedAnswer

_NAMES = {"raw-deflate": "deflate"}


def pack(answer: Answer, fault: PackedAnswer) -> Answer:
    """The answer in that compression, named in its headers where it shall be."""
    name = _NAMES.get(fault.encoding, fault.encoding)
    headers = [*answer.headers, ("Content-Encoding", name)] if fault.announced else answer.headers
    return replace(answer, body=_pack(answer.body, fault.encoding), headers=headers)


def _pack(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body)
    if encoding == "deflate":
        return zlib.compress(body)
    if encoding == "raw-deflate":
        return zlib.compress(body, wbits=-zlib.MAX_WBITS)
    # Frames that hold the body as it is: what unpacks these needs no packer here.
    return _brotli(body) if encoding == "br" else _zstd(body)


def _brotli(body: bytes) -> bytes:
    """RFC 7932: a window of 16 bits, then pieces of at most 64 KiB that are not compressed."""
    bits, used, out = 0, 1, bytearray()  # the first bit, 0, is the window
    for begin in range(0, len(body), 1 << 16):
        piece = body[begin : begin + (1 << 16)]
        bits |= (len(piece) - 1) << (used + 3) | 1 << (used + 19)  # not last, 4 nibbles, as it is
        used += 20
        out += bits.to_bytes(-(-used // 8), "little") + piece
        bits, used = 0, 0
    return bytes(out) + (bits | 3 << used).to_bytes(-(-(used + 2) // 8), "little")


def _zstd(body: bytes) -> bytes:
    """RFC 8878: a frame of one segment, in raw blocks of at most 128 KiB."""
    out = bytearray(b"\x28\xb5\x2f\xfd\xa0" + len(body).to_bytes(4, "little"))
    most = 1 << 17
    for begin in range(0, max(len(body), 1), most):
        piece = body[begin : begin + most]
        is_last = begin + most >= len(body)
        out += (is_last | len(piece) << 3).to_bytes(3, "little") + piece
    return bytes(out)
