"""What came back from the API, or why nothing did: plain values, no I/O.

The one question that matters is whether the API can have carried out the request. `NotSent`
means that it cannot, and that this is proven; after `NoAnswer` and `Answered` it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

BODY_KEPT = 64 * 1024
"""Bytes of an answer's body that are kept for the operator."""

NotSentKind = Literal["pool", "dns", "connect", "tls", "incomplete", "withheld"]
"""How far a request came that was not sent: no free connection, no address, no connection, no
TLS, broken off before its last byte, or its last byte withheld because its deadline had passed."""

NoAnswerKind = Literal["timeout", "reset", "cut_off", "too_large", "unreadable"]
"""How an answer failed to come: not in time, connection lost, broken off amid the answer,
larger than is read, or not HTTP."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The API never had the whole request, so it cannot have carried it out."""

    reason: str
    kind: NotSentKind = "connect"


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The whole request left this machine and no whole answer came: anything may have happened."""

    reason: str
    kind: NoAnswerKind


@dataclass(frozen=True, slots=True)
class Quota:
    """What the API says that it takes yet: ``left`` requests in the next ``seconds``."""

    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer, read to its end.

    ``body`` holds its first `BODY_KEPT` bytes, ``json`` the whole of it, parsed, or None if it
    is not JSON. ``retry_after`` is in seconds from now, ``server_date`` the answer's ``Date`` in
    seconds since 1970. ``request_complete`` is False if the answer came while the last byte of
    the request was still here: then nothing can have been created by it. ``quota``: where the API
    tells it. ``location``: where a redirect leads, without what may be secret. ``packed``: the
    compression of the body, if it is one that is not understood here.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    json: object = field(default=None, repr=False)
    retry_after: float | None = None
    server_date: float | None = None
    content_type: str = ""
    request_complete: bool = True
    quota: Quota | None = None
    location: str = ""
    packed: str = ""

    @property
    def is_page(self) -> bool:
        """Whether the body is something that people look at, as proxies and web sites send it."""
        is_json = self.json is not None or (self.packed and "json" in self.content_type.lower())
        return not is_json and bool(self.body or self.packed)


Answer = NotSent | NoAnswer | Answered
