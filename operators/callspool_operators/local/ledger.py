"""The ledger of one state directory: for a run, which works on it, or for a look at it."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from callspool.errors import CallspoolError
from callspool_ledger.keys import PartitionKeys
from callspool_operators.local.server import PATIENCE, EmbeddedServer, client
from callspool_operators.local.state import POLL, FileLock, StateDir, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAIT_FOR_LOOK = {"run": 15.0, "look": 3.0}
"""Seconds for which each waits for a look that is under way, which takes a moment."""


class StateDirBusy(CallspoolError):  # noqa: N818 - says what is the matter
    """Another run, or what is left of one, uses the state directory."""


class LocalLedger:
    """The ledger in a state directory, on an embedded server, for this process alone.

    A context manager; `open` and `close` do the same by hand. Raises `StateDirBusy` where another
    run holds the directory, and QueueUnavailable where the server does not start.
    """

    def __init__(
        self,
        state_dir: Path | str,
        *,
        binary: Path | None = None,
        patience: float = PATIENCE,
        purpose: Literal["run", "look"] = "run",
    ) -> None:
        self.state = StateDir(state_dir)
        self.adopted = False
        """Whether the server was left over from an earlier run."""
        self._server = EmbeddedServer(self.state, binary, patience)
        self._run_lock = FileLock(self.state.run_lock)
        self._workers_lock = FileLock(self.state.workers_lock)
        self._purpose = purpose

    @property
    def url(self) -> str:
        """What clients connect to: ``unix://…``."""
        return socket_url(self._server.socket)

    def open(self) -> None:
        self.state.prepare()
        self._lock()
        try:
            self.adopted = self._server.ensure()
            if self._server.lost_nothing:
                self._vouch_for_the_server()
        except BaseException:
            self.close()
            raise

    def _vouch_for_the_server(self) -> None:
        """Tells the ledger that this server is new, but knows all that the last one did."""
        with client(self._server.socket) as connected:
            run_id = connected.info("server")["run_id"]
            history = connected.info("replication")["master_replid"]
            meta = PartitionKeys().meta
            if connected.hexists(meta, "server"):
                connected.hset(meta, mapping={"server": run_id, "replid": history})

    def _lock(self) -> None:
        wait_until(self._locked_or_hopeless, WAIT_FOR_LOOK[self._purpose])
        if not self._run_lock.held:
            raise StateDirBusy(
                f"{_holder(self._run_lock)} uses {self.state}; "
                "wait for it or choose another --state-dir"
            )
        self._run_lock.write(f"{self._purpose} {os.getpid()}\n")

    def _locked_or_hopeless(self) -> bool:
        return self._run_lock.acquire() or self._run_lock.read().startswith("run")

    def ensure_running(self) -> bool:
        """Starts the server again if it was killed meanwhile; says whether it was."""
        if self._server.running():
            return False
        self._server.ensure()
        return True

    def wait_for_old_workers(
        self, timeout: float, on_wait: Callable[[], None] | None = None
    ) -> None:
        """Returns when no worker of an earlier run lives any more, and keeps it that way.

        ``on_wait`` is called once if there is something to wait for. Raises `StateDirBusy` after
        ``timeout`` seconds.
        """
        if self._workers_lock.acquire():
            return
        if on_wait is not None:
            on_wait()
        if not self._workers_lock.wait(timeout):
            raise StateDirBusy(
                f"workers of an earlier run still finish what they sent from {self.state}; "
                "try again in a minute"
            )

    def inherit_fds(self) -> tuple[int, ...]:
        """Returns the descriptors that every worker process has to inherit (``pass_fds``).

        Only after `wait_for_old_workers`; else a ValueError.
        """
        return (self._workers_lock.fileno(),)

    def close(self) -> None:
        """Stops the server, unless workers still need it: then the next run finds it running."""
        if not self._run_lock.held:
            return
        try:
            self._workers_lock.release()
            if self._workers_lock.acquire():
                self._server.stop()
        finally:
            self._workers_lock.release()
            self._run_lock.release()

    def __enter__(self) -> LocalLedger:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def open_ledger(
    state_dir: Path | str, *, binary: Path | None = None, may_begin: bool = False
) -> Iterator[str]:
    """The URL of a ledger for a look at it: of the run that uses it, else of a server for the look.

    ``may_begin``: where the directory holds no ledger, one is begun; else raises CallspoolError.
    """
    state = StateDir(state_dir)
    if not state.has_ledger and not may_begin:
        raise CallspoolError(
            f"there is no ledger in {state}: name the directory of a run with --state-dir"
        )
    look = LocalLedger(state.path, binary=binary, purpose="look")
    running = _open_or_find(look)
    try:
        yield look.url if running is None else socket_url(running)
    finally:
        look.close()


def _open_or_find(look: LocalLedger) -> Path | None:
    """Opens the look; or returns the socket of the run that holds the directory."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            look.open()
        except StateDirBusy:
            # A run that starts has no server yet, and one that ends gives the directory back.
            socket = EmbeddedServer(look.state).find()
            if socket is not None:
                return socket
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL)
        else:
            return None


def socket_url(socket: Path) -> str:
    """Returns the URL of a server's socket, with what has a meaning in URLs escaped."""
    return f"unix://{quote(os.fsencode(socket))}"


def _holder(lock: FileLock) -> str:
    purpose, _, pid = lock.read().strip().partition(" ")
    who = "a look at the ledger" if purpose == "look" else "another run"
    return f"{who} (pid {pid})" if pid else who
