"""A service of docker-compose.yml outside of containers: its very command, environment, user and
health check, with a read-only surrounding.

What differs, and nothing else: files and folders of the container lie in a temporary folder, and
the hosts of its network are ports of 127.0.0.1.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.deploy.files import image_entrypoint, image_environment, ours, seconds
from tests.deploy.image import Image, identity
from tests.support.servers import free_port

PORTS = {
    "valkey": 6379,
    "sandbox": 8900,
    "exporter": 9191,
    "serve": 8080,
    "worker": 9192,
    "worker-unpod": 9192,
}
"""What each service listens on."""


class Host:
    """What all services share: the network and the volumes, played by one machine."""

    def __init__(self, folder: Path, config: dict[str, Any], image: Image, tools: Path) -> None:
        self.folder = folder
        self.config = config
        self.image = image
        self.tools = tools
        self.ports = {name: free_port() for name in PORTS}

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def start(self, name: str, **more: str) -> Service:
        """Starts a service; ``more`` are variables that the compose file leaves to others."""
        return Service(self, name, more)


class Service:
    """One service, started."""

    def __init__(self, host: Host, name: str, more: Mapping[str, str]) -> None:
        self.name = name
        self._host = host
        self._service = host.config["services"][name]
        self._folder = host.folder / name
        self._folder.mkdir(mode=0o755)
        self._paths = self._mount()
        is_ours = name in ours(host.config)
        entrypoint = self._service["entrypoint"] or (image_entrypoint() if is_ours else [])
        words = [*entrypoint, *(self._service["command"] or ())]
        self.command = [self.here(word) for word in words]
        given = self._service.get("environment") or {}
        self.environment = {
            "PATH": str(host.image.bin) if is_ours else f"{host.tools}:/usr/bin:/bin",
            "TMPDIR": self._paths["/tmp"],
            **host.image.environment,
            **(image_environment() if is_ours else {}),
            **{key: self.here(value) for key, value in given.items()},
            **more,
        }
        self.output = self._folder / "output"
        self.errors = self._folder / "errors"
        with self.output.open("wb") as out, self.errors.open("wb") as err:
            self.process = self._popen(self.command, out, err)

    def here(self, text: str) -> str:
        """A text of the container as it has to read on this machine."""
        text = text.replace("0.0.0.0", "127.0.0.1")
        for name, port in PORTS.items():
            text = text.replace(f"{name}:{port}", f"127.0.0.1:{self._host.ports[name]}")
        if self.name in PORTS:
            text = re.sub(rf"\b{PORTS[self.name]}\b", str(self._host.ports[self.name]), text)
        known = "|".join(re.escape(path) for path in sorted(self._paths, key=len, reverse=True))
        return re.sub(rf"(?<![\w.])(?:{known})" if known else "$^", self._path_here, text)

    def _path_here(self, match: re.Match[str]) -> str:
        return self._paths[match[0]]

    def _mount(self) -> dict[str, str]:
        """Everything that the container gets to see, by the path that it has there."""
        self._paths = {}
        for tmpfs in self._service.get("tmpfs", []):
            self._paths[tmpfs.partition(":")[0]] = self._own_folder("tmp")
        for secret in self._service.get("secrets", []):
            file = Path(self._host.config["secrets"][secret["source"]]["file"])
            self._paths[secret["target"]] = self._file(f"secret-{file.name}", file.read_text())
        for volume in self._service.get("volumes", []):
            if volume["type"] == "volume":
                self._paths[volume["target"]] = self._own_folder(volume["source"])
        for volume in self._service.get("volumes", []):
            if volume["type"] == "bind":
                source = Path(volume["source"])
                text = self.here(source.read_text(encoding="utf-8"))
                self._paths[volume["target"]] = self._file(source.name, text)
        return self._paths

    def _file(self, name: str, text: str) -> str:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o444)
        return str(path)

    def _own_folder(self, name: str) -> str:
        path = self._folder / name
        path.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(path, *map(int, self._service["user"].split(":")))
        return str(path)

    def _popen(self, command: Sequence[str], out: IO[bytes], err: IO[bytes]) -> Any:
        # Looked up here: Popen would look along the PATH of this process.
        program = next(
            found
            for folder in self.environment["PATH"].split(":")
            if (found := Path(folder) / command[0]).exists()
        )
        return subprocess.Popen(
            [program, *command[1:]],
            env=self.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            **identity(self._service["user"]),
        )

    def is_healthy(self) -> bool:
        """Whether its health check, run once, says so."""
        kind, *words = self._service["healthcheck"]["test"]
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        with (self._folder / "health").open("ab") as log:
            check = self._popen([self.here(word) for word in command], log, log)
            limit = seconds(self._service["healthcheck"]["timeout"])
            return bool(check.wait(timeout=limit + 20) == 0)  # a machine of tests may be slow

    def wait_until_healthy(self) -> None:
        limit = min(60.0, seconds(self._service["healthcheck"]["start_period"]))
        self.wait(self.is_healthy, limit)

    def wait(self, condition: Callable[[], bool], limit: float) -> None:
        """Waits for something that this service has to do; it must not end meanwhile."""
        deadline = time.monotonic() + limit
        while not condition():
            assert self.process.poll() is None, f"{self.name} ended: {self.said()}"
            assert time.monotonic() < deadline, f"{self.name}, {limit} s: {self.said()}"
            time.sleep(0.1)

    def said(self) -> str:
        """What it wrote to stdout and stderr."""
        return self.output.read_text() + self.errors.read_text()

    def stop(self) -> tuple[int, float]:
        """As docker compose stops it: SIGTERM. Its exit code, and the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        limit = seconds(self._service["stop_grace_period"])
        code: int = self.process.wait(timeout=limit)
        return code, time.monotonic() - started

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
