"""Callspool as a user runs it: `callspool send` twice, `callspool worker`, `CallQueue.status`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from benchmarks.duel import stage
from benchmarks.duel.roll import CHUNK, CONTEXT, PILOT, SPACE, Document, Roll
from benchmarks.duel.rules import CAP
from benchmarks.duel.stage import WORKERS, Place
from benchmarks.duel.verdict import Records
from callspool.request.identity import Scope
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from tests.support.cli import environment

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from benchmarks.duel.rules import RuledLists

COMMAND = [sys.executable, "-m", "callspool"]
SENDING = 60.0
HALF_DAY = 12 * 60 * 60
SCOPE = Scope("default", SPACE, "")


class Callspool:
    """``threads`` requests in flight at most, in each worker."""

    def __init__(self, name: str, note: str, *, threads: int) -> None:
        self.name = name
        self.note = note
        self._threads = threads

    def environment(self, place: Place) -> dict[str, str]:
        return environment(
            place.home,
            CALLSPOOL_REDIS_URL=place.redis_url,
            CALLSPOOL_API_URL=place.api_url,
            CALLSPOOL_API_TOKEN="rehearsal",
            CALLSPOOL_ORG_HANDLE="acme.example",
            CALLSPOOL_SPACE_TOKEN=SPACE,
            CALLSPOOL_PILOT=PILOT,
            CALLSPOOL_CONTEXT=CONTEXT,
            CALLSPOOL_BATCH_SIZE=str(CHUNK),
            CALLSPOOL_PLATFORM_HOURS="none",
            CALLSPOOL_REQUEST_TIMEOUT=str(stage.REQUEST_TIMEOUT),
            CALLSPOOL_PROOF_QUIET=str(stage.PROOF_QUIET),
            CALLSPOOL_PROOF_QUIET_ANSWERED=str(stage.PROOF_QUIET_ANSWERED),
        )

    def commands(self) -> list[list[str]]:
        return [[*COMMAND, "worker", "--processes", "1", "--threads", str(self._threads)]] * WORKERS

    def enqueue(self, place: Place, roll: Roll) -> None:
        for name, documents in (("all", roll.documents), ("again", roll.repeated)):
            self._send(place, name, documents)

    def enqueue_ruled(self, place: Place, lists: RuledLists, end: float) -> None:
        hours = "-".join(time.strftime("%H:%M", time.gmtime(at)) for at in (end - HALF_DAY, end))
        rules = ["--hours", hours, "--zone-field", "timezone", "--close-early", "0"]
        self._run(place, "campaign", "set", "evening", *rules)
        self._run(place, "campaign", "set", "--cap", f"{CAP}/24h", "--cap-scope", "installation")
        self._send(place, "day", [*lists.suppressed, *lists.others])
        self._send(place, "evening", lists.evening, "--campaign", "evening")
        self._send(place, "second", lists.second, "--campaign", "second")

    def suppress(self, place: Place, documents: list[Document]) -> None:
        self._run(place, "suppress", "add", *(one["contact_number"] for one in documents))

    def _send(self, place: Place, name: str, documents: list[Document], *options: str) -> None:
        file = _written(place.home / f"{name}.jsonl", documents)
        self._run(place, "send", str(file), "--yes", *options)

    def _run(self, place: Place, *arguments: str) -> None:
        subprocess.run(
            [*COMMAND, *arguments, "--json"],
            env=self.environment(place),
            cwd=place.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=SENDING,
            check=True,
        )

    def standing(self, client: redis.Redis) -> tuple[int, int]:
        summary = LedgerReader(client).ask(read_summary())
        states = summary.documents
        return states["waiting"] + states["sending"] + summary.spooled, states["in_doubt"]

    def records(self, client: redis.Redis, roll: Roll) -> Records:
        identities = [document["document_id"] for document in roll.documents]
        by_state: dict[str, set[str]] = defaultdict(set)
        for status in LedgerReader(client).ask(read_statuses(SCOPE, identities)):
            if status is not None:
                by_state[status.state].add(status.document_id)
        return Records(
            open=frozenset(by_state["waiting"] | by_state["sending"]),
            given_up=frozenset(by_state["dead"]),
            in_doubt=frozenset(by_state["in_doubt"]),
        )


def _written(file: Path, documents: list[Document]) -> Path:
    file.write_bytes(msgspec.json.Encoder().encode_lines(documents))
    return file
