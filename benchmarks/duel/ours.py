"""Callspool as a user runs it: `callspool send` twice, `callspool worker`, `CallQueue.status`."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from benchmarks.duel import stage
from benchmarks.duel.contestant import WORKERS, Place
from benchmarks.duel.roll import CHUNK, CONTEXT, PILOT, SPACE, Document, Roll
from benchmarks.duel.verdict import Records
from callspool.request.identity import Scope
from callspool_ledger.reads.lookup import read_statuses
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from tests.support.cli import environment

if TYPE_CHECKING:
    from pathlib import Path

    import redis

COMMAND = [sys.executable, "-m", "callspool"]
SENDING = 60.0
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
            CALLSPOOL_REQUEST_TIMEOUT=str(stage.REQUEST_TIMEOUT),
            CALLSPOOL_PROOF_QUIET=str(stage.PROOF_QUIET),
            CALLSPOOL_PROOF_QUIET_ANSWERED=str(stage.PROOF_QUIET_ANSWERED),
        )

    def commands(self) -> list[list[str]]:
        return [[*COMMAND, "worker", "--processes", "1", "--threads", str(self._threads)]] * WORKERS

    def enqueue(self, place: Place, roll: Roll) -> None:
        for name, documents in (("all", roll.documents), ("again", roll.repeated)):
            file = _written(place.home / f"{name}.jsonl", documents)
            subprocess.run(
                [*COMMAND, "send", str(file), "--yes", "--json"],
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
