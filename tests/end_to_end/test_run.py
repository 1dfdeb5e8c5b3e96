from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from callspool_operators.lists import Intake, IntakeOptions
from callspool_sandbox.process import SandboxProcess
from tests.support import cli
from tests.support.terminal import on_a_terminal

MAPPED = (("Wer", "name"), ("Wohin", "contact_number"))
STATES = ("waiting", "sending", "in_doubt", "created", "dead", "cancelled", "expired")


def check_sums(report: dict[str, Any]) -> dict[str, int]:
    documents: dict[str, int] = report["documents"]
    beside = documents["accepted"] + documents["duplicate"] + documents["invalid"]
    assert documents["read"] == beside, documents
    assert documents["accepted"] == sum(documents[state] for state in STATES), documents
    return documents


def wait_until_created(sandbox: SandboxProcess, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(sandbox.created_ids()) < number:
        assert time.monotonic() < deadline, "the sandbox created too few tasks in 60 s"
        time.sleep(0.05)


def test_a_file_is_sent_once_however_often_it_is_run(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess
):
    file = cli.write_contacts(tmp_path / "contacts.csv", 250)
    first = cli.call(["run", str(file), "--json"], env, tmp_path)
    assert (first.returncode, first.stderr.count("Traceback")) == (0, 0), first.stderr
    documents = check_sums(cli.report(first))
    assert (documents["created"], documents["accepted"]) == (250, 250)
    second = cli.call(["run", str(file)], env, tmp_path)
    assert second.returncode == 0
    assert "250 duplicate" in second.stdout
    assert "250 handed over before (the first " in second.stdout
    assert "another --campaign calls them again" in second.stdout
    asked = on_a_terminal(["run", str(file), "--campaign", "spring"], b"n\n", env=env)
    assert asked.code == 130
    host = env["CALLSPOOL_API_URL"]
    assert f"Call 250 new contacts by {host} now, campaign spring? [y/N]" in asked.screen
    seen = on_a_terminal(["run", str(file)], b"", env=env)
    assert "250 handed over before (the first " in seen.screen
    assert "[y/N]" not in seen.screen
    assert Counter(sandbox.created_ids()) == Counter(f"crm-{row}" for row in range(250))


def test_a_rehearsal_follows_its_calls_to_their_end(tmp_path: Path, env: dict[str, str]):
    file = cli.write_contacts(tmp_path / "contacts.csv", 60)
    run = cli.call(["run", str(file), "--sandbox", "--follow", "--json"], env, tmp_path)
    assert run.returncode == 0, run.stderr
    outcomes = cli.report(run)["outcomes"]
    assert outcomes["open"] == outcomes["lost_sight"] == 0
    assert sum(outcomes.values()) == check_sums(cli.report(run))["created"] == 60
    assert outcomes["reached"] > outcomes["not_reached"]


def test_a_run_remembers_how_its_list_was_read(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess
):
    file = tmp_path / "liste.csv"
    file.write_text(
        "Wer;Wohin;Nie\nAda;(415) 555-0100;\nBo;(415) 555-0101;\nCy;none;\nDi;(415) 555-0102;ja\n"
    )
    chosen = ["--map", "Wer=name", "--map", "Wohin=contact_number", "--region", "US"]
    chosen += ["--skip-if", "Nie"]
    kept = ["--state-dir", str(tmp_path / "state")]
    run = cli.call(["run", str(file), *chosen, *kept, "--campaign", "spring"], env, tmp_path)
    assert run.returncode == 0, run.stderr
    found = cli.call(["results", str(file), *kept, "-o", "answers.xlsx"], env, tmp_path)
    assert found.returncode == 0, found.stderr
    assert "read as it was run: --map Wer=name --map Wohin=contact_number" in found.stderr
    refused = cli.call(["results", str(file), *kept, "-o", "none/x.csv"], env, tmp_path)
    assert refused.stderr.count("\n") == 1, refused.stderr
    rows = list(Intake([str(tmp_path / "answers.xlsx")], IntakeOptions(columns=dict(MAPPED))))
    assert [row.cells[1:4] for row in rows] == [
        ["(415) 555-0100", "", "created"],
        ["(415) 555-0101", "", "created"],
        ["none", "", "invalid"],
        ["(415) 555-0102", "ja", "invalid"],
    ]
    other = [*kept, "--map", "Wer=name", "--map", "Wohin=contact_number", "--region", "DE"]
    lost = cli.call(["results", str(file), *other, "-o", "lost.csv"], env, tmp_path)
    assert "unknown: was the list sent with other flags?" in lost.stderr
    assert len(sandbox.created_ids()) == 2


def test_another_campaign_calls_the_same_contacts_again(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess
):
    file = cli.write_contacts(tmp_path / "contacts.csv", 20)
    cli.call(["run", str(file)], env, tmp_path)
    again = cli.call(["run", str(file), "--campaign", "spring", "--json"], env, tmp_path)
    assert check_sums(cli.report(again))["created"] == 20
    assert set(Counter(sandbox.created_ids()).values()) == {2}


def test_bad_rows_and_duplicates_are_counted_and_good_ones_go_on(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess
):
    file = cli.write_contacts(tmp_path / "contacts.csv", 10)
    with file.open("a") as more:
        more.write("crm-3,Person 3,+14155550100,gold\nbad,Nobody,,gold\nworse,X,call me,gold\n")
    rejects = tmp_path / "rejects.csv"
    result = cli.call(["run", str(file), "--json", "--rejects", str(rejects)], env, tmp_path)
    documents = check_sums(cli.report(result))
    assert result.returncode == 0
    expected = {"read": 13, "created": 10, "duplicate": 1, "invalid": 2}
    assert {name: documents[name] for name in expected} == expected
    assert len(rejects.read_text().splitlines()) == 3
    strict = cli.call(["run", str(file), "--strict"], env, tmp_path)
    assert strict.returncode == 1
    assert len(sandbox.created_ids()) == 10


def test_an_interrupted_run_finishes_what_it_sent_and_the_next_one_goes_on(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess
):
    file = cli.write_contacts(tmp_path / "contacts.csv", 20_000)
    env |= {"CALLSPOOL_BATCH_SIZE": "20"}
    interrupted = cli.start(["run", str(file), "--json"], env, tmp_path)
    wait_until_created(sandbox, 500)
    interrupted.send_signal(signal.SIGINT)
    out, err = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130, err
    assert "Traceback" not in err
    finished = cli.call(["run", str(file), "--json"], env, tmp_path)
    assert finished.returncode == 0, finished.stderr
    second = check_sums(cli.report(finished))
    assert 0 < second["duplicate"] < 20_000
    assert second["created"] + second["duplicate"] == 20_000
    assert Counter(sandbox.created_ids()) == Counter(f"crm-{row}" for row in range(20_000))
    assert out.count("\n") == 1


def test_a_killed_run_loses_nobody_and_calls_nobody_twice(
    tmp_path: Path, env: dict[str, str], sandbox: SandboxProcess
):
    file = cli.write_contacts(tmp_path / "contacts.csv", 20_000)
    env |= {"CALLSPOOL_BATCH_SIZE": "20"}
    killed = cli.start(["run", str(file)], env, tmp_path)
    wait_until_created(sandbox, 500)
    killed.kill()
    killed.communicate()
    finished = cli.call(["run", str(file), "--json"], env, tmp_path)
    documents = check_sums(cli.report(finished))
    created = Counter(sandbox.created_ids())
    assert set(created.values()) == {1}
    reported = documents["created"] + documents["duplicate"] + documents["in_doubt"]
    assert reported == 20_000
    assert 20_000 - len(created) <= documents["in_doubt"]
    assert finished.returncode == (1 if documents["in_doubt"] else 0)
