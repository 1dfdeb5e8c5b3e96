"""An answer as its bytes come in: parsed by llhttp, bounded, without any I/O."""

from __future__ import annotations

import httptools
import httpx

MOST_OF_A_HEAD = 100 * 1024
"""Bytes of an answer that are not its body: head, interim answers, frames of chunks."""

_FRAMES = 8
"""Bytes of framing for each byte of a body, at most: chunks may be tiny."""

Headers = list[tuple[bytes, bytes]]


class Incoming:
    """The answer to one request. Raises httpx.RemoteProtocolError for what is not HTTP.

    ``status`` and ``headers`` count once ``has_head``; interim answers (1xx) are passed over.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.has_head = False
        self.is_complete = False
        self._parts: list[bytes] = []
        self._ends_with_connection = True
        self._keeps_alive = False
        self._is_over = False
        self._frames = 0
        self._size = 0
        self._parser = httptools.HttpResponseParser(self)

    @property
    def has_begun(self) -> bool:
        """Whether anything of the answer has come."""
        return self._frames + self._size > 0

    @property
    def leaves_connection_usable(self) -> bool:
        """Whether another request may follow: the answer is whole, and nothing came behind it."""
        return self.is_complete and self._keeps_alive and not self._is_over

    def feed(self, data: bytes) -> None:
        """Takes what came in; nothing means that the connection has ended."""
        if not data:
            return self._end()
        size = self._size
        self._frames += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as wrong:
            # What came behind a whole answer changes nothing about it.
            if not self.is_complete:
                raise httpx.RemoteProtocolError(type(wrong).__name__) from wrong
            self._is_over = True
        self._frames -= self._size - size
        if self._frames > MOST_OF_A_HEAD + _FRAMES * self._size:
            raise httpx.RemoteProtocolError("the answer's head is too large")
        return None

    def take(self) -> list[bytes]:
        """The parts of the body that came since the last call."""
        parts, self._parts = self._parts, []
        return parts

    def _end(self) -> None:
        if self.has_head and self._ends_with_connection:
            self.is_complete = self._is_over = True
        elif self.has_head:
            raise httpx.RemoteProtocolError("the connection ended amid the answer")
        else:
            raise httpx.ReadError("the connection ended without an answer")

    # What llhttp calls.

    def on_message_begin(self) -> None:
        if self.is_complete:
            self._is_over = True
        elif not self.has_head:
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.has_head:
            return  # a trailer, or an answer that nobody asked for
        self.headers.append((name, value))
        field = name.lower()
        if field == b"content-length" or (
            field == b"transfer-encoding" and b"chunked" in value.lower()
        ):
            self._ends_with_connection = False

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if not self.has_head and status >= 200:
            self.status, self.has_head = status, True

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self._size += len(body)
            self._parts.append(body)

    def on_message_complete(self) -> None:
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self._keeps_alive = self._parser.should_keep_alive()
