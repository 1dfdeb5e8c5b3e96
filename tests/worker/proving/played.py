"""An API in this process that plays what a real one may do: its clocks, lists, lags and outages."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from callspool_worker.decisions.answers import Answer, Answered, NoAnswer

_EPOCH = 0x01B21DD213814000
"""1970 in the steps of version-1 UUIDs, 100 ns each."""

SERVER_ERROR = {"message": "Task Creation Failed", "errors": "Internal Server Error"}


def id_of_time(moment: float, number: int, node: int = 0xA) -> str:
    """The 32 digits of a version-1 UUID of that moment."""
    steps = int(moment * 10_000_000) + _EPOCH
    low, middle, high = steps & 0xFFFFFFFF, steps >> 32 & 0xFFFF, steps >> 48 & 0x0FFF
    return f"{low:08x}{middle:04x}1{high:03x}{0x8000 | number & 0x3FFF:04x}{node:012x}"


@dataclass
class Ways:
    """How the API is; a test may change it at any moment.

    ``clock``: seconds that the server's clock is ahead, one for each of its servers, which take
    turns. ``created_shift``: seconds by which only ``created`` is off. ``ids``: "time" as the real
    ones, "random" if they hold no time. ``order``, ``count`` (what a list says of its length, from
    the real one), ``marks`` and ``tasks_lag`` (seconds) are those of reads. ``is_away``: nothing
    is answered, and what is sent is held until `PlayedApi.come_back`.
    """

    clock: list[float] = field(default_factory=lambda: [0.0])
    created_shift: float = 0.0
    zone: str = ""
    ids: str = "time"
    order: str = "newest"
    count: Callable[[int], int | None] = lambda length: length
    tasks_count: Callable[[int], int | None] = lambda length: length
    marks: bool = True
    tasks_lag: float = 0.0
    runs_lag: float = 0.0
    most: int = 100_000
    is_away: bool = False


@dataclass
class PlayedTask:
    task_id: str
    document: dict[str, Any]
    made: float
    output: dict[str, Any] = field(default_factory=dict)


@dataclass
class PlayedRun:
    run_id: str
    created: float
    made: float
    batch_count: int
    tasks: list[PlayedTask] = field(default_factory=list)


class PlayedApi:
    """The one space of an API. ``fates``: what becomes of the next create-calls, one after another.

    A fate is "created", "500 before", "500 after", "timeout before", "timeout after", or one of
    "500 amid N" and "timeout amid N": the first N are created.
    """

    def __init__(self, seed: int = 0, **ways: Any) -> None:
        self.ways = Ways(**ways)
        self.fates: list[str] = []
        self.runs: list[PlayedRun] = []
        self.reads: list[tuple[str, ...]] = []
        self.made: Counter[str] = Counter()
        self.date_ahead: float | None = None
        self.drops_marks_from = float("inf")
        self._lists_runs = False
        self._held: list[bytes] = []
        self._chance = random.Random(seed)
        self._numbers = 0

    # Creating

    def create(self, account: str, space: str, body: bytes, send_before: float = 0.0) -> Answer:
        """Answers a create-call as its fate says."""
        if self.ways.is_away:
            self._held.append(body)
            return NoAnswer("no answer in time", "timeout")
        how, _, rest = (self.fates.pop(0) if self.fates else "created").partition(" ")
        where, _, number = rest.partition(" ")
        documents = msgspec.json.decode(body)["documents"]
        if where != "before":
            run = self.start_run(len(documents))
            self.add_tasks(run, documents[: int(number)] if number else documents)
        if how == "timeout":
            return NoAnswer("no answer in time", "timeout")
        if how == "500":
            return self._answered(500, SERVER_ERROR)
        ids = [task.task_id for task in run.tasks]
        data = {"run_id": run.run_id, "task_ids": ids, "status": "pending"}
        return self._answered(200, {"status_code": 200, "message": "created", "data": data})

    def come_back(self) -> None:
        """Ends an outage: what was held reads are answered first, creates are carried out later."""
        self.ways.is_away = False

    def carry_out_held(self) -> None:
        """Creates what was held."""
        held, self._held = self._held, []
        for body in held:
            documents = msgspec.json.decode(body)["documents"]
            self.add_tasks(self.start_run(len(documents)), documents)

    def start_run(self, batch_count: int, at: float | None = None) -> PlayedRun:
        """Writes a run without tasks."""
        server = len(self.runs) % len(self.ways.clock)
        moment = (time.time() if at is None else at) + self.ways.clock[server]
        run = PlayedRun(
            f"R{self._id(moment, server)}",
            moment + self.ways.created_shift,
            time.time(),
            batch_count,
        )
        self.runs.append(run)
        return run

    def add_tasks(self, run: PlayedRun, documents: list[dict[str, Any]]) -> None:
        """Writes tasks of a run for documents."""
        for document in documents:
            self.made[document["document_id"]] += 1
            run.tasks.append(PlayedTask(f"T{self._id(run.created, 0)}", document, time.time()))

    def be_called_by_others(self, *ids: str, at: float | None = None, **fields: Any) -> PlayedRun:
        """Another program creates a run; what it creates is none of ours to count."""
        run = self.start_run(len(ids), at)
        for one in ids:
            document = {"document_id": one, **fields} if one else fields
            run.tasks.append(PlayedTask(f"T{self._id(run.created, 0)}", document, time.time()))
        return run

    def follow_up(self, run: PlayedRun) -> None:
        """The platform calls again: a task more for each, with the same input."""
        for task in list(run.tasks):
            more = {"referenced_task": task.task_id, "followup_count": 1}
            run.tasks.append(
                PlayedTask(f"T{self._id(time.time(), 0)}", task.document, time.time(), more)
            )

    def _id(self, moment: float, server: int) -> str:
        self._numbers += 1
        if self.ways.ids == "time":
            return id_of_time(moment, self._numbers, 0xA0 + server)
        return f"{self._chance.getrandbits(128):032x}"

    # Reading

    def get(
        self, account: str, path: tuple[str, ...], query: Mapping[str, Any] | None = None
    ) -> Answer:
        """Answers a read."""
        self.reads.append(path)
        if self.ways.is_away:
            return NoAnswer("no answer in time", "timeout")
        self._lists_runs = path[-1] == "runs"
        if self._lists_runs:
            known = time.time() - self.ways.runs_lag
            rows = [self._run_row(run) for run in self.runs if run.made <= known]
        else:
            run = next(run for run in self.runs if run.run_id == path[-2])
            known = time.time() - self.ways.tasks_lag
            rows = [self._task_row(task) for task in run.tasks if task.made <= known]
        return self._page(self._order_rows(rows), query or {})

    def _order_rows(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.ways.order == "newest":
            return rows[::-1]
        if self.ways.order == "shuffled":
            random.Random(len(rows)).shuffle(rows)
        return rows

    def _page(self, rows: list[dict[str, Any]], query: Mapping[str, Any]) -> Answer:
        size = min(int(query.get("page_size", 20)), self.ways.most)
        start = (int(query.get("page", 1)) - 1) * size
        count = (self.ways.count if self._lists_runs else self.ways.tasks_count)(len(rows))
        body = {"status_code": 200, "message": "Data fetched", "data": rows[start : start + size]}
        return self._answered(200, body if count is None else {**body, "count": count})

    def _run_row(self, run: PlayedRun) -> dict[str, Any]:
        return {
            "run_id": run.run_id,
            "status": "pending",
            "batch_count": run.batch_count,
            "created": self._time(run.created),
        }

    def _task_row(self, task: PlayedTask) -> dict[str, Any]:
        given = dict(task.document)
        if not self.ways.marks or task.made >= self.drops_marks_from:
            given.pop("callspool_attempt", None)
        row = {"task_id": task.task_id, "input": given, "output": task.output}
        return row if task.output else {**row, "ref_id": task.document.get("document_id")}

    def _time(self, moment: float) -> str:
        plain = datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
        return plain.isoformat(timespec="seconds") + self.ways.zone

    def _answered(self, status: int, body: object) -> Answered:
        ahead = self.ways.clock[0] if self.date_ahead is None else self.date_ahead
        date = float(int(time.time() + ahead))
        return Answered(
            status,
            body=msgspec.json.encode(body),
            json=body,
            server_date=date,
            content_type="application/json",
        )

    # As the stage asks

    def created(self) -> list[str]:
        return list(self.made.elements())

    def close(self) -> None:
        """It holds nothing."""
