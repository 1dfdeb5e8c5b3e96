"""How long to wait before the next try of a round trip that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def pauses() -> Iterator[float]:
    """Seconds before each next try: short at first, for a connection that had only gone stale."""
    pause = 0.002
    while True:
        yield pause
        pause = min(pause * 4, 0.25)
