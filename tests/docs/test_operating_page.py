"""docs/operating.md: every command is in it, and what it shows is what its script runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from callspool import __version__
from callspool_operators.group import COMMANDS
from scripts import make_operating_page as script
from scripts.transcripts import Normal

TEMPLATE = script.TEMPLATE.read_text(encoding="utf-8")
PAGE = script.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_on_the_page(command: str):
    assert f"callspool {command}" in PAGE, "run python -m scripts.make_operating_page"


def test_the_page_shows_the_commands_of_its_template_and_its_prose():
    lines = script.plan(TEMPLATE, set(COMMANDS))
    why = "run python -m scripts.make_operating_page"
    assert script.commands_of(PAGE.splitlines()) == script.commands_of(lines), why
    prose = [line for line in lines if not line.startswith(("$ ", "<!-- "))]
    assert [line for line in prose if line not in PAGE.splitlines()] == [], why


def test_what_needs_commands_that_are_not_there_is_left_out():
    template = "a\n<!-- needs: lanes dead -->\nb\n<!-- end -->\nc"
    assert script.plan(template, {"lanes"}) == ["a", "c"]
    assert script.plan(template, {"lanes", "dead"}) == ["a", "b", "c"]


def test_commands_are_run_and_what_they_print_is_made_alike(tmp_path: Path):
    lines = [
        "before",
        "<!-- do: echo 'took 1.2 s: in 3.4 s, R0123456789abcdef0123456789abcdef' > out -->",
        "```console",
        '$ cat out; "$CALLSPOOL" -m callspool --version',
        "```",
    ]
    environment = {**os.environ, "CALLSPOOL": sys.executable}
    made = script.Stage(tmp_path, environment, Normal({__version__: "1.0"})).page(lines)
    assert made.splitlines() == [
        *lines[:1],
        *lines[2:4],
        f"took 1.2 s: in 0.5 s, R{1:032x}",
        "callspool 1.0",
        "```",
    ]


def test_times_ids_and_places_of_a_run_are_not_on_the_page():
    normal = Normal({"/tmp/somewhere": "~", "40123": "6379"})
    text = "at 2031-05-06 07:08:09+05:30 (2031-05-06T01:38:09.5Z) localhost:40123 /tmp/somewhere/x"
    assert normal.text(text) == (
        "at 2026-12-01 10:00:00+05:30 (2026-12-01T04:30:00Z) localhost:6379 ~/x"
    )
    first, second = (normal.text(f"T{number * 32}") for number in "ab")
    assert first != second
    assert normal.text(f"T{'a' * 32}") == first
