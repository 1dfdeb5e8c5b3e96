"""Everyday care: help with examples that work, shells that complete, colours, typing errors."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from callspool_operators.group import COMMANDS, callspool
from callspool_operators.terminal import screen
from tests.operators.conftest import Call

EXAMPLE = re.compile(r"(?:^|[|$(\"] ?)callspool ([^|#>\n)]+)")


def commands(
    group: click.Group = callspool, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command, those within groups among them, with the words that name it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = [pytest.param(*each, id=" ".join(each[0])) for each in commands()]


@pytest.mark.parametrize(("path", "command"), ALL)
def test_help_says_what_a_command_is_for_and_what_each_option_means(
    path: tuple[str, ...], command: click.Command
) -> None:
    assert command.help
    options = [each for each in command.params if isinstance(each, click.Option)]
    silent = [each.opts for each in options if not each.hidden and not each.help]
    assert silent == []


@pytest.mark.parametrize(
    ("path", "command"), [each for each in ALL if not isinstance(each.values[1], click.Group)]
)
def test_help_ends_with_examples_that_can_be_typed(
    path: tuple[str, ...], command: click.Command
) -> None:
    # A command within a group may have its examples there.
    group = callspool.get_command(click.Context(callspool), path[0])
    assert group is not None
    epilog = command.epilog or group.epilog or ""
    assert "Examples:" in epilog
    examples = [shlex.split(each) for line in epilog.splitlines() for each in _examples(line)]
    mine = [words for words in examples if tuple(words[: len(path)]) == path]
    assert mine
    assert mine == [words for words in examples if words[0] == path[0]] or len(path) > 1
    for words in mine:
        command.make_context(path[-1], words[len(path) :]).close()


def _examples(line: str) -> list[str]:
    found: list[str] = EXAMPLE.findall(line.strip())
    return found


@pytest.mark.parametrize(
    ("typed", "meant"), [("stauts", "status"), ("snd", "send"), ("result", "results")]
)
def test_a_slip_of_the_fingers_is_met_with_what_was_meant(
    call: Call, typed: str, meant: str
) -> None:
    result = call(typed)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert f"did you mean {meant}" in result.err
    assert "did you mean" not in call("xyzzy").err
    assert "--watch" in call("status", "--wacth").err


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_the_environment_decides_on_colours(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: bool | None
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert screen.want_colours() is expected


def test_states_are_coloured_and_nothing_else() -> None:
    line = "3 dead: 0 created, 1,200 created, no dead end"
    assert click.unstyle(screen.paint(line)) == line
    assert screen.paint(line).count("\x1b[0m") == 2
    assert screen.paint("crm-1: in doubt").endswith("\x1b[33min doubt\x1b[0m")


def test_output_that_no_terminal_sees_has_no_colours_unless_forced(
    call: Call, tmp_path: Path, redis_url: str
) -> None:
    (tmp_path / "list.csv").write_text("id,name,phone\na,Ada,no number\n")
    command = ["results", "list.csv", "--space-token", "8KZ", "--redis", redis_url, "-o", "o.csv"]
    assert "\x1b" not in call(*command).out
    assert "\x1b[31minvalid" in call(*command, FORCE_COLOR="1", NO_COLOR="").out


COMPLETE = """
eval "$(callspool completion bash)"
complete -p callspool > /dev/null || exit 1
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_callspool_completion callspool
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What bash offers for the words of a command line, the last of which is begun."""
    bash = shutil.which("bash")
    assert bash is not None
    script = tmp_path / "callspool"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m callspool "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> list[str]:
        command = [bash, "--norc", "-c", COMPLETE, "bash", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.split()

    return run


def test_bash_completes_commands_options_and_values(complete, monkeypatch) -> None:
    monkeypatch.setenv("CALLSPOOL_REDIS_URL", "redis://192.0.2.1:6379/0")  # answers nobody
    assert complete("callspool", "res")[:1] == ["results"]
    assert complete("callspool", "results", "--sp") == ["--space-token"]
    assert complete("callspool", "send", "--account", "s") == ["sandbox"]


@pytest.mark.parametrize(("shell", "sign"), [("zsh", "#compdef callspool"), ("fish", "complete ")])
def test_other_shells_get_their_script(call: Call, shell: str, sign: str) -> None:
    result = call("completion", shell)
    assert result.code == 0
    assert sign in result.out
    assert "_CALLSPOOL_COMPLETE" in result.out


def test_every_command_can_be_completed_without_the_workers_packages(call: Call) -> None:
    items = callspool.shell_complete(click.Context(callspool), "")
    assert [each.value for each in items] == list(COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["results", "list.csv", "--account", "no such"], "lower-case"),
        (["results", "list.csv", "-o", "answers.ods"], ".csv"),
        (["show", "crm-1", "--account", "no such"], "lower-case"),
        (["show", "crm-1", "--number", "+14155550100"], "not both"),
        (["campaign", "set", "spring", "--hours", "25-99"], "25-99"),
        (["campaign", "set", "spring", "--cap", "0/day"], "0/day"),
        (["campaign", "set", "--hours", "09:00-20:00"], "name the campaign"),
        (["campaign", "set", "spring", "--zone", "Berlin"], "say Europe/Berlin, or hold"),
        (["suppress", "add", "12"], "12 has no country code"),
        (["status", "--count", "2"], "--watch"),
        (["status", "--interval", "2"], "--watch"),
    ],
)
def test_flags_that_would_do_nothing_or_harm_are_refused(
    arguments: list[str], word: str, call: Call
):
    result = call(*arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert word in result.err


def test_a_group_without_its_command_shows_its_help(call: Call):
    result = call("dead")
    assert (result.code, result.out) == (2, "")
    assert "\n  replay " in result.err
