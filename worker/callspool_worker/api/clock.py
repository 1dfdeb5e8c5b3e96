"""The one clock of requests: it cannot be set, and it goes on while the machine is suspended."""

from __future__ import annotations

import time

# Linux's monotonic clock stands still in suspension, its boot clock does not; macOS has no boot
# clock, and its CLOCK_MONOTONIC goes on (`time.monotonic` there reads another one, which stops).
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds since some point in the past, the same one for every process of this machine."""
    return time.clock_gettime(_CLOCK)
