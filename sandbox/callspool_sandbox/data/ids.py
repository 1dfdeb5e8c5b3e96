"""Ids of runs and tasks: version-1 UUIDs, which hold the server's time as the API's own do."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

BLOCK = 256
"""Ids that share all but two digits; a run, and each piece of its tasks, begins a block of ids."""

_EPOCH = 0x01B21DD213814000
"""Unix time 0 in steps of 100 ns since the calendar of these ids began."""

_STEPS_A_SECOND = 10_000_000
_ID = re.compile(r"[RT]([0-9a-f]{8})([0-9a-f]{4})1([0-9a-f]{3})([0-9a-f]{16})")
_SUFFIXES = [f"{place:02x}" for place in range(BLOCK)]


class Stamp(NamedTuple):
    """When an id was made, in steps of 100 ns, and by which of the API's servers."""

    steps: int
    server: int


class Ids:
    """Gives out stamps that never repeat, and writes them as ids; repeatable with ``seed``."""

    def __init__(self, seed: int | None, servers: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._tails: list[str] = []
        self._last: list[int] = []
        for _ in range(servers):
            self.add_server()

    def add_server(self) -> int:
        """One more server, whose ids are told apart from all others'; returns its number."""
        chance = self._chance
        self._tails.append(f"{0x8000 | chance.getrandbits(14):04x}{chance.getrandbits(47):012x}")
        self._last.append(0)
        return len(self._tails) - 1

    def reserve(self, server: int, moment: float, count: int) -> Stamp:
        """The first of ``count`` stamps in a row, at a server's unix time or as soon after."""
        now = int(moment * _STEPS_A_SECOND) + _EPOCH
        first = max(now - now % BLOCK, self._last[server] + BLOCK)
        self._last[server] = first + (max(count, 1) - 1) // BLOCK * BLOCK
        return Stamp(first, server)

    def text(self, letter: str, stamp: Stamp, place: int = 0) -> str:
        """The id that stands ``place`` steps behind a stamp."""
        steps = stamp.steps + place
        return f"{letter}{steps & 0xFFFFFFFF:08x}{self._rest(steps, stamp.server)}"

    def list_ids(self, letter: str, stamp: Stamp, count: int) -> bytes:
        """So many ids in a row, as the inside of a JSON array; no step of Python for each."""
        pieces = []
        for begin in range(0, count, BLOCK):
            steps = stamp.steps + begin
            head = f'"{letter}{(steps & 0xFFFFFFFF) >> 8:06x}'
            tail = f'{self._rest(steps, stamp.server)}"'
            places = _SUFFIXES[: count - begin]
            pieces.append(head + f"{tail},{head}".join(places) + tail)
        return ",".join(pieces).encode()

    def _rest(self, steps: int, server: int) -> str:
        middle, high = steps >> 32 & 0xFFFF, steps >> 48 & 0x0FFF
        return f"{middle:04x}1{high:03x}{self._tails[server]}"

    def stamp_of(self, text: str) -> Stamp | None:
        """The stamp of an id as a client sends it; None if it was not given out here."""
        found = _ID.fullmatch(text)
        if not found or found[4] not in self._tails:
            return None
        steps = int(found[3] + found[2] + found[1], 16)
        return Stamp(steps, self._tails.index(found[4]))
