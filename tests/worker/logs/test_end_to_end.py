"""A whole job with faults: the log tells what the ledger counted, and nothing of anybody."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import redis

from callspool import CallQueue, CallRequest
from callspool_ledger import keys
from callspool_sandbox.process import SandboxProcess
from tests.support import cli
from tests.support.servers import RedisServer

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FAULTS = """
[[faults]]
name = "status"
status = 400
document_id = "crm-507"
message = "Quackenbush 507 has the bad number +14155550107"

[[faults]]
name = "status"
status = 500
where = "after"
document_id = "crm-525"
times = 1

[[faults]]
name = "drop"
where = "before"
document_id = "crm-535"
times = 1

[[faults]]
name = "status"
status = 429
retry_after = 1
document_id = "crm-545"
times = 2

[[faults]]
name = "refuse"
field = "pilot"
pilot = "nobody"
"""


def documents(first: int, number: int) -> list[dict[str, str]]:
    return [
        {
            "name": f"Quackenbush {one}",
            "contact_number": f"+1415555{100 + one % 100:04}",
            "document_id": f"crm-{one}",
        }
        for one in range(first, first + number)
    ]


def request(people: list[dict[str, str]], pilot: str = "agent", **more: Any) -> CallRequest:
    return CallRequest("8KZRTQP7BNW5", pilot, people, "Follow up", **more)


def enqueue(url: str, client: redis.Redis) -> None:
    with CallQueue(url) as queue:
        once, twice = documents(500, 60), documents(500, 20)
        queue.enqueue(request(once, traceparent=TRACE))
        queue.enqueue(request(twice))
        queue.enqueue(request(documents(600, 5), pilot="nobody"))
    late = {
        "space_token": "8KZRTQP7BNW5", "pilot": "agent", "context": "Too late",
        "expires_at": time.time() - 5, "documents": documents(700, 3),
    }  # fmt: skip
    bad = {**late, "documents": [{**documents(800, 1)[0], "contact_number": "Quackenbush"}]}
    stream = keys.stream(keys.REQUESTS)
    client.xadd(stream, {"v": "1", "requests": json.dumps([late, bad]), "trace": "Quackenbush"})


def settled(counts: dict[str, int]) -> bool:
    done = sum(counts.get(f"default|{state}", 0) for state in ("created", "dead", "expired"))
    return counts.get("default|accepted") == 68 and done == 63 and not counts.get("spooled")


def counts_of(client: redis.Redis, name: str) -> dict[str, int]:
    found = client.hgetall(f"{keys.prefix()}:{name}")
    return {key.decode(): int(value) for key, value in found.items() if int(value)}


SUMS = {
    "accepted": {
        "documents": "accepted", "duplicate": "duplicate", "invalid": "invalid", "dead": "dead",
    },
    "attempt created": {"documents": "created"},
    "attempt dead": {"documents": "dead", "created": "created"},
    "attempt": {"created": "created"},
    "lapsed": {"created": "created"},
    "proven": {"documents": "created"},
    "recalled": {"documents": "created"},
    "sent_again": {"documents": "resent"},
    "missing_dead": {"documents": "dead"},
    "expired": {"documents": "expired"},
}  # fmt: skip
"""Which fields of an event add up to which counter; docs/logs.md tells the same."""


def told_of(lines: list[dict[str, Any]]) -> tuple[Counter[str], Counter[str]]:
    """What the events add up to."""
    counts: Counter[str] = Counter()
    submissions: Counter[str] = Counter()
    for line in lines:
        kind, account = line["event"], line.get("account", "")
        if kind in ("attempt", "lapsed") and not line.get("late"):
            label = f"{account}|{line['outcome']}|{line.get('code', '')}"
            submissions[label] += 1 + line.get("suppressed", 0)
        decided = f"{kind} {line.get('decision')}"
        for field, name in SUMS.get(decided, SUMS.get(kind, {})).items():
            counts[f"{account}|{name}"] += line.get(field, 0)
            if field == "documents":
                counts[f"{account}|{name}"] += line.get("suppressed_documents", 0)
    return +counts, +submissions


def test_the_log_tells_what_the_ledger_counted_and_nothing_of_anybody(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text(FAULTS)
    log = tmp_path / "worker.log"
    with (
        RedisServer(append_only=True) as server,
        SandboxProcess(log=tmp_path / "api.jsonl", faults=faults) as api,
        server.client() as client,
        log.open("wb") as written,
    ):
        env = cli.environment(
            tmp_path,
            CALLSPOOL_REDIS_URL=server.url,
            CALLSPOOL_API_URL=api.url,
            CALLSPOOL_BATCH_SIZE="10",
            CALLSPOOL_LINGER="0.1",
            CALLSPOOL_PROOF_QUIET="0.2",
            CALLSPOOL_PROOF_QUIET_ANSWERED="0.2",
            CALLSPOOL_REQUEST_TIMEOUT="3",
            CALLSPOOL_LOG_LEVEL="debug",
            **{name: cli.REAL[name] for name in ("CALLSPOOL_API_TOKEN", "CALLSPOOL_ORG_HANDLE")},
        )
        enqueue(server.url, client)
        worker = subprocess.Popen(
            [*cli.COMMAND, "worker", "--processes", "1"],
            env=env, cwd=tmp_path, stdout=written, stderr=written, start_new_session=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while not settled(counts_of(client, "counts")):
                assert time.monotonic() < deadline, counts_of(client, "counts")
                time.sleep(0.1)
        finally:
            worker.terminate()
            assert worker.wait(60) == 0
        counts, submissions = counts_of(client, "counts"), counts_of(client, "submissions")
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    told, told_submissions = told_of(lines)
    names = {name for sums in SUMS.values() for name in sums.values()}
    wanted = {key: n for key, n in counts.items() if key.partition("|")[2] in names}
    assert told == wanted
    assert told_submissions == submissions
    assert {f"default|{name}" for name in names} == wanted.keys(), "every counter was counted"
    assert {line["event"] for line in lines} >= {"taken", "ready", "parked", "proven"}
    follow_the_trace(lines)
    for secret in (
        "Quackenbush",
        "crm-",
        "4155550",
        "5550",
        "8KZRTQP7",
        cli.REAL["CALLSPOOL_API_TOKEN"],
    ):
        assert secret not in text, secret


def follow_the_trace(lines: list[dict[str, Any]]) -> None:
    """From the message to its batches, their attempts and their runs."""
    (accepted,) = [line for line in lines if line.get("trace") == TRACE]
    attempts = [line for line in lines if line["event"] == "attempt" and "traces" in line]
    assert {tuple(line["traces"]) for line in attempts} == {(TRACE,)}
    assert set(accepted["batches"]) <= {line["batch"] for line in attempts}
    assert all(line["run_id"] for line in attempts if line["decision"] == "created")
    others = [line for line in lines if line["event"] == "attempt" and "traces" not in line]
    assert len({line["lane"] for line in others}) == 1, "of the pilot that nobody knows"
