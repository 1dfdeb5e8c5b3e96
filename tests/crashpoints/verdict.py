"""What has to be true in the end, whoever died on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import redis

from callspool.request.identity import Scope
from callspool_ledger import keys
from callspool_ledger.reads.feed import Position, join_page, read_feed
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reader import LedgerReader
from callspool_worker.decisions.answers import Answer, Answered
from tests.ledger.snapshot import Snapshot
from tests.support.ledgers import STATES, P

READ_ALL = {"page_size": 1000}


class PlayError(AssertionError):
    """Something is not as it has to be; says what."""


class Verdict:
    """Judges one play in one space.

    ``documents``: the state in which each has to end. ``duplicates``: how many have to be counted;
    None where nobody knows.
    """

    def __init__(
        self,
        client: redis.Redis,
        space: str,
        *,
        documents: Mapping[str, str],
        duplicates: int | None,
    ) -> None:
        self._client, self._space = client, space
        self._documents, self._duplicates = documents, duplicates

    def check(self, all_tasks: Answer) -> None:
        """Compares the ledger with the API, and with itself; raises `PlayError`."""
        self._check_documents(_tasks_in(all_tasks))
        self._check_counts()
        self._check_feed()
        for queue in (keys.REQUESTS, keys.WAKEUPS):
            _require(not self._client.exists(keys.dead_stream(queue)), f"dead letters of {queue}")
        Snapshot(self._client).check()

    def _check_documents(self, tasks: Mapping[str, list[tuple[str, str]]]) -> None:
        _require(tasks.keys() <= self._documents.keys(), "the API has what nobody enqueued")
        names = list(self._documents)
        found = LedgerReader(self._client).ask(
            read_statuses(Scope("default", self._space, ""), names)
        )
        for name, status in zip(names, found, strict=True):
            own, state = tasks.get(name, []), status.state if status else "unknown"
            wanted = self._documents[name]
            times = int(wanted == "created")
            _require(len(own) == times, f"{name} was created {len(own)} times, and is {state}")
            _require(state == wanted, f"{name} is {state} instead of {wanted}")
            if own and status is not None:
                known = status.run_id, status.task_id
                _require(known == own[0], f"{name} is {own[0]} at the API, but {known} here")

    def _check_feed(self) -> None:
        """Each settlement was told once, whoever died before the reply came."""
        page = join_page(LedgerReader(self._client).ask(read_feed([Position()], 1000)), 1000)
        told = Counter((one.document_id, one.type) for one in page.events if one.type in STATES)
        _require(told == Counter(self._documents.items()), f"the feed tells {dict(told)}")

    def _check_counts(self) -> None:
        counts = counts_of(self._client)
        wanted = dict.fromkeys(STATES, 0) | Counter(self._documents.values())
        wanted |= {"accepted": len(self._documents), "created_twice": 0}
        if self._duplicates is not None:
            wanted["duplicate"] = self._duplicates
        for name, number in wanted.items():
            _require(counts[name] == number, f"{name} is {counts[name]} instead of {number}")


def counts_of(client: redis.Redis) -> Counter[str]:
    """The ledger's own counts."""
    found = client.hgetall(f"{P}:counts")
    return Counter(
        {
            name.decode().partition("|")[2]: int(number)
            for name, number in found.items()
            if name.startswith(b"default|")
        }
    )


def _tasks_in(answer: Answer) -> dict[str, list[tuple[str, str]]]:
    """Run and task of each document, as the API has them."""
    assert isinstance(answer, Answered)
    assert isinstance(answer.json, dict)
    found: dict[str, list[tuple[str, str]]] = {}
    for task in answer.json["data"]:
        found.setdefault(task["ref_id"], []).append((task["run_id"], task["task_id"]))
    return found


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise PlayError(what)
