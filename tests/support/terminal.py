"""A command on a terminal of its own, where somebody answers."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Stream = Literal["stdin", "stdout", "stderr"]


@dataclass(frozen=True)
class Seen:
    """``screen``: what came to the terminal; ``piped``: what went to streams that are pipes."""

    code: int
    screen: str
    piped: str


def on_a_terminal(
    arguments: list[str],
    answer: bytes,
    *,
    pipes: tuple[Stream, ...] = (),
    env: Mapping[str, str] = os.environ,
    columns: int = 100,
) -> Seen:
    """Runs the command, all of its streams on the terminal but for ``pipes``."""
    ours, theirs = pty.openpty()
    streams = {name: theirs for name in ("stdin", "stdout", "stderr") if name not in pipes}
    with subprocess.Popen(
        [sys.executable, "-m", "callspool", *arguments],
        stdin=streams.get("stdin", subprocess.DEVNULL),
        stdout=streams.get("stdout", subprocess.PIPE),
        stderr=streams.get("stderr", subprocess.PIPE),
        env={**env, "TERM": "xterm", "COLUMNS": str(columns)},
    ) as process:
        os.close(theirs)
        os.write(ours, answer)
        screen = _all_of(ours)
        piped = b"".join(pipe.read() for pipe in (process.stdout, process.stderr) if pipe)
    os.close(ours)
    return Seen(process.returncode, screen.decode(), piped.decode())


def _all_of(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:  # the terminal is gone with its last process
            return shown
        if not block:
            return shown
        shown += block
