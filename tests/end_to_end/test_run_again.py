"""Runs that meet a fault, and what the next run of the same file does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from callspool_sandbox.process import SandboxProcess
from tests.support import cli

Serve = Callable[[str], tuple[SandboxProcess, dict[str, str]]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """An API with faults (TOML), and the settings of an account there."""
    with ExitStack() as stack:

        def start(faults: str) -> tuple[SandboxProcess, dict[str, str]]:
            log = tmp_path / "api.jsonl"
            api = stack.enter_context(SandboxProcess(log=log, faults=faults))
            return api, cli.environment(tmp_path, CALLSPOOL_API_URL=api.url, **cli.REAL)

        yield start


def run(env: dict[str, str], cwd: Path, *arguments: str) -> tuple[int, dict[str, int]]:
    result = cli.call(["run", str(cwd / "contacts.csv"), "--json", *arguments], env, cwd)
    assert "Traceback" not in result.stderr
    documents: dict[str, int] = cli.report(result)["documents"]
    return result.returncode, documents


def test_documents_that_were_refused_are_sent_by_the_next_run(tmp_path: Path, serve: Serve):
    api, env = serve('[[faults]]\nname = "status"\nstatus = 413\ntimes = 3\n')
    cli.write_contacts(tmp_path / "contacts.csv", 2)
    code, documents = run(env, tmp_path)
    assert (code, documents["dead"]) == (1, 2)
    code, documents = run(env, tmp_path)
    assert (code, documents["created"]) == (0, 2)
    assert set(Counter(api.created_ids()).values()) == {1}


def test_a_run_tries_again_what_an_earlier_one_found_parked(tmp_path: Path, serve: Serve):
    api, env = serve('[[faults]]\nname = "status"\nstatus = 401\ntimes = 2\n')
    env["CALLSPOOL_MAX_IN_FLIGHT"] = "1"
    cli.write_contacts(tmp_path / "contacts.csv", 300)
    code, documents = run(env, tmp_path, "--processes", "1", "--threads", "2")
    assert (code, documents["waiting"]) == (1, 300)
    for _ in range(3):
        code, documents = run(env, tmp_path)
        if code == 0:
            break
    assert documents["created"] == 300
    assert set(Counter(api.created_ids()).values()) == {1}


def test_a_run_ends_although_its_documents_wait_behind_the_gate_of_an_earlier_request(
    tmp_path: Path, serve: Serve
):
    _, env = serve('[[faults]]\nname = "status"\nstatus = 404\npilot = "wrong"\n')
    cli.write_contacts(tmp_path / "contacts.csv", 30)
    for pilot in ("wrong", "right"):
        code, documents = run(env, tmp_path, "--pilot", pilot)
        assert (code, documents["waiting"], documents["created"]) == (1, 30, 0)
    code, documents = run(env, tmp_path, "--pilot", "right", "--campaign", "corrected")
    assert (code, documents["created"]) == (0, 30)


def test_a_fault_that_all_documents_share_parks_the_lane_after_few_questions(
    tmp_path: Path, serve: Serve
):
    api, env = serve('[[faults]]\nname = "status"\nstatus = 422\n')
    cli.write_contacts(tmp_path / "contacts.csv", 400)
    code, documents = run(env, tmp_path, "--processes", "1", "--threads", "2")
    assert (code, documents["created"]) == (1, 0)
    assert documents["dead"] <= 10
    assert documents["waiting"] >= 390
    assert len([line for line in api.log_lines() if line.get("status") == 422]) < 40
    rehearsal = cli.call(
        ["run", str(tmp_path / "contacts.csv"), "--pilot", "right", "--dry-run"], env, tmp_path
    )
    left = documents["waiting"]
    assert (
        f"  {left} waiting from an earlier run, sent when they may be called\n" in rehearsal.stdout
    )
    behind = f"{left} wait with another pilot, context or schedule ({left} behind a closed gate)"
    assert behind in rehearsal.stdout
    assert "cancel" in rehearsal.stdout


def test_a_list_that_counts_from_one_again_is_told_from_duplicates(tmp_path: Path, serve: Serve):
    api, env = serve("")
    kept = ["--state-dir", str(tmp_path / "ledger")]
    contacts = tmp_path / "contacts.csv"
    contacts.write_text("ID,Name,Phone\n1,Ada,+14155550100\n2,Bo,+14155550101\n")
    assert run(env, tmp_path, *kept)[0] == 0
    contacts.write_text(
        "ID,Name,Phone\n1,Cy,+14155550102\n2,Bo,+1 415 555 0101\n3,Di,+14155550103\n"
    )
    code, documents = run(env, tmp_path, *kept)
    assert code == 1
    counts = {name: documents[name] for name in ("read", "accepted", "duplicate", "conflict")}
    assert counts == {"read": 3, "accepted": 1, "duplicate": 1, "conflict": 1}
    result = cli.call(["run", str(contacts), *kept], env, tmp_path)
    assert "1 row not called: the ledger knows the id with another number" in result.stdout
    assert "if it is the same number without its country: --region\n" in result.stdout
    answers = tmp_path / "answers.csv"
    cli.call(["results", str(contacts), "-o", str(answers), *kept], env, tmp_path)
    rows = answers.read_text().splitlines()[1:]
    assert [row.split(",")[3] for row in rows] == ["conflict", "created", "created"]
    assert "its id belongs to another number" in rows[0]
    assert [bool(row.split(",")[6]) for row in rows] == [False, True, True]
    status = cli.report(cli.call(["status", "--json", *kept], env, tmp_path))["documents"]
    assert status["conflict"] == 2
    code, documents = run(env, tmp_path, "--id-prefix", "tue-", *kept)
    assert (code, documents["created"], documents["conflict"]) == (0, 3, 0)
    assert set(Counter(api.created_ids()).values()) == {1}


def test_a_daily_quota_goes_on_where_the_last_one_ended(tmp_path: Path, serve: Serve):
    api, env = serve("")
    cli.write_contacts(tmp_path / "contacts.csv", 12)
    for day, created in enumerate((5, 5, 2)):
        code, documents = run(env, tmp_path, "--new", "5")
        assert (code, documents["created"], documents["accepted"]) == (0, created, created)
        assert documents["duplicate"] == 5 * day
        assert documents["read"] == 5 * day + created
    assert sorted(api.created_ids()) == sorted(f"crm-{row}" for row in range(12))


def test_who_was_cancelled_or_suppressed_is_not_called_by_the_same_command_again(
    tmp_path: Path, serve: Serve
):
    api, env = serve('[[faults]]\nname = "status"\nstatus = 401\ntimes = 1\n')
    kept = ["--state-dir", str(tmp_path / "kept")]
    cli.write_contacts(tmp_path / "contacts.csv", 3)
    code, documents = run(env, tmp_path, *kept)
    assert (code, documents["waiting"]) == (1, 3)
    for command in (
        ["cancel", "--document-id", "crm-0", "--yes"],
        ["suppress", "add", "+12005550101", "--source", "asked by mail"],
    ):
        done = cli.call([*command, *kept], env, tmp_path)
        assert done.returncode == 0, done.stderr
    code, documents = run(env, tmp_path, *kept)
    assert (code, documents["created"], documents["suppressed"]) == (0, 1, 1)
    assert (documents["read"], documents["accepted"], documents["duplicate"]) == (3, 1, 1)
    file, out = str(tmp_path / "contacts.csv"), str(tmp_path / "out.csv")
    cli.call(["results", file, "-o", out, *kept], env, tmp_path)
    first, second, _ = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert "cancelled by an operator, which is final for its campaign" in first
    assert "suppressed: on the global list since 20" in second
    shown = cli.call(["show", "crm-0", *kept], env, tmp_path).stdout
    assert "--again" in shown
    code, documents = run(env, tmp_path, "--again", *kept)
    assert (code, documents["created"], documents["suppressed"]) == (0, 1, 1)
    assert sorted(api.created_ids()) == ["crm-0", "crm-2"]
