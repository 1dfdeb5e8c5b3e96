"""Runs and tasks that were created, compactly: a run is one small object, a task is none.

Ids are computed from a run's number, and the documents stay as the bytes that came in, in an
unlinked temporary file (in TMPDIR): a million documents cost memory for their runs only.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
from bisect import bisect_left
from operator import attrgetter
from typing import Any

import msgspec

_SUFFIXES = [f"{place:06x}" for place in range(1000)]
_RUN_ID = re.compile(r"R([0-9a-f]{16})([0-9a-f]{10})000000")
_number = attrgetter("number")


class Request(msgspec.Struct):
    """A run's create request, read again."""

    documents: list[dict[str, Any]]
    pilot: str = ""


_requests = msgspec.json.Decoder(Request)


class Run:
    """One create request that got as far as writing its run.

    ``batch_count`` documents were asked for, the first ``tasks`` of them exist. ``late`` holds the
    (number of tasks, time) of every piece that was created after the first.
    """

    __slots__ = ("batch_count", "created", "late", "length", "number", "offset", "status", "tasks")

    def __init__(
        self, number: int, created: float, *, batch_count: int, place: tuple[int, int], status: str
    ) -> None:
        self.number = number
        self.created = created
        self.batch_count = batch_count
        self.offset, self.length = place
        self.status = status
        self.tasks = 0
        self.late: list[tuple[int, float]] | None = None

    def created_at(self, place: int) -> float:
        """When the task at a place was created, in the server's time."""
        created = self.created
        for tasks, moment in self.late or ():
            if tasks > place:
                break
            created = moment
        return created

    @property
    def modified(self) -> float:
        return self.late[-1][1] if self.late else self.created


class Store:
    """All runs of one sandbox; ids repeat only for the same ``seed``."""

    def __init__(self, seed: int | None = None) -> None:
        self._prefix = f"{random.Random(seed).getrandbits(64):016x}"  # noqa: S311 - no secret
        self._runs: list[Run] = []
        self._spaces: dict[str, list[Run]] = {}
        self._bodies = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as we do
        self._end = 0

    def start_run(
        self, space: str, body: bytes, batch_count: int, moment: float, status: str = "pending"
    ) -> Run:
        """Writes a run without tasks yet."""
        run = Run(
            len(self._runs),
            moment,
            batch_count=batch_count,
            place=(self._end, len(body)),
            status=status,
        )
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(self._bodies.fileno(), rest) :]
        self._end += len(body)
        self._runs.append(run)
        self._spaces.setdefault(space, []).append(run)
        return run

    def add_tasks(self, run: Run, count: int, moment: float) -> range:
        """Creates tasks for the run's next documents; returns their places."""
        places = range(run.tasks, run.tasks + count)
        if run.tasks or moment != run.created:
            run.late = [*(run.late or ()), (run.tasks, moment)]
        run.tasks += count
        return places

    def run_id(self, run: Run) -> str:
        return f"R{self._prefix}{run.number:010x}000000"

    def task_id(self, run: Run, place: int) -> str:
        return f"T{self._prefix}{run.number:010x}{place:06x}"

    def task_ids_json(self, run: Run, count: int) -> bytes:
        """The ids of the first tasks as a JSON array, without a Python step for each."""
        if count == 0:
            return b"[]"
        if count > len(_SUFFIXES):
            _SUFFIXES.extend(f"{place:06x}" for place in range(len(_SUFFIXES), count))
        start = f'"T{self._prefix}{run.number:010x}'
        return ("[" + start + ('",' + start).join(_SUFFIXES[:count]) + '"]').encode()

    def find_run(self, space: str, run_id: str) -> Run | None:
        """The run of that id, if it is one of that space's."""
        match = _RUN_ID.fullmatch(run_id)
        if not match or match[1] != self._prefix:
            return None
        number = int(match[2], 16)
        if number >= len(self._runs):
            return None
        run = self._runs[number]
        runs = self._spaces.get(space, [])
        place = bisect_left(runs, number, key=_number)
        return run if place < len(runs) and runs[place] is run else None

    def runs_of(self, space: str) -> list[Run]:
        """The space's runs, oldest first."""
        return self._spaces.get(space, [])

    def request(self, run: Run) -> Request:
        """The run's request, decoded anew."""
        return _requests.decode(os.pread(self._bodies.fileno(), run.length, run.offset))

    def close(self) -> None:
        self._bodies.close()
