"""Real workers and an API with limits. How fast they are is benchmarks/gentle.py's business."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from callspool_sandbox.process import SandboxProcess
from tests.support import cli
from tests.support.servers import RedisServer

SPACES = {"default": "8KZDEFAULT", "sales": "8KZSALES"}


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as started:
        yield started


class Stage:
    """Workers of two accounts before an API."""

    def __init__(self, folder: Path, server: RedisServer, sandbox: SandboxProcess) -> None:
        self.folder = folder
        self.server = server
        self.sandbox = sandbox
        self.env = cli.environment(
            folder,
            **cli.REAL
            | {
                "CALLSPOOL_REDIS_URL": server.url,
                "CALLSPOOL_API_URL": sandbox.url,
                "CALLSPOOL_BATCH_SIZE": "5",
                "CALLSPOOL_LINGER": "0",
            },
        )
        (folder / "callspool.toml").write_text(
            '[accounts.sales]\napi_token = "tok-1a2b3c4d5e6f"\norg_handle = "sales.example"\n'
        )

    def send(self, account: str, number: int) -> None:
        file = cli.write_contacts(self.folder / f"{account}.csv", number)
        where = ["--account", account, "--space-token", SPACES[account]]
        sent = cli.call(["send", str(file), "--json", *where], self.env, self.folder)
        assert cli.report(sent)["documents"]["enqueued"] == number, sent.stderr

    @contextmanager
    def workers(self, processes: int) -> Iterator[None]:
        with (self.folder / "worker.log").open("a") as log:
            process = subprocess.Popen(
                [*cli.COMMAND, "worker", "--processes", str(processes)],
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield
            process.terminate()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.wait()

    def wait_until_created(self, number: int) -> None:
        with self.server.client() as client:
            reader = LedgerReader(client)
            deadline = time.monotonic() + 120
            while (found := reader.ask(read_summary()).documents)["created"] < number:
                assert time.monotonic() < deadline, (found, self.requests()[-3:])
                time.sleep(0.1)

    def requests(self) -> list[dict[str, Any]]:
        """The requests in the order in which they came, each with the times of both its ends."""
        found = [line for line in self.sandbox.log_lines() if line["event"] == "request"]
        for line in found:
            line["ended"] = datetime.fromisoformat(line["time"]).timestamp()
            line["begun"] = line["ended"] - line["seconds"]
        return sorted(found, key=lambda line: line["begun"])


def faults(**fields: Any) -> str:
    lines = [f"{name} = {str(value).lower()}" for name, value in fields.items() if name != "space"]
    space = [f'space = "{fields["space"]}"'] if "space" in fields else []
    return "\n".join(["[[faults]]", 'name = "status"', "status = 429", *lines, *space])


@pytest.mark.long
def test_ten_workers_that_start_together_keep_to_a_limit_that_nobody_told_them(
    tmp_path: Path, server: RedisServer
) -> None:
    crowd = faults(in_flight_over=10)
    with SandboxProcess(latency=0.2, faults=crowd, log=tmp_path / "api.jsonl") as sandbox:
        stage = Stage(tmp_path, server, sandbox)
        stage.send("default", 1500)
        with stage.workers(processes=10):
            stage.wait_until_created(1500)
        refused = [line for line in stage.requests() if line["status"] == 429]
        assert set(Counter(sandbox.created_ids()).values()) == {1}
        assert len(sandbox.created_ids()) == 1500
        # 300 requests were needed; each try for more costs a few refusals, and more seldom ones.
        assert 1 <= len(refused) <= 30
        with server.client() as client:
            assert client.exists("callspool:{account-default}:holders") == 0


def test_a_wait_that_one_account_is_told_holds_for_all_workers_and_for_no_other_account(
    tmp_path: Path, server: RedisServer
) -> None:
    wait = faults(retry_after=3, nth=12, space=SPACES["sales"])
    with SandboxProcess(latency=0.1, faults=wait, log=tmp_path / "api.jsonl") as sandbox:
        stage = Stage(tmp_path, server, sandbox)
        stage.send("sales", 600)
        stage.send("default", 1500)
        with stage.workers(processes=3):
            stage.wait_until_created(2100)
        requests = stage.requests()
        (refused,) = (line for line in requests if line["status"] == 429)
        told = refused["ended"]

        def begun_meanwhile(account: str) -> list[float]:
            # What was on its way already is let go.
            times = [line["begun"] for line in requests if SPACES[account][-4:] in line["path"]]
            return [each - told for each in times if 0.25 < each - told < 2.9]

        assert begun_meanwhile("sales") == []
        assert len(begun_meanwhile("default")) > 10
        assert Counter(Counter(sandbox.created_ids()).values()) == {
            2: 600,
            1: 900,
        }  # the same people
