"""A real PostgreSQL for tests: Debian's, started in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

NEEDED = "CALLSPOOL_TEST_REQUIRE_POSTGRES"
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def find_programs() -> Path | None:
    """Returns the folder of PostgreSQL's programs, if there is one."""
    found = shutil.which("initdb")
    return next((each for each in _FOLDERS), Path(found).parent if found else None)


class PostgresServer:
    """A server on a free port of loopback that asks for no password. A context manager."""

    def __init__(self) -> None:
        programs = find_programs()
        if programs is None:
            if os.environ.get(NEEDED):
                pytest.fail("there is no PostgreSQL: apt-get install postgresql")
            pytest.skip("there is no PostgreSQL: apt-get install postgresql")
        self._programs = programs
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.dsn = f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        # It refuses to be root, as which tests run in containers.
        self._user = _other_user() if os.getuid() == 0 else None
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", "tester", "-A", "trust", "-N", "--no-locale")
        self._process = subprocess.Popen(
            [
                self._programs / "postgres", "-D", data, "-p", str(self.port),
                "-k", str(self._folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
            ],
            user=self._user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.05)
            else:
                return self

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, *arguments]
        subprocess.run(command, user=self._user, check=True, stdout=subprocess.DEVNULL, timeout=120)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, **options)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
        shutil.rmtree(self._folder, ignore_errors=True)


def _other_user() -> str:
    names = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
