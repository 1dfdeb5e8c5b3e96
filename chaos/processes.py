"""The processes of this machine: from /proc, or from ps where there is none (macOS)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROC = Path("/proc")


class Process(NamedTuple):
    """A process as the system lists it. ``state`` Z: it has ended, its parent has not asked yet."""

    pid: int
    parent: int
    state: str
    command: str


def all_processes() -> list[Process]:
    """Every process that the system lists."""
    if not _has_proc():
        return _ask_ps("-A")
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    return [process for pid in pids if (process := _read(pid)) is not None]


def is_alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    process = _read(pid) if _has_proc() else next(iter(_ask_ps("-p", str(pid))), None)
    return process is not None and process.state != "Z"


def children_of(parent: int) -> list[int]:
    """The numbers of a process's children."""
    return sorted(process.pid for process in all_processes() if process.parent == parent)


def family_of(pids: Iterable[int]) -> list[int]:
    """The numbers of these processes, and of the children, grandchildren … that they have now."""
    children: dict[int, list[int]] = {}
    for process in all_processes():
        children.setdefault(process.parent, []).append(process.pid)
    found = [*pids]
    for each in found:
        found += children.get(each, ())
    return found


def shown_of(pid: int) -> bytes:
    """What the system shows of a process to others of its user: command line and environment."""
    if _has_proc():
        folder = _PROC / str(pid)
        return (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
    return _ps("eww", str(pid))


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _read(pid: int) -> Process | None:
    folder = _PROC / str(pid)
    try:
        state, parent, *_ = (folder / "stat").read_text("latin-1").rpartition(")")[2].split()
        command = (folder / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
    except (OSError, ValueError):
        return None  # it has ended meanwhile
    return Process(pid, int(parent), state[0], os.fsdecode(command))


def _ask_ps(*which: str) -> list[Process]:
    listed = _ps(*which, "-ww", "-o", "pid=,ppid=,stat=,command=")
    rows = [os.fsdecode(line).split(None, 3) for line in listed.splitlines()]
    return [Process(int(row[0]), int(row[1]), row[2][0], "".join(row[3:])) for row in rows]


def _ps(*arguments: str) -> bytes:
    done = subprocess.run(["ps", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    return done.stdout
