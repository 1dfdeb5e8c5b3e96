"""The small client of commands that read: what redis-py says, it says too."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from redis._parsers.base import BaseParser

from callspool.errors import QueueUnavailable
from callspool.redis_io.errors import Fault, RefusedReply, RespError, classify, describe
from callspool.redis_io.resp import RespClient
from callspool.redis_io.scripts import Command, run
from callspool.redis_io.servers import server_of
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.summary import read_summary
from tests.support.servers import RedisServer

CERTIFICATE = Path(__file__).parents[2] / "worker" / "api" / "localhost.pem"

COMMANDS: list[Command] = [
    ("HGETALL", "h"), ("HGETALL", "none"), ("HMGET", "h", "a", "z"), ("HGET", "h", "a"),
    ("HEXISTS", "h", "a"), ("HKEYS", "h"), ("SMEMBERS", "s"), ("SCARD", "s"), ("EXISTS", "s"),
("ZRANGE", "z", 0, -1), ("ZRANGE", "z", "0", "0", "WITHSCORES"),
    ("ZSCORE", "z", "m"), ("ZSCORE", "z", "none"), ("LRANGE", "l", 0, -1), ("LINDEX", "l", 7),
    ("XRANGE", "x", "-", "+"), ("XREVRANGE", "x", "+", "-", "COUNT", 1), ("XRANGE", "no", "-", "+"),
]  # fmt: skip
"""What readings send, but for what answers alike each time: `TIME` and `SRANDMEMBER`."""

REFUSALS = [
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "ERR AUTH <password> called without any password configured for the default user. Are you su",
    "ERR max number of clients reached",
    "ERR DB index is out of range",
    "ERR unknown command 'X', with args beginning with: '+14155550100'",
    "LOADING Redis is loading the dataset in memory",
    "NOPERM User me has no permissions to run the 'evalsha' command",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "CLUSTERDOWN The cluster is down",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "MOVED 3999 127.0.0.1:6381",
    "BUSY Redis is busy running a script.",
    "BUSYGROUP Consumer Group name already exists",
    "NOREPLICAS Not enough good replicas to write.",
    "MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
]


def at(url: str) -> RespClient:
    return RespClient(url, 5.0)


@contextlib.contextmanager
def answering(reply: bytes, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port on which the first words of a connection are answered by ``reply``."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError):
                plain, _ = listening.accept()
                with tls.wrap_socket(plain, server_side=True) if tls else plain as peer:
                    peer.recv(4096)
                    peer.sendall(reply)
                    peer.recv(1)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
    thread.join(5)


@pytest.mark.parametrize("line", REFUSALS, ids=lambda line: line.partition(" ")[0])
def test_a_refusal_means_what_it_means_from_redis_py(line: str) -> None:
    ours, theirs = RefusedReply(line.removeprefix("ERR ")), BaseParser.parse_error(line)
    assert classify(ours) is classify(theirs)
    told, expected = describe(ours, "Redis"), describe(theirs, "Redis")
    word = line.partition(" ")[0]  # redis-py cuts off the words it knows
    assert told.replace(f"({word} ", "(") == expected.replace(f"({word} ", "(")


def test_replies_have_the_types_that_redis_py_returns(client: redis.Redis, redis_url: str) -> None:
    client.hset("h", mapping={"a": "1", "b": b"\r\n\xff"})
    client.sadd("s", "one", "two")
    client.zadd("z", {"m": 1.5, "n": 2})
    client.rpush("l", "x", "")
    for number in range(3):
        client.xadd("x", {"n": number, "m": "text"}, id=f"{number + 1}-1")
    with at(redis_url) as ours, server_of(redis_url, 5.0).client() as theirs:
        found, expected = ours.exchange(COMMANDS), run(theirs, COMMANDS)
        for command, one, other in zip(COMMANDS, found, expected, strict=True):
            assert (type(one), one) == (type(other), other), command
        [clock] = ours.exchange([("TIME",)])
        assert isinstance(clock, tuple)
        assert [*map(type, clock)] == [int, int]
        wrong, right = ours.exchange([("HGETALL", "s"), ("SCARD", "s")])
        assert str(wrong).startswith("WRONGTYPE")
        assert right == 2


def test_a_url_says_who_asks_and_in_which_database(client: redis.Redis, redis_url: str) -> None:
    client.acl_setuser("reader", enabled=True, passwords=["+p@ss word"], commands=["+@all"])
    secret = quote("p@ss word", safe="")
    place = redis_url.removeprefix("redis://").partition("/")[0]
    asked: list[Command] = [("ACL WHOAMI",), ("CLIENT GETNAME",), ("CLIENT INFO",)]
    for url in (
        f"redis://reader:{secret}@{place}/3?client_name=looker",
        f"redis://{place}/?username=reader&password={secret}&db=3&db=4&client_name=looker",
    ):
        with at(url) as ours:
            who, name, info = ours.exchange(asked)
            assert (who, name) == (b"reader", b"looker")
            assert b" db=3 " in bytes(info)  # type: ignore[call-overload]
            assert ours.exchange([("ECHO", b"\x00\r\n")]) == [b"\x00\r\n"]
    with at(f"redis://reader:wrong@{place}/0") as ours:
        with pytest.raises(RefusedReply) as told:
            ours.exchange([("ECHO", "x")])
        assert classify(told.value) is Fault.LOGIN
    with at(f"redis://{place}/999999") as ours, pytest.raises(RefusedReply):
        ours.exchange([("ECHO", "x")])
    client.acl_deluser("reader")


def test_a_unix_socket_is_reached(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    with RedisServer("--unixsocket", str(path)), at(f"unix://{path}?db=2") as ours:
        (info,) = ours.exchange([("CLIENT INFO",)])
        assert b" db=2 " in bytes(info)  # type: ignore[call-overload]
        assert str(ours) == str(server_of(f"unix://{path}", 5.0)) == f"Redis at {path}"


def test_tls_is_verified_unless_the_url_says_that_it_need_not_be() -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(CERTIFICATE)
    known, unchecked = f"ssl_ca_certs={CERTIFICATE}", "ssl_cert_reqs=none"
    for host, options in (
        ("localhost", known),
        ("127.0.0.1", unchecked),
        ("127.0.0.1", f"{known}&ssl_check_hostname=no"),
    ):
        with (
            answering(b"+PONG\r\n", served) as port,
            at(f"rediss://{host}:{port}?{options}") as ours,
        ):
            assert ours.exchange([("PING",)]) == [b"PONG"]
    with (
        answering(b"+PONG\r\n", served) as port,
        at(f"rediss://localhost:{port}") as ours,
        pytest.raises(ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        ours.exchange([("PING",)])


def test_errors_of_the_connection_read_as_those_of_redis_py(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        closed = listening.getsockname()[1]
    for url in (f"redis://127.0.0.1:{closed}/0", f"unix://{tmp_path}/none", "redis://a..b:1/0"):
        with at(url) as ours, server_of(url, 5.0).client() as theirs:
            with pytest.raises((OSError, UnicodeError)) as told:
                ours.exchange([("PING",)])
            with pytest.raises((redis.RedisError, UnicodeError)) as expected:
                theirs.ping()
            assert describe(told.value, str(ours)) == describe(
                expected.value, str(server_of(url, 5.0))
            )


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"$x\r\n",
        b":\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",  # an alert of TLS
        b"220 mail.example\n",
    ],
)
def test_what_is_no_redis_is_said_so(reply: bytes) -> None:
    with answering(reply) as port, at(f"redis://127.0.0.1:{port}/0") as ours:
        with pytest.raises(RespError) as told:
            ours.exchange([("PING",)])
        assert classify(told.value) is Fault.NOT_REDIS
    with (
        answering(reply) as port,
        at(f"redis://127.0.0.1:{port}") as ours,
        pytest.raises(QueueUnavailable, match="does not speak as Redis does"),
    ):
        LedgerReader(ours).ask(read_summary())


@pytest.mark.parametrize("reply", [b"$5\r\nab", b"*2\r\n:1\r\n", b"", b"+PO"])
def test_a_reply_that_breaks_off_is_none(reply: bytes) -> None:
    with answering(reply) as port, RespClient(f"redis://127.0.0.1:{port}/0", 0.1) as ours:
        with pytest.raises(TimeoutError) as told:
            ours.exchange([("PING",)])
        assert classify(told.value) is Fault.TIMEOUT


def test_it_connects_anew_after_the_server_closed_the_connection(
    client: redis.Redis, redis_url: str
) -> None:
    with at(redis_url) as ours:
        (first,) = ours.exchange([("CLIENT ID",)])
        client.client_kill_filter(_id=str(first))
        (second,) = ours.exchange([("CLIENT ID",)])
        assert second != first


def test_a_script_that_redis_forgot_is_loaded(client: redis.Redis, redis_url: str) -> None:
    client.script_flush()
    with at(redis_url) as ours:
        assert LedgerReader(ours).ask(read_summary()) == LedgerReader(client).ask(read_summary())
