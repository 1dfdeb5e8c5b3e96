"""A space whose calls a test plays: documents that were created, tasks that show what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from callspool.settings.kinds import DEFAULT_OUTCOMES
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.writes import Taken
from callspool_worker.decisions.answers import Answer, Answered, NoAnswer
from callspool_worker.decisions.call_outcome import read_outcomes
from callspool_worker.following.follower import Follower
from callspool_worker.following.frontier import FollowTimes
from callspool_worker.following.read_turns import FollowSettings
from callspool_worker.sending import body
from tests.support.ledgers import LedgerUnderTest, P, calls, group

SPACE = "default|SPACE"
HOUR_MS = 3_600_000


class PlayedCalls:
    """A ledger with runs, an API that lists their tasks, and a follower that looks when told to.

    Time passes by moving back what the ledger remembers: `later`.
    """

    def __init__(
        self, client: redis.Redis, *, lost_after: float = 259_200.0, batch_size: int = 100
    ) -> None:
        self.client = client
        self.spool = LedgerUnderTest(client, batch_size=batch_size, linger_ms=0)
        self.tasks: dict[str, list[dict[str, Any]]] = {}
        """Run → the entries of its list of tasks, as they are shown."""
        self.answer: Answer | None = None
        """What every read is answered instead."""
        self.reads: list[tuple[str, int]] = []
        self.page_size = 100
        self.log: list[object] | None = None
        """The rows of the call log, the oldest first; None: this account may not read it."""
        self.log_reads, self.log_size = 0, 500
        how = FollowSettings(
            ("default",),
            FollowTimes(900.0, lost_after),
            10_000.0,
            read_outcomes(DEFAULT_OUTCOMES),
        )
        self.ledger = self.spool.ledger
        self.follower = Follower(self.ledger, {"default": self.ledger}, self.get, how)

    def create(self, *ids: str) -> Taken:
        """Creates a run of these documents, whose tasks are pending."""
        self.spool.accept(group(ids))
        taken = self.ledger.take("me:1", ["default"])
        assert taken is not None
        run = f"R{taken.attempt}"
        self.tasks[run] = [self.task(taken, place, one) for place, one in enumerate(ids)]
        made = [task["task_id"] for task in self.tasks[run]]
        self.ledger.run([calls.record_created(taken, run, made, "200")])
        return taken

    def task(self, taken: Taken, place: int, document_id: str) -> dict[str, Any]:
        mark = body.mark(self.ledger.id, taken.attempt, taken.lane)
        given = {"document_id": document_id, "callspool_attempt": mark}
        task_id = f"T{taken.attempt:028x}{place:04x}"
        return {"task_id": task_id, "status": "pending", "input": given, "output": {}}

    def get(self, account: str, path: tuple[str, ...], query: Mapping[str, str | int]) -> Answer:
        if path == ("call-logs",):
            return self.log_page(query)
        assert (account, path[:2], path[2], path[4]) == (
            "default",
            ("spaces", "SPACE"),
            "runs",
            "tasks",
        )
        run, page = path[3], int(query["page"])
        self.reads.append((run, page))
        if self.answer is not None:
            return self.answer
        size = self.page_size
        entries = self.tasks.get(run, [])[(page - 1) * size : page * size]
        return Answered(200, json={"status_code": 200, "data": entries, "count": len(entries)})

    def log_page(self, query: Mapping[str, str | int]) -> Answer:
        """Returns a page of the call log, newest first; None of it may be read without one."""
        if self.log is None:
            return Answered(403, json={"status_code": 403})
        page, size = int(query["page"]), min(int(query["page_size"]), self.log_size)
        self.log_reads += 1
        rows = self.log[::-1][(page - 1) * size : page * size]
        return Answered(200, json={"status_code": 200, "data": rows, "count": len(self.log)})

    def end(self, taken: Taken, place: int, call_status: str = "completed", **more: Any) -> None:
        """Ends the call of a document."""
        failed = call_status in {"no-answer", "failed"}
        task = self.tasks[f"R{taken.attempt}"][place]
        task["status"] = "failed" if failed else "completed"
        task["output"] = {
            "call_id": f"C{place}",
            "call_status": call_status,
            "start_time": "2026-12-01T10:00:00",
            "end_time": "2026-12-01T10:00:42",
            "duration": 42,
            "transcript": "Ada said +1 415 555 0123",
            "post_call_data": {"summary": {"status": "interested"}},
            **more,
        }

    def later(self, hours: float) -> None:
        """Lets time pass: what was to come comes that much sooner, and is that much older."""
        back = round(hours * HOUR_MS)
        later = self.client.scan_iter(f"{P}:later:*")
        for key in [f"{P}:calls:{SPACE}", f"{P}:opened:{SPACE}", *later]:
            found = self.client.zrange(key, 0, -1, withscores=True)
            if found:
                self.client.zadd(key, {member: score - back for member, score in found})
        batches = [*self.client.scan_iter(f"{P}:b*", count=1000)]
        with self.client.pipeline(transaction=False) as pipe:
            for key in batches:
                pipe.hget(key, "yt")
            for key, memory in zip(batches, pipe.execute(), strict=True):
                if memory:
                    pipe.hset(key, "yt", _moved(memory, back))
            pipe.execute()

    def look(self, hours: float = 0.3) -> list[tuple[str, int]]:
        """Makes a pass after a while; what it read."""
        self.later(hours)
        self.reads.clear()
        if self.client.exists(f"{P}:follows"):
            self.client.zadd(f"{P}:follows", {SPACE: 0})
        self.follower.look("me:follow")
        return list(self.reads)

    @property
    def outcomes(self) -> dict[str, int]:
        """Outcomes by their number, none of those that are zero; their sum is `created`."""
        found = LedgerReader(self.client).ask(read_summary())
        assert sum(found.outcomes.values()) == found.documents["created"]
        return {name: number for name, number in found.outcomes.items() if number}


def _moved(memory: bytes, back: int) -> bytes:
    found = msgspec.json.decode(memory)
    if "next_ms" in found:
        found["next_ms"] -= back
    for failure in found.get("failed", {}).values():
        failure[1] -= back
    return msgspec.json.encode(found)


def too_many(seconds: float | None = None) -> Answered:
    """A 429."""
    return Answered(429, json={"status_code": 429}, retry_after=seconds)


NOTHING = NoAnswer("no answer in time", "timeout")
