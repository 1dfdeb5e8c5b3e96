"""Runs and tasks that were created: a run is one small object, a task is none.

Ids are version-1 UUIDs, computed from a run's stamp. The documents stay as the bytes that came in,
in an unlinked temporary file (in TMPDIR): a million documents cost memory for their runs only.
"""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
import time
from typing import Any, NamedTuple

import msgspec

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
        """Adds a server, whose ids are told apart from all others'; returns its number."""
        chance = self._chance
        self._tails.append(f"{0x8000 | chance.getrandbits(14):04x}{chance.getrandbits(47):012x}")
        self._last.append(0)
        return len(self._tails) - 1

    def reserve(self, server: int, moment: float, count: int) -> Stamp:
        """Reserves ``count`` stamps in a row, from a server's unix time on; returns the first."""
        now = int(moment * _STEPS_A_SECOND) + _EPOCH
        first = max(now - now % BLOCK, self._last[server] + BLOCK)
        self._last[server] = first + (max(count, 1) - 1) // BLOCK * BLOCK
        return Stamp(first, server)

    def text(self, letter: str, stamp: Stamp, place: int = 0) -> str:
        """Returns the id that stands ``place`` steps behind a stamp."""
        steps = stamp.steps + place
        return f"{letter}{steps & 0xFFFFFFFF:08x}{self._rest(steps, stamp.server)}"

    def list_ids(self, letter: str, stamp: Stamp, count: int) -> bytes:
        """Returns a number of ids in a row, as the inside of a JSON array, in one step."""
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
        """Returns the stamp of an id as a client sends it; None if it was not given out here."""
        found = _ID.fullmatch(text)
        if not found or found[4] not in self._tails:
            return None
        steps = int(found[3] + found[2] + found[1], 16)
        return Stamp(steps, self._tails.index(found[4]))


_MAY_BE_TOO_LARGE = re.compile(rb"[0-9]{19}")
_MAY_BE_INFINITE = re.compile(rb"[0-9][eE]\+?[0-9]{3}|[0-9]{300}|Infinity|NaN")
_MAY_BE_NUL = b"\\u0000"

_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


def holds_infinity(raw: bytes) -> bool:
    """Whether a body holds a number that no other service would be told."""
    if not _MAY_BE_INFINITE.search(raw):
        return False
    return any(isinstance(each, float) and each - each != 0 for each in _values(_read(raw)))


def first_unstorable(raw: bytes) -> int | None:
    """Returns the place of the first document that cannot be stored; None where all can."""
    if _MAY_BE_NUL not in raw and not _MAY_BE_TOO_LARGE.search(raw):
        return None
    body = _read(raw)
    documents = body.get("documents") if isinstance(body, dict) else None
    places = enumerate(documents if isinstance(documents, list) else [])
    return next((place for place, one in places if not _is_storable(one)), None)


def _is_storable(document: object) -> bool:
    return not any(
        (isinstance(each, int) and not _SMALLEST <= each <= _LARGEST)
        or (isinstance(each, dict) and any("\0" in name for name in each))
        for each in _values(document)
    )


def _values(value: Any) -> list[Any]:
    """A value and all that it holds."""
    found, left = [], [value]
    while left:
        each = left.pop()
        found.append(each)
        if isinstance(each, dict):
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


class Request(msgspec.Struct):
    """A run's create request, read again."""

    documents: list[dict[str, Any]]
    pilot: str = ""


class Piece(NamedTuple):
    """Tasks that were created together.

    ``first``: place of the first of them; ``created`` in the server's time, ``made`` in the true
    one, by a clock that never jumps.
    """

    first: int
    stamp: Stamp
    created: float
    made: float


class StoredRun:
    """One create request that got as far as writing its run.

    ``batch_count`` documents were asked for, the first ``tasks`` of them exist. ``at_once``: so
    many were created together with the run. ``later``: the pieces that came after these.
    """

    __slots__ = (
        *("at_once", "batch_count", "created", "later", "length", "made", "offset"),
        *("space", "stamp", "status", "tasks"),
    )

    def __init__(
        self,
        space: str,
        stamp: Stamp,
        created: float,
        *,
        batch_count: int,
        place: tuple[int, int],
        status: str,
    ) -> None:
        self.space = space
        self.stamp = stamp
        self.created = created
        self.made = time.monotonic()
        self.batch_count = batch_count
        self.offset, self.length = place
        self.status = status
        self.tasks = self.at_once = 0
        self.later: tuple[Piece, ...] = ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """In which steps its tasks were created."""
        if not self.at_once:
            return self.later
        stamp = Stamp(self.stamp.steps + BLOCK, self.stamp.server)
        return (Piece(0, stamp, self.created, self.made), *self.later)

    def piece_of(self, place: int) -> Piece:
        """Returns the piece that the task at a place was created in."""
        return next(piece for piece in reversed(self.pieces) if piece.first <= place)

    def tasks_at(self, made: float) -> int:
        """Returns how many tasks it had at a moment."""
        return next((each.first for each in self.pieces if each.made > made), self.tasks)

    @property
    def modified(self) -> float:
        return self.later[-1].created if self.later else self.created

    @property
    def finished(self) -> float | None:
        """When its last task was made; None while some are missing."""
        if self.tasks < self.batch_count:
            return None
        return self.later[-1].made if self.later else self.made


class Store:
    """All runs of one sandbox. ``servers``: how many clocks its ids are made by."""

    def __init__(self, seed: int | None = None, servers: int = 1) -> None:
        self._ids = Ids(seed, servers)
        self._by_stamp: dict[Stamp, StoredRun] = {}
        self._spaces: dict[str, list[StoredRun]] = {}
        self._bodies = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as we do
        self._end = 0

    def start_run(
        self,
        space: str,
        body: bytes,
        batch_count: int,
        moment: float,
        status: str = "pending",
        server: int = 0,
    ) -> StoredRun:
        """Writes a run without tasks yet; ``moment`` is in the server's unix time."""
        stamp = self._ids.reserve(server, moment, BLOCK + batch_count)
        return self._add(space, stamp, self._write(body), moment, batch_count, status)

    def add_tasks(self, run: StoredRun, count: int, moment: float, server: int = 0) -> range:
        """Creates tasks for the run's next documents; returns their places."""
        places = range(run.tasks, run.tasks + count)
        if moment == run.created and not run.tasks:
            run.at_once = count
        elif count:
            stamp = self._ids.reserve(server, moment, count)
            run.later += (Piece(run.tasks, stamp, moment, time.monotonic()),)
        run.tasks += count
        return places

    def add_older(self, space: str, runs: int, body: bytes, moment: float) -> None:
        """Lets a space hold runs of one task already, a minute apart and all before a moment."""
        place = self._write(body)
        server = self._ids.add_server()  # of its own: nobody's clock goes back for it
        for age in range(runs, 0, -1):
            then = moment - 60.0 * age
            stamp = self._ids.reserve(server, then, BLOCK + 1)
            run = self._add(space, stamp, place, then, 1, "completed")
            run.made = 0.0
            self.add_tasks(run, 1, then, server)

    def run_id(self, run: StoredRun) -> str:
        return self._ids.text("R", run.stamp)

    def task_id(self, run: StoredRun, place: int) -> str:
        piece = run.piece_of(place)
        return self._ids.text("T", piece.stamp, place - piece.first)

    def follow_up_id(self, run: StoredRun, place: int) -> str:
        """Returns the id of the task that follows up the one at a place."""
        return "T" + format(int(self.task_id(run, place)[1:], 16) ^ 1 << 64, "032x")

    def task_ids_json(self, run: StoredRun, count: int) -> bytes:
        """Returns the ids of the first tasks as a JSON array."""
        ends = [*(piece.first for piece in run.pieces[1:]), run.tasks]
        listed = [
            self._ids.list_ids("T", piece.stamp, min(end, count) - piece.first)
            for piece, end in zip(run.pieces, ends, strict=False)
            if piece.first < count
        ]
        return b"[" + b",".join(listed) + b"]"

    def find_run(self, space: str, run_id: str) -> StoredRun | None:
        """Returns the run of that id, if it is one of that space's."""
        stamp = self._ids.stamp_of(run_id)
        run = None if stamp is None else self._by_stamp.get(stamp)
        return run if run is not None and run.space == space else None

    def knows(self, space: str) -> bool:
        """Whether the space was ever asked about."""
        return space in self._spaces

    def runs_of(self, space: str) -> list[StoredRun]:
        """Returns the space's runs in the order in which they were written."""
        return self._spaces.setdefault(space, [])

    def request(self, run: StoredRun) -> Request:
        """Returns the run's request, decoded anew."""
        raw = os.pread(self._bodies.fileno(), run.length, run.offset)
        try:
            return _requests.decode(raw)
        except msgspec.ValidationError:
            # A number that only Python reads stands in a document that was never stored.
            return msgspec.convert(json.loads(raw), Request)

    def close(self) -> None:
        self._bodies.close()

    def _add(
        self,
        space: str,
        stamp: Stamp,
        place: tuple[int, int],
        moment: float,
        batch_count: int,
        status: str,
    ) -> StoredRun:
        run = StoredRun(space, stamp, moment, batch_count=batch_count, place=place, status=status)
        self._by_stamp[stamp] = run
        self.runs_of(space).append(run)
        return run

    def _write(self, body: bytes) -> tuple[int, int]:
        """Keeps a body; its place in the file."""
        place = self._end, len(body)
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(self._bodies.fileno(), rest) :]
        self._end += len(body)
        return place


_requests = msgspec.json.Decoder(Request)
