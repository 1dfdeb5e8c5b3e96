"""What real workers write while an API quotes them and things go wrong holds nobody's secrets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis

from callspool_ledger import keys
from callspool_ledger.reads.dead import read_refused, read_unreadable
from callspool_ledger.reads.reader import LedgerReader
from chaos.processes import all_processes, children_of, shown_of
from tests.support import cli
from tests.support.servers import RedisServer
from tests.worker.api.peer import Peer, Received, Server, response

NAME = "Zebulon Quackenbush"
NUMBER = "+14155550187"
DIGITS = "4155550187"
TOKEN = "tok-3b1f9c77d2e84a60b5aa"
PASSWORD = "redis-c0rrect-horse"
ORG = "quoting.example"


class Quoting:
    """An API that quotes every request: head, token and people, in a way of its own each time."""

    def __init__(self) -> None:
        self.answers = 0
        self.reads = 0

    def __call__(self, peer: Peer) -> None:
        while (request := peer.receive()).ended == "complete":
            if request.head.startswith(b"GET"):
                self.reads += 1
                peer.send(self._read(request))
                continue
            self.answers += 1
            answer = self._creation(request)
            if not answer:
                peer.reset()
                return
            peer.send(answer)

    def _creation(self, request: Received) -> bytes:
        head = request.head.decode()
        people = f"{head} {request.body.decode()}"
        ways = [
            (400, {"status_code": 400, "message": people, "errors": {TOKEN: [people]}}),
            (500, {"status_code": 500, "message": people, "detail": {TOKEN: people}}),
            (206, {"status_code": 206, "message": "error", "errors": {"documents": [people]}}),
            (502, f"<html><body>{people}</body></html>"),
            (422, {"detail": [{"loc": ["body", "documents", NUMBER], "msg": people}]}),
            (200, f"not JSON {people}"),
            None,
        ]
        way = ways[self.answers % len(ways)]
        if way is None:
            return b""
        status, said = way
        return response(status, said.encode() if isinstance(said, str) else _json(said))

    def _read(self, request: Received) -> bytes:
        quoted = {"status_code": 403, "message": request.head.decode()}
        page = b'{"data":[{"input":{"name":"%b","contact_number":"%b"' % (
            NAME.encode(),
            NUMBER.encode(),
        )
        return response(403, _json(quoted)) if self.reads % 2 else response(200, page)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer("--requirepass", PASSWORD, append_only=True) as started:
        yield started


def url_of(server: RedisServer) -> str:
    return server.url.replace("redis://", f"redis://:{PASSWORD}@")


def document(number: int) -> dict[str, str]:
    return {"name": NAME, "contact_number": NUMBER, "document_id": f"crm-{number}"}


def requests(start: int, count: int) -> bytes:
    """Requests whose lanes differ, so that each batch holds one document."""
    return _json(
        [
            {
                "space_token": "SPACE",
                "pilot": f"agent-{number}",
                "context": "Follow up",
                "documents": [document(number)],
            }
            for number in range(start, start + count)
        ]
    )


def test_nothing_that_workers_write_under_faults_holds_a_secret(
    tmp_path: Path, server: RedisServer
) -> None:
    api = Quoting()
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    stream, log = keys.stream(keys.REQUESTS), tmp_path / "worker.log"
    with Server(api) as listening, redis.Redis.from_url(url_of(server)) as client:
        env = cli.environment(
            tmp_path,
            CALLSPOOL_API_URL=listening.url,
            CALLSPOOL_API_TOKEN_FILE=str(token_file),
            CALLSPOOL_ORG_HANDLE=ORG,
            CALLSPOOL_REDIS_URL=url_of(server),
            CALLSPOOL_REQUEST_TIMEOUT="2",
        )
        client.xadd(stream, {"v": "1", "requests": requests(0, 20)})
        for poison in poisons():
            client.xadd(stream, poison)
        with log.open("wb") as written:
            worker = subprocess.Popen(
                [sys.executable, "-X", "dev", "-m", "callspool", "worker", "--processes", "2"],
                env=env, cwd=tmp_path, stdout=written, stderr=written, start_new_session=True,
            )  # fmt: skip
        try:
            until(lambda: api.answers >= 8 and log.read_bytes().count(b"in doubt") >= 3)
            children = children_of(worker.pid)
            seen = b"".join(shown_of(child) for child in children)
            seen += os.fsencode("".join(process.command for process in all_processes()))
            os.kill(children[0], signal.SIGKILL)
            client.xadd(stream, {"v": "1", "requests": requests(20, 20)})
            server.kill()
            server.start()
            until(lambda: answers(client))
            client.xadd(stream, {"v": "1", "requests": requests(40, 10)})
            until(lambda: api.reads >= 2 and not client.xlen(stream))
            told = [
                cli.call([*arguments], env, tmp_path)
                for arguments in (["status"], ["invalid"], ["show", "crm-1"], ["lanes"])
            ]
        finally:
            worker.terminate()
            assert worker.wait(timeout=120) == 0
        invalid = LedgerReader(client).ask(read_refused(100))
        unreadable = LedgerReader(client).ask(read_unreadable(100))
        logs = log.read_bytes()
        stored = dict(everything_in(client))
        assert (len(invalid), len(unreadable)) == (2, 3)
    assert logs.count(b"in doubt") >= 3
    assert b"Traceback" not in logs
    assert b'"exception"' not in logs
    output = "".join(each.stdout + each.stderr for each in told).encode()
    for written_somewhere in (seen, logs, output, *stored.values(), *stored):
        assert TOKEN.encode() not in written_somewhere
        assert PASSWORD.encode() not in written_somewhere
    for outside_of_redis in (seen, logs):
        assert not secrets_in(outside_of_redis)
    # An operator who asks reads the API's own words, whoever they name; numbers are masked.
    assert not {*secrets_in(output)} - {NAME, "Quackenbush"}
    # In Redis people are where documents are, and nowhere else.
    of_documents = tuple(
        f"callspool:{{0}}:{name}".encode() for name in ("p", "requests", "invalid")
    )
    for key, value in stored.items():
        assert not secrets_in(key)
        holds = NUMBER.encode() in value or DIGITS.encode() in value
        assert not holds or key.startswith(of_documents), key


def secrets_in(text: bytes) -> list[str]:
    return [
        word
        for word in (NAME, "Quackenbush", NUMBER, DIGITS, "(415) 555-0187")
        if word.encode() in text
    ]


def poisons() -> Iterator[dict[str, bytes]]:
    """Messages that are refused or cannot be read, all about somebody."""
    bad = {**document(900), "contact_number": f"{NUMBER}{DIGITS}{DIGITS}"}
    envelope = {"space_token": "SPACE", "pilot": "p", "context": "c"}
    yield {"v": b"1", "requests": _json([{**envelope, "documents": [bad]}])}
    yield {"v": b"1", "requests": _json([{**envelope, "schedule": NAME, "documents": [bad]}])}
    yield {"v": b"1", "requests": _json([{NUMBER: NAME, "documents": []}])}
    yield {"v": NUMBER.encode() + b"\r\n", "requests": b"[]"}
    yield {"v": b"1", "requests": _json([document(901)])[:-9]}


def everything_in(client: redis.Redis) -> Iterator[tuple[bytes, bytes]]:
    """Every key with all that it holds, one after the other."""
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        if kind == b"hash":
            parts = [part for pair in client.hgetall(key).items() for part in pair]
        elif kind == b"list":
            parts = client.lrange(key, 0, -1)
        elif kind == b"set":
            parts = list(client.smembers(key))
        elif kind == b"zset":
            parts = client.zrange(key, 0, -1)
        elif kind == b"stream":
            parts = [
                part for _, found in client.xrange(key) for pair in found.items() for part in pair
            ]
        else:
            parts = [client.get(key) or b""]
        yield key, b"\n".join(parts)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def until(holds: object, seconds: float = 120) -> None:
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
