"""How the embedded server is started, and how one that an earlier run left behind is ended.

It has one user and one socket, nothing on the network, and keeps everything on disk.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from callspool_operators.local.state import StateDir


LONGEST_SOCKET = 100
"""Bytes of a socket's path; the kernels take 107 (Linux) and 103 (macOS)."""

SETTINGS = """\
port 0
unixsocketperm 700
daemonize no
set-proc-title no
loglevel notice
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
maxmemory-policy noeviction
"""


def write_configuration(state: StateDir, socket: Path) -> None:
    """Writes the server's configuration, and where its socket is going to be."""
    places = {
        "dir": state.path,
        "unixsocket": socket,
        "pidfile": state.pid_file,
        "logfile": state.log_file,
    }
    lines = [b"%s %s\n" % (name.encode(), quote(path)) for name, path in places.items()]
    _write_private(state.config_file, SETTINGS.encode() + b"".join(lines))
    _write_private(state.socket_record, os.fsencode(socket))


def quote(path: Path) -> bytes:
    """Returns a path as the server's configuration spells it."""
    plain = range(0x20, 0x7F)
    letters = (
        b"%c" % byte if byte in plain and byte not in b'\\"' else b"\\x%02x" % byte
        for byte in os.fsencode(path)
    )
    return b'"' + b"".join(letters) + b'"'


def _write_private(path: Path, content: bytes) -> None:
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def socket_beside(state: StateDir) -> Path:
    """Returns the socket's usual place."""
    return state.path / "valkey.sock"


def recorded_socket(state: StateDir) -> Path | None:
    """Returns where an earlier start put the socket, if that place is still this user's alone."""
    try:
        socket = Path(os.fsdecode(state.socket_record.read_bytes()))
    except OSError:
        return None
    return socket if _is_private(socket.parent) else None


def _is_private(directory: Path) -> bool:
    try:
        found = directory.lstat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077


def place_for_socket(state: StateDir) -> Path:
    """Returns the place of the socket: the state directory, or a private one if it is too long."""
    beside = socket_beside(state)
    if len(os.fsencode(beside)) <= LONGEST_SOCKET:
        return beside
    earlier = recorded_socket(state)
    if earlier is not None and earlier.parent != state.path:
        return earlier
    return Path(_temporary_directory()) / beside.name


def _temporary_directory() -> str:
    made = tempfile.mkdtemp(prefix="callspool-")
    if len(os.fsencode(made)) <= LONGEST_SOCKET - len("/valkey.sock"):
        return made
    Path(made).rmdir()
    return tempfile.mkdtemp(prefix="callspool-", dir="/tmp")


def forget_socket(state: StateDir, socket: Path) -> None:
    """Removes what a server that is certainly gone has left of its socket."""
    socket.unlink(missing_ok=True)
    if socket.parent != state.path and _is_private(socket.parent):
        socket.parent.rmdir()
    for leftover in (state.socket_record, state.pid_file, state.config_file):
        leftover.unlink(missing_ok=True)


PROGRAMS = frozenset({"valkey-server", "redis-server"})


def command_of_server(binary: Path, directory: Path) -> list[str]:
    """Returns how a server is started, so that its process can be recognised afterwards.

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
    """Returns the process number that a server wrote down; None when there is none to read."""
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
