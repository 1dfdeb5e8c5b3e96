"""A sandbox in a process of its own, for tests and for `callspool run --sandbox`."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from callspool.errors import CallspoolError
from callspool_sandbox.log import created_document_ids, read_log

_START_TIMEOUT = 20.0
_STOP_TIMEOUT = 10.0


class SandboxNotStarted(CallspoolError):  # noqa: N818 - says what is the matter
    """The sandbox ended, or said nothing, before it listened; the text is its own last line."""


class SandboxProcess:
    """Starts, stops and kills one sandbox; a context manager.

    The sandbox runs in a session of its own (a terminal's Ctrl-C does not reach it) and ends by
    itself when this process does. ``faults`` is a path, or the text of a fault file in TOML;
    ``latency`` is in seconds. A sandbox that is started again keeps its port and appends to its
    log, but has forgotten what it created.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        latency: float = 0.0,
        faults: Path | str | None = None,
        seed: int | None = None,
        log: Path | None = None,
        token: str | None = None,
        org_handle: str | None = None,
        max_body: int | None = None,
        call_speed: float | None = None,
    ) -> None:
        self.log_path = log
        self._port = port
        self._token = token
        self._faults = faults
        self._options: dict[str, object] = {
            "--latency": f"{latency:.6f}",
            "--seed": seed,
            "--log": log,
            "--org-handle": org_handle,
            "--max-body": max_body,
            "--call-speed": call_speed,
        }
        self._stderr: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base URL, known once it has been started."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> SandboxProcess:
        """Returns once requests are answered. Raises SandboxNotStarted."""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _forget()
        with tempfile.TemporaryDirectory(prefix="callspool-sandbox-") as directory:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                self._command(Path(directory)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=self._environment(),
                start_new_session=True,
            )
            try:
                self._port = self._wait_until_ready(self._process)
            except BaseException:
                self.kill()
                raise
        return self

    def stop(self) -> None:
        """Ends it by SIGTERM, and by SIGKILL where that is not enough."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._forget()

    def kill(self) -> None:
        """Ends it by SIGKILL, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._forget()

    def log_lines(self) -> list[dict[str, Any]]:
        """Returns the log so far."""
        return list(read_log(self._log()))

    def created_ids(self) -> list[str]:
        """Returns the `document_id` of every task created so far, doubles included."""
        return created_document_ids(self._log())

    def complaints(self) -> str:
        """Returns what the running sandbox has written to stderr: nothing, unless it has a bug."""
        if self._stderr is None:
            return ""
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode(errors="replace")

    def __enter__(self) -> SandboxProcess:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _log(self) -> Path:
        if self.log_path is None:
            raise ValueError("this sandbox was started without a log; pass log=")
        return self.log_path

    def _command(self, directory: Path) -> list[str]:
        command = [sys.executable, "-m", "callspool_sandbox", "--until-stdin-closes"]
        command += ["--port", str(self._port)]
        if isinstance(self._faults, str):
            written = directory / "faults.toml"
            written.write_text(self._faults)
            command += ["--faults", str(written)]
        elif self._faults is not None:
            command += ["--faults", str(self._faults)]
        for option, value in self._options.items():
            if value is not None:
                command += [option, str(value)]
        return command

    def _environment(self) -> dict[str, str]:
        # The token stays out of the process list.
        environment = {k: v for k, v in os.environ.items() if k != "UNPOD_SANDBOX_TOKEN"}
        if self._token is not None:
            environment["UNPOD_SANDBOX_TOKEN"] = self._token
        return environment

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> int:
        assert process.stdout is not None
        deadline = time.monotonic() + _START_TIMEOUT
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise SandboxNotStarted(f"the sandbox did not listen within {_START_TIMEOUT:.0f} s")
            piece = os.read(process.stdout.fileno(), 4096)
            if not piece:
                raise SandboxNotStarted(self._last_words())
            line += piece
        return int(line.decode().rpartition(":")[2])

    def _last_words(self) -> str:
        lines = self.complaints().strip().splitlines()
        return lines[-1].removeprefix("Error: ") if lines else "the sandbox ended at once"

    def _forget(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None
