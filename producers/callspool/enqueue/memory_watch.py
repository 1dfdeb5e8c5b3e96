"""Whether Redis has room: producers stop before it has none, so that workers can go on."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Command

QUESTION: Final[Command] = ("INFO", "memory")
FULL_FROM: Final = 0.8
"""Share of maxmemory in use from which producers are refused."""
SECONDS_BETWEEN: Final = 1.0

_USED = re.compile(rb"^used_memory:(\d+)", re.MULTILINE)
_LIMIT = re.compile(rb"^maxmemory:(\d+)", re.MULTILINE)


class MemoryWatch:
    """Knows how full Redis was when last asked, which is at most once a second.

    Threads share it without a lock: the worst that a race does is one question too many.
    """

    def __init__(self) -> None:
        self._asked = -math.inf
        self._known = False
        self.full = False

    @property
    def due(self) -> bool:
        """Whether it is time to ask again."""
        return time.monotonic() - self._asked >= SECONDS_BETWEEN

    @property
    def must_know_first(self) -> bool:
        """Whether nothing may be written before the answer: it is full, or was never asked."""
        return (self.full or not self._known) and self.due

    def note(self, reply: object) -> None:
        """Takes the answer. One that cannot be read (no permission) leaves Redis to say OOM."""
        self._asked = time.monotonic()
        self._known = True
        self.full = isinstance(reply, bytes) and _is_full(reply)


def _is_full(info: bytes) -> bool:
    used, limit = _USED.search(info), _LIMIT.search(info)
    if used is None or limit is None or int(limit[1]) == 0:
        return False
    return int(used[1]) > FULL_FROM * int(limit[1])
