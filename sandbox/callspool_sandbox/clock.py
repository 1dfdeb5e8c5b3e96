"""The clock of one of the API's servers, which need not agree with anybody else's."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool_sandbox.ways import Ways


class Clock:
    """Wall-clock time as one server's answers show it: its ``Date``, its ids and ``created``.

    The server's ways say how far it is off, and in which form it tells a time.
    """

    def __init__(self, ways: Ways, server: int = 0) -> None:
        self.server = server
        self._ways = ways
        self._second = -1
        self._date = ""

    def now(self) -> float:
        """Unix time as the server believes it."""
        return time.time() + self._ways.skew(self.server)

    def date(self) -> str:
        """The `Date` header, made once a second."""
        second = int(self.now())
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True)
        return self._date

    def iso(self, moment: float) -> str:
        """A time as the API writes `created`."""
        server = self._ways.now
        plain = datetime.fromtimestamp(moment + server.created_shift, UTC).replace(tzinfo=None)
        return plain.isoformat(timespec=server.created_precision) + server.created_zone


def true_time() -> str:
    """This machine's own time for the log, whatever the server pretends."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
