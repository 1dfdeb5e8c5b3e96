"""A lock on a file that the kernel gives back when its last holder is gone, however it went."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from callspool.errors import CallspoolError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLL = 0.02
"""Seconds between two looks at something that gives no notice of itself."""


def wait_until(done: Callable[[], bool], timeout: float) -> bool:
    """Asks until the answer is yes or ``timeout`` seconds are over; says which it was."""
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True


class FileLock:
    """An exclusive lock (flock) of this process and of the children that inherit its descriptor.

    It is held until every one of them has closed the descriptor or ended. A process number in a
    file can name a stranger after a while; this cannot.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Takes the lock if nobody holds it. CallspoolError where the disk knows no locks."""
        if self._descriptor is not None:
            return True
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:
            os.close(descriptor)
            raise CallspoolError(
                f"{self.path} cannot be locked ({error.strerror}): "
                "choose a --state-dir on a local disk"
            ) from error
        self._descriptor = descriptor
        return True

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise CallspoolError(
                f"{self.path} cannot be opened ({error.strerror}): choose another --state-dir"
            ) from error

    def wait(self, timeout: float) -> bool:
        """The same, for at most ``timeout`` seconds."""
        return wait_until(self.acquire, timeout)

    def fileno(self) -> int:
        """The descriptor that a child inherits to hold the lock as well."""
        if self._descriptor is None:
            raise ValueError(f"the lock {self.path} is not held")
        return self._descriptor

    def release(self) -> None:
        """Gives up this process's part. Children that inherited the lock go on holding it."""
        if self._descriptor is not None:
            # Closed, not unlocked: LOCK_UN would take the lock from the children too.
            os.close(self._descriptor)
            self._descriptor = None

    def write(self, text: str) -> None:
        """Leaves a note in the file for those who find it locked; a full disk may lose it."""
        with suppress(OSError):
            os.ftruncate(self.fileno(), 0)
            os.pwrite(self.fileno(), text.encode(), 0)

    def read(self) -> str:
        """The holder's note; empty when there is none."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
