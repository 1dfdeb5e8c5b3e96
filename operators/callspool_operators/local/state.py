"""The state directory: where `callspool run` keeps its ledger between two runs.

Its locks are the kernel's, which gives them back when the last holder is gone, however it went.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from callspool.errors import CallspoolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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
        """Takes the lock if it is free. CallspoolError where the disk knows no locks."""
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
        """Returns the same, for at most ``timeout`` seconds."""
        return wait_until(self.acquire, timeout)

    def fileno(self) -> int:
        """Returns the descriptor that a child inherits to hold the lock as well."""
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
        """Leaves a note in the file for processes that find it locked; a full disk may lose it."""
        with suppress(OSError):
            os.ftruncate(self.fileno(), 0)
            os.pwrite(self.fileno(), text.encode(), 0)

    def read(self) -> str:
        """Returns the holder's note; empty when there is none."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def default_state_dir(
    environ: Mapping[str, str] | None = None, platform: str = sys.platform
) -> Path:
    """Returns the user's directory for state, as the platform has it.

    Raises CallspoolError where the user has no home directory.
    """
    given = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    # The XDG rules say that a relative path in there is to be ignored.
    if Path(given).is_absolute():
        return Path(given) / "callspool"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise CallspoolError(
            "there is no home directory to keep the ledger in: name a place with --state-dir"
        ) from error
    if platform == "darwin":
        return home / "Library" / "Application Support" / "callspool"
    return home / ".local" / "state" / "callspool"


def find_ledger_of_runs() -> Path | None:
    """Returns the user's directory for state where a run has kept a ledger there."""
    try:
        place = default_state_dir()
    except CallspoolError:
        return None
    return place if StateDir(place).has_ledger else None


def make_private(path: Path) -> None:
    """Makes a directory, and those above it that are missing, for the user alone."""
    # Every one by itself: `parents` makes them as open as the umask lets it.
    for directory in (*reversed(path.parents), path):
        if not directory.exists():
            directory.mkdir(mode=0o700, exist_ok=True)


class StateDir:
    """The files of one state directory, by name."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().resolve()
        self.run_lock = self.path / "run.lock"
        """Held by the one run (or look) that uses the directory."""
        self.server_lock = self.path / "server.lock"
        """Held by the server itself for as long as it lives."""
        self.workers_lock = self.path / "workers.lock"
        """Held by a run and its worker processes, until the last of them is gone."""
        self.config_file = self.path / "valkey.conf"
        self.pid_file = self.path / "valkey.pid"
        self.log_file = self.path / "valkey.log"
        self.socket_record = self.path / "socket"
        """Says where the socket is."""
        self.last_stop = self.path / "last-stop"
        """Says which files the server left when it was ended in order; `note_stop` writes it."""

    def __str__(self) -> str:
        return str(self.path)

    def note_stop(self) -> None:
        """Notes the files that hold the ledger, as a server leaves them that has ended in order."""
        self.last_stop.unlink(missing_ok=True)
        descriptor = os.open(self.last_stop, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._files(), file)

    def take_note(self) -> bool:
        """Whether the ledger's files are the very ones that were noted; the note is good once.

        A copy has other inodes, and the kernel dates every change: files that were put back from a
        backup are not those that the last server left, however old or new they are.
        """
        try:
            noted = json.loads(self.last_stop.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return False
        self.last_stop.unlink(missing_ok=True)
        return bool(noted == self._files())

    def _files(self) -> dict[str, list[int]]:
        found = {}
        for path in sorted((self.path / "appendonlydir").glob("*")):
            about = path.lstat()
            found[path.name] = [about.st_ino, about.st_size, about.st_ctime_ns]
        return found

    @property
    def has_ledger(self) -> bool:
        return (self.path / "appendonlydir").is_dir()

    def prepare(self) -> None:
        """Makes the directory, readable for its owner alone.

        Raises CallspoolError where that cannot be done, or the directory is used for something
        else: closing /tmp to everybody else would be a poor favour.
        """
        try:
            make_private(self.path)
            self._refuse_what_is_not_ours()
            if stat.S_IMODE(self.path.stat().st_mode) & 0o077:
                self.path.chmod(0o700)
        except OSError as error:
            raise CallspoolError(
                f"{self} cannot hold the ledger ({error.strerror}): choose another --state-dir"
            ) from error

    def _refuse_what_is_not_ours(self) -> None:
        owner, user = self.path.stat().st_uid, os.geteuid()
        if user not in {owner, 0}:
            raise CallspoolError(f"{self} belongs to another user: choose another --state-dir")
        strangers = (it for it in self.path.iterdir() if not _is_furniture(it.name))
        if not self.run_lock.exists() and any(strangers):
            raise CallspoolError(
                f"{self} holds other files: choose an empty or a new directory as --state-dir"
            )


def _is_furniture(name: str) -> bool:
    """What systems leave in an empty directory, and what a rehearsal on another Redis does."""
    return name.startswith(".") or name in {"lost+found", "sandbox.jsonl"}
