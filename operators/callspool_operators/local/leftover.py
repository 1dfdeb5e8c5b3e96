"""Ending a server that an earlier run left behind, and certainly nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS = frozenset({"valkey-server", "redis-server"})


def command_of_server(binary: Path, directory: Path) -> list[str]:
    """How a server is started, so that its process can be recognised afterwards.

    The configuration comes through stdin: a file's name would be taken for a pattern, and a
    directory with brackets in its name would then start a server without any configuration.
    """
    return [str(binary), "-", "--dir", str(directory)]


def is_server_of(pid: int, directory: Path) -> bool:
    """Whether that process is, beyond doubt, a server of that directory."""
    if Path("/proc/self/cmdline").exists():
        return _is_command(_arguments(pid), directory)
    return _is_command_line(_command_line(pid), directory)


def _arguments(pid: int) -> list[str]:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in raw.split(b"\0")[:-1]]


def _is_command(words: list[str], directory: Path) -> bool:
    if not words or Path(words[0]).name not in PROGRAMS:
        return False
    return words[1:] == command_of_server(Path(words[0]), directory)[1:]


def _command_line(pid: int) -> str:
    command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a number
    return os.fsdecode(shown.stdout).rstrip("\n")


def _is_command_line(line: str, directory: Path) -> bool:
    program, mark, rest = line.partition(" - --dir ")
    return bool(mark) and Path(program).name in PROGRAMS and rest == str(directory)


def recorded_pid(pid_file: Path) -> int | None:
    """The process number that a server wrote down; None when there is none to read."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return pid if pid > 1 else None


def signal_server(pid: int, directory: Path, number: signal.Signals) -> bool:
    """Signals that process if it is a server of that directory; says whether it was."""
    try:
        # A handle opened before the look cannot come to mean another process after it.
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # macOS and old kernels have no handles
        return _send(lambda: os.kill(pid, number), pid, directory)
    try:
        return _send(lambda: signal.pidfd_send_signal(handle, number), pid, directory)
    finally:
        os.close(handle)


def _send(send: Callable[[], None], pid: int, directory: Path) -> bool:
    if not is_server_of(pid, directory):
        return False
    with suppress(ProcessLookupError):
        send()
    return True
