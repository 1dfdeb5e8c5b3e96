"""Runs and tasks that were created, compactly: a run is one small object, a task is none.

Ids are computed from a run's stamp, and the documents stay as the bytes that came in, in an
unlinked temporary file (in TMPDIR): a million documents cost memory for their runs only.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from typing import Any, NamedTuple

import msgspec

from callspool_sandbox.data.ids import BLOCK, Ids, Stamp


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
        """The piece that the task at a place was created in."""
        return next(piece for piece in reversed(self.pieces) if piece.first <= place)

    def tasks_at(self, made: float) -> int:
        """How many tasks it had at a moment."""
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
        """The id of the task that follows up the one at a place."""
        return "T" + format(int(self.task_id(run, place)[1:], 16) ^ 1 << 64, "032x")

    def task_ids_json(self, run: StoredRun, count: int) -> bytes:
        """The ids of the first tasks as a JSON array."""
        ends = [*(piece.first for piece in run.pieces[1:]), run.tasks]
        listed = [
            self._ids.list_ids("T", piece.stamp, min(end, count) - piece.first)
            for piece, end in zip(run.pieces, ends, strict=False)
            if piece.first < count
        ]
        return b"[" + b",".join(listed) + b"]"

    def find_run(self, space: str, run_id: str) -> StoredRun | None:
        """The run of that id, if it is one of that space's."""
        stamp = self._ids.stamp_of(run_id)
        run = None if stamp is None else self._by_stamp.get(stamp)
        return run if run is not None and run.space == space else None

    def knows(self, space: str) -> bool:
        """Whether the space was ever asked about."""
        return space in self._spaces

    def runs_of(self, space: str) -> list[StoredRun]:
        """The space's runs in the order in which they were written."""
        return self._spaces.setdefault(space, [])

    def request(self, run: StoredRun) -> Request:
        """The run's request, decoded anew."""
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
