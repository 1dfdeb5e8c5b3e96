from __future__ import annotations

import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from callspool_ledger.guard import Suppression
from callspool_sandbox.log import read_log
from callspool_sandbox.process import SandboxProcess
from tests.support import cli
from tests.support.servers import RedisServer

CONTACTS = 8_000
LISTED = 1_000


def number_of(row: int) -> str:
    return f"+1{200 + row // 100}55501{row % 100:02}"


@pytest.mark.parametrize("is_asked_already", [False, True])
def test_no_create_call_that_begins_after_numbers_were_suppressed_holds_one_of_them(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess, is_asked_already: bool
):
    with RedisServer() as server, server.client() as client:
        if is_asked_already:  # all batches are cleared when their documents are accepted
            Suppression([client], "test").add(["+14155550199"], "global")
        env |= {"CALLSPOOL_REDIS_URL": server.url, "CALLSPOOL_BATCH_SIZE": "20"}
        file = cli.write_contacts(tmp_path / "contacts.csv", CONTACTS)
        sent = cli.call(["send", str(file), "--json"], env, tmp_path)
        assert cli.report(sent)["documents"]["enqueued"] == CONTACTS, sent.stderr
        listed = {f"crm-{row}": number_of(row) for row in range(0, CONTACTS, CONTACTS // LISTED)}
        with (tmp_path / "worker.log").open("w") as log:
            worker = subprocess.Popen(
                [*cli.COMMAND, "worker", "--threads", "4"], env=env, cwd=tmp_path, stderr=log
            )
        try:
            while len(sandbox.created_ids()) < CONTACTS // 10:
                assert worker.poll() is None
                time.sleep(0.02)
            added = Suppression([client], "test").add(listed.values(), "global")
            returned = time.time()
            assert added.added == LISTED
            deadline = time.monotonic() + 60
            while (status := documents(env, tmp_path))["waiting"] + status["sending"]:
                assert time.monotonic() < deadline, status
                time.sleep(0.1)
        finally:
            worker.terminate()
            worker.wait()
    late = {
        identity
        for line in read_log(tmp_path / "api.jsonl")
        if datetime.fromisoformat(line["time"]).timestamp() > returned
        for identity in line.get("created", ())
    }
    assert late, "all was created before the numbers were suppressed"
    assert not late & listed.keys()
    created = set(sandbox.created_ids())
    assert created | listed.keys() == {f"crm-{row}" for row in range(CONTACTS)}
    assert status["cancelled"] == CONTACTS - len(created)
    assert 0 < status["cancelled"] <= LISTED


def documents(env: dict[str, str], folder: Path) -> dict[str, int]:
    found: dict[str, int] = cli.report(cli.call(["status", "--json"], env, folder))["documents"]
    return found
