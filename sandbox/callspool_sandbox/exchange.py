"""One request: the server that answers it, its clock, and what is sent back."""

from __future__ import annotations

import gzip
import time
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING

from callspool_sandbox.fault_files import label
from callspool_sandbox.protocol import Answer, Route, in_form, path_for_log

if TYPE_CHECKING:
    from callspool_sandbox.fault_files import Fault, FaultFile, PackedAnswer, ServerTraits
    from callspool_sandbox.fault_plan import FaultPlan


class ServerStates:
    """The `server` part of a fault file with those of its `changes` that have come."""

    def __init__(self, file: FaultFile) -> None:
        self._states = file.states()
        self._started = time.monotonic()

    def running(self) -> float:
        """Returns the seconds since the sandbox was ready, which no skew touches."""
        return time.monotonic() - self._started

    @property
    def now(self) -> ServerTraits:
        """How the server is now."""
        while len(self._states) > 1 and self._states[1][0] <= self.running():
            self._states.pop(0)
        return self._states[0][1]

    @property
    def servers(self) -> int:
        """How many servers there are; requests go to them in turn."""
        return max(len(server.skews) for _, server in self._states)

    def skew(self, server: int) -> float:
        """Returns the seconds that a server's clock is ahead."""
        skews = self.now.skews
        return skews[server % len(skews)]


class Clock:
    """Wall-clock time as one server's answers show it: its ``Date``, its ids and ``created``.

    The server's state says how far it is off, and in which form it tells a time.
    """

    def __init__(self, states: ServerStates, server: int = 0) -> None:
        self.server = server
        self._states = states
        self._second = -1
        self._date = ""

    def now(self) -> float:
        """Returns unix time as the server believes it."""
        return time.time() + self._states.skew(self.server)

    def date(self) -> str:
        """Returns the `Date` header, made once a second."""
        second = int(self.now())
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True)
        return self._date

    def iso(self, moment: float) -> str:
        """Returns a time as the API writes `created`."""
        server = self._states.now
        plain = datetime.fromtimestamp(moment + server.created_shift, UTC).replace(tzinfo=None)
        return plain.isoformat(timespec=server.created_precision) + server.created_zone


_NAMES = {"raw-deflate": "deflate"}


def pack(answer: Answer, fault: PackedAnswer) -> Answer:
    """Returns the answer in that compression, named in its headers where it shall be."""
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


@dataclass(slots=True)
class Head:
    """A request's head. ``number`` counts requests, from 1, in the order of their arrival.

    ``route`` is None for a path that the API does not have, ``clock`` that of the server which
    answers, ``early`` the fault that was chosen before the body was there.
    """

    number: int
    method: str
    target: str
    headers: dict[bytes, bytes]
    route: Route | None
    clock: Clock
    early: Fault | None = None
    started: float = field(default_factory=time.monotonic)

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    def for_log(self, fault: Fault | None) -> dict[str, object]:
        """Returns what every line about this request says."""
        met = fault or self.early
        return {
            "request": self.number,
            "method": self.method,
            "path": path_for_log(self.target),
            "fault": label(met) if met else None,
            "seconds": round(time.monotonic() - self.started, 6),
        }


@dataclass(slots=True)
class HttpReply:
    """What goes out: an answer, or None for a connection that is closed without one.

    ``behind``: another one that follows it without a request.
    """

    answer: Answer | None
    steps: FaultPlan
    behind: Answer | None = None


def reply(answer: Answer, steps: FaultPlan) -> HttpReply:
    """Returns the answer as its plan wants it sent."""
    if steps.drop is not None and steps.drop.where != "response":
        return HttpReply(None, steps)
    if steps.packed is not None:
        answer = pack(answer, steps.packed)
    if steps.cut is not None:
        answer = in_form(answer, "cut", steps.cut.bytes)
    return HttpReply(answer, steps)


def logged_status(status: int, steps: FaultPlan) -> int | None:
    """Returns the status that goes out, or None where nothing does."""
    return status if steps.drop is None or steps.drop.where == "response" else None
