"""Text from elsewhere reaches a terminal, a spreadsheet and other users' eyes without harm."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path

import pytest

from callspool_operators.lists import Intake, IntakeOptions, RejectsFile
from callspool_operators.preparing.overview import document_lines
from callspool_operators.terminal.wording import json_line
from callspool_worker.api.accounts import Access
from tests.security.answers import STEERING
from tests.support import cli
from tests.worker.api.conftest import FakeAccount


def test_a_document_is_shown_without_what_steers_a_terminal() -> None:
    raw = json.dumps({f"own{STEERING}": STEERING, "n": {STEERING: [STEERING]}, "x" * 9999: "1"})
    lines = document_lines(raw.encode())
    assert all(line.isprintable() and len(line) < 200 for line in lines)


def test_json_for_scripts_keeps_every_character_and_steers_no_terminal() -> None:
    text = f"{STEERING}\x7f\x80\x9f\u2028\u2066ü\N{GRINNING FACE}"
    line = json_line({"reason": text})
    assert line.isprintable()
    assert json.loads(line) == {"reason": text}


def test_a_dry_run_of_a_hostile_file_steers_no_terminal(tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    file.write_text(f'name,phone,"x{STEERING}"\n"A{STEERING}",+14155550123,"{STEERING}"\n')
    env = cli.environment(tmp_path, **cli.REAL)
    done = cli.call(["send", str(file), "--dry-run"], env, tmp_path)
    assert done.returncode == 0, done.stderr
    for line in (done.stdout + done.stderr).split("\n"):
        assert line.isprintable(), line
    assert "+14155550123" not in done.stdout


def test_no_cell_of_a_rejects_file_is_a_formula(tmp_path: Path) -> None:
    source = tmp_path / "c.csv"
    rows = ["=cmd|' /C calc'!A0", "+HYPERLINK(1)", "-2+3", "@SUM(1)", "plain"]
    source.write_text("name,phone\n" + "".join(f"{row},12\n" for row in rows))
    path = tmp_path / "rejects.csv"
    with RejectsFile(str(path), [str(source)]) as rejects:
        list(Intake([str(source)], IntakeOptions(), rejects=rejects))
    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))[1:]
    assert [row[0] for row in found] == [f"'{row}" for row in rows[:4]] + ["plain"]
    assert path.stat().st_mode & 0o077 == 0


def test_a_token_file_that_everybody_may_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "token"
    file.write_text("tok-0123456789abcdef")
    for mode, warned in ((0o600, False), (0o640, False), (0o644, True)):
        file.chmod(mode)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            Access("default", FakeAccount("https://unpod.test", api_token_file=file))
        assert ("chmod" in caplog.text) is warned
        assert "tok-" not in caplog.text
