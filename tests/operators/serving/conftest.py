"""A real `callspool serve` on loopback, and callers of it."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from callspool_ledger.access import AccessKey, Right, digest_of, make_secret
from callspool_ledger.steering import KeySteering
from tests.support import cli
from tests.support.ledgers import LANE, LedgerUnderTest, group
from tests.support.servers import RedisServer

SPACE = "8KZTESTSPACE"


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Intake:
    """A running server, the Redis behind it, and a secret of a key that may do everything."""

    def __init__(self, port: int, url: str) -> None:
        self.port = port
        self.redis = redis.Redis.from_url(url)
        self.secret = ""

    def create_key(self, name: str, *rights: Right, **bound: Any) -> str:
        """Creates a key, and returns its secret."""
        secret = make_secret()
        key = AccessKey(
            name=name, digest=digest_of(secret), rights=frozenset(rights or Right), **bound
        )
        KeySteering([self.redis], "ann@desk").create(key)
        return secret

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        secret: str | None = None,
        **headers: str,
    ) -> Answer:
        """Calls; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            sent.setdefault("content-type", "application/json")
        if secret != "":
            sent.setdefault("authorization", f"Bearer {secret or self.secret}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def queued(self) -> list[dict[str, Any]]:
        """Every document in the queue, in order."""
        return [
            document
            for _, fields in self.redis.xrange("callspool:{0}:requests")
            for request in json.loads(fields[b"requests"])
            for document in request["documents"]
        ]

    def messages(self) -> list[dict[bytes, bytes]]:
        """Every message in the queue."""
        return [fields for _, fields in self.redis.xrange("callspool:{0}:requests")]


@pytest.fixture(scope="module")
def redis_behind() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def served(redis_behind: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    folder = tmp_path_factory.mktemp("serve")
    process, port = start_serve(redis_behind.url, folder)
    intake = Intake(port, redis_behind.url)
    try:
        yield intake
    finally:
        intake.redis.close()
        process.terminate()
        code = process.wait(timeout=60)
        assert process.stdout is not None
        process.stdout.close()
        log = (folder / "serve.log").read_text()
        assert code == 0, log
        assert "Traceback" not in log


@pytest.fixture
def intake(served: Intake) -> Intake:
    """The server with an empty Redis, and a key that is bound to one space."""
    served.redis.flushall()
    served.secret = served.create_key("shop", space_token=SPACE)
    return served


def start_serve(url: str, folder: Path, **settings: str) -> tuple[subprocess.Popen[str], int]:
    """Starts a server, whose log is a file in the folder; returns its process and its port."""
    env = cli.environment(folder, CALLSPOOL_REDIS_URL=url, **settings)
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [*cli.COMMAND, "serve", "--port", "0"],
            env=env, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "listening on http://127.0.0.1:" in line, (folder / "serve.log").read_text()
    return process, int(line.rpartition(":")[2])


def accept(intake: Intake, *ids: str) -> None:
    """Puts documents into the ledger, as a worker does."""
    spool = LedgerUnderTest(intake.redis, batch_size=10, linger_ms=0)
    spool.accept(group(ids, LANE._replace(space_token=SPACE)))


def document(number: int, **fields: object) -> dict[str, object]:
    """A fictional contact with an id."""
    return {
        "name": f"Person {number}",
        "contact_number": f"+1{200 + number // 100}55501{number % 100:02}",
        "document_id": f"crm-{number}",
        **fields,
    }


def posted(*documents: object, **fields: object) -> dict[str, object]:
    """A call request as callers post it; the key's space is filled in."""
    return {
        "pilot": "space-agent-test",
        "context": "Follow up",
        "documents": list(documents),
        **fields,
    }
