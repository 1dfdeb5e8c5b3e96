"""Where every command starts, and where every error becomes one line and an exit code."""

import gc
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import click

from callspool.errors import ApiUnreachable, CallspoolError, QueueFull, QueueUnavailable
from callspool_operators.group import callspool
from callspool_operators.terminal.exits import Exit, Interrupted, OutputGone
from callspool_operators.terminal.wording import plain

_NAME = "callspool"
_CODES: dict[type[CallspoolError], Exit] = {
    QueueUnavailable: Exit.UNREACHABLE,
    ApiUnreachable: Exit.UNREACHABLE,
    QueueFull: Exit.NOT_ALL,
    Interrupted: Exit.INTERRUPTED,
}


def main() -> None:
    """Runs the console command with the process's arguments, and exits."""
    gc.disable()  # until the command is loaded: `group`
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show is no reason to stop.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit code; errors are told on stderr, in one line."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, OutputGone):
        _abandon(sys.stdout)
        return Exit.BROKEN_PIPE
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        result = callspool.main(list(arguments), prog_name=_NAME, standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return _tell("interrupted", Exit.INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as fault:
        fault.show()
        return Exit.WRONG_USE
    except click.ClickException as fault:
        return _tell(_sentence(fault), Exit.WRONG_USE)
    except CallspoolError as fault:
        return _tell(str(fault), _code(fault))
    except OSError as fault:
        where = f"{fault.filename}: " if fault.filename else ""
        return _tell(f"{where}{fault.strerror or fault}", Exit.WRONG_USE)
    return result if isinstance(result, int) else Exit.DONE


def _code(fault: CallspoolError) -> Exit:
    for kind, code in _CODES.items():
        if isinstance(fault, kind):
            return code
    return Exit.WRONG_USE


def _sentence(fault: click.ClickException) -> str:
    text = fault.format_message().rstrip(".")
    command = fault.ctx.command_path if isinstance(fault, click.UsageError) and fault.ctx else ""
    return f"{text} (see {command} --help)" if command else text


def _tell(text: str, code: Exit) -> Exit:
    line = plain(text, 2000)
    click.echo(line if line.startswith(f"{_NAME} ") else f"{_NAME}: {line}", err=True)
    return code


def _abandon(stream: TextIO) -> None:
    """Lets the interpreter flush the stream at its exit without another error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
