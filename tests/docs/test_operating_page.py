"""docs/operating.md: every command is in it, and its script changes outputs alone."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from callspool import __version__
from callspool_operators.group import COMMANDS
from scripts import make_operating_page as script
from scripts.make_operating_page import Normal

PAGE = script.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_on_the_page(command: str):
    assert f"callspool {command}" in PAGE, "run python -m scripts.make_operating_page"


def test_every_command_of_the_page_was_run():
    lines = PAGE.splitlines()
    bare = [
        line
        for line, below in pairwise(lines)
        if line.startswith(script.PROMPT) and below.startswith((script.PROMPT, script.FENCE))
    ]
    assert bare == [], "run python -m scripts.make_operating_page"


def test_every_comment_of_the_page_is_one_that_its_script_understands():
    comments = [line for line in PAGE.splitlines() if line.startswith("<!--")]
    assert [line for line in comments if not script._DIRECTIVE.fullmatch(line)] == []


def test_only_what_commands_printed_is_taken_from_a_page():
    lines = ["a", "```", "$ no command", "b", "```", "```console", "$ true", "```", "c"]
    assert script.remove_outputs("\n".join(lines)) == lines
    printed = [*lines[:7], "of old", "", "  older", *lines[7:]]
    assert script.remove_outputs("\n".join(printed)) == lines


def test_output_that_looks_like_the_page_s_own_lines_is_refused(tmp_path: Path):
    stage = script.Stage(tmp_path, dict(os.environ), Normal({}))
    for text in ("$ 5", "```"):
        with pytest.raises(ValueError, match="would count as one of the page's own"):
            stage.page([f"$ echo '{text}'"])


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
        *lines[:4],
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
