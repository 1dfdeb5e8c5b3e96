"""The server's clock, which need not agree with anybody else's."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate


class Clock:
    """Wall-clock time with a constant skew in seconds, as the API's own answers show it.

    ``zone`` is what ends an ISO 8601 time: "Z", "+00:00" or nothing (D: both occur).
    ``shift``: seconds that such times are ahead, as those of a server that tells its local time.
    """

    def __init__(self, skew: float = 0.0, zone: str = "Z", shift: float = 0.0) -> None:
        self._skew = skew
        self._shift = shift
        self._zone = zone
        self._second = -1
        self._date = ""
        self._started = time.monotonic()

    def now(self) -> float:
        """Unix time as the server believes it."""
        return time.time() + self._skew

    def running(self) -> float:
        """Seconds since the sandbox was ready, which no skew touches."""
        return time.monotonic() - self._started

    def iso(self, moment: float) -> str:
        """A time as the API writes `created`."""
        plain = datetime.fromtimestamp(moment + self._shift, UTC).replace(tzinfo=None)
        return plain.isoformat(timespec="microseconds") + self._zone

    def date(self) -> str:
        """The `Date` header, made once a second."""
        second = int(self.now())
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True)
        return self._date


def true_time() -> str:
    """This machine's own time for the log, whatever the server pretends."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
