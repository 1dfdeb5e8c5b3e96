"""Two clients of the sandbox: a proper one, and a socket that sees every byte."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callspool_sandbox.process import SandboxProcess

HEADERS = {"Authorization": "Token secret-token", "Org-Handle": "unpod.tv"}
SPACE = "8KZAMRAHSXXXXXXMAYNASMJC"


def document(identity: str, **fields: object) -> dict[str, object]:
    return {
        "name": "Ada",
        "contact_number": "+14155550123",
        "document_id": identity,
        "callspool_attempt": "a1",
        **fields,
    }


def documents(*identities: str) -> list[dict[str, object]]:
    return [document(identity) for identity in identities]


def body(sent: list[dict[str, object]], **fields: object) -> dict[str, object]:
    return {"pilot": "space-agent-1", "context": "Follow up.", "documents": sent, **fields}


def create_path(space: str = SPACE) -> str:
    return f"/api/v2/platform/spaces/{space}/tasks/create/"


def bare_client(sandbox: SandboxProcess) -> httpx.Client:
    """A client that sends no headers of its own accord (and has no certificates to load)."""
    return httpx.Client(base_url=sandbox.url, timeout=5, verify=False)


class Client:
    """Speaks to one sandbox as the API page says."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.http = bare_client(sandbox)
        self.http.headers.update(HEADERS)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def create(
        self, *identities: str, space: str = SPACE, timeout: float = 5, **fields: object
    ) -> httpx.Response:
        sent = body(documents(*identities), **fields)
        return self.http.post(create_path(space), json=sent, timeout=timeout)

    def read(self, path: str, **query: int) -> httpx.Response:
        return self.http.get(f"/api/v2/platform/{path}", params=query)

    def runs(self, space: str = SPACE, **query: int) -> list[dict[str, Any]]:
        return self._data(self.read(f"spaces/{space}/runs/", **query))

    def tasks(self, space: str = SPACE, **query: int) -> list[dict[str, Any]]:
        return self._data(self.read(f"spaces/{space}/tasks/", **query))

    def tasks_of(self, run_id: str, space: str = SPACE, **query: int) -> list[dict[str, Any]]:
        return self._data(self.read(f"spaces/{space}/runs/{run_id}/tasks/", **query))

    def refs(self, space: str) -> list[str]:
        """The `ref_id` of every task of a space, oldest first."""
        return [task["ref_id"] for task in reversed(self.tasks(space, page_size=1000))]

    def logged(self, space: str) -> list[dict[str, Any]]:
        """The log's lines of requests to create in a space."""
        path = create_path(f"...{space[-4:]}")
        return [line for line in self.sandbox.log_lines() if line.get("path") == path]

    def created_in_log(self, space: str) -> list[str]:
        """What the log says was created in a space, later pieces included."""
        numbers = {line["request"] for line in self.logged(space)}
        return [
            identity
            for line in self.sandbox.log_lines()
            if line.get("request") in numbers
            for identity in line.get("created", ())
        ]

    @staticmethod
    def _data(answer: httpx.Response) -> list[dict[str, Any]]:
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows


def raw_request(space: str, sent: list[dict[str, object]], *headers: str) -> bytes:
    """A create request's bytes."""
    content = json.dumps(body(sent)).encode()
    lines = [
        f"POST {create_path(space)} HTTP/1.1",
        "Host: sandbox",
        "Authorization: Token secret-token",
        "Org-Handle: unpod.tv",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


@contextmanager
def connected(sandbox: SandboxProcess) -> Iterator[socket.socket]:
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """Everything that arrives; a reset counts as an end."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionError:
        pass
    return received


def eventually(look: Callable[[], bool], seconds: float = 5) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
