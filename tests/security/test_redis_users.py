"""The users of Redis that docs/security.md advises: each can do its work, and no more."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from callspool import CallQueue
from callspool_ledger import keys
from callspool_sandbox.process import SandboxProcess
from tests.operators.serving.conftest import Intake, document, posted, start_serve
from tests.producers.request.requests import request
from tests.support import cli
from tests.support.servers import RedisServer
from tests.worker.metrics.scraped import exporter, get, samples_in, value

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
ADMIN = "user admin on >admin-password ~* &* +@all"

Url = Callable[[str], str]


def users() -> str:
    found = re.search(r"```acl\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    file = tmp_path_factory.mktemp("acl") / "users.acl"
    file.write_text(f"{users()}{ADMIN}\n")
    with RedisServer("--aclfile", str(file)) as started:
        yield started


@pytest.fixture
def url(server: RedisServer) -> Url:
    def of(user: str) -> str:
        return f"redis://{user}:{user}-password@127.0.0.1:{server.port}/0"

    with redis.Redis.from_url(of("admin")) as admin:
        admin.flushall()
    return of


@pytest.fixture
def queued(url: Url) -> Url:
    """A server on which a message waits that a worker would take."""
    with redis.Redis.from_url(url("producer")) as producer:
        producer.xadd(keys.stream(keys.REQUESTS), {"v": "1", "requests": "[]"})
    with redis.Redis.from_url(url("admin")) as admin:
        admin.set("elsewhere", "private")
        admin.hset(keys.PartitionKeys().counts, "default|accepted", 1)
        admin.xgroup_create(keys.stream(keys.REQUESTS), keys.GROUP, "0")
    return url


STREAM = keys.stream(keys.REQUESTS)
COUNTS = keys.PartitionKeys().counts
TAKE = ("XREADGROUP", "GROUP", keys.GROUP, "me", "STREAMS", STREAM, ">")
FOR_NOBODY = [
    ("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("GET", "elsewhere"),
    ("SET", "elsewhere", "mine"), ("EVAL", "return 1", "0"),
    ("SCRIPT", "FLUSH"), ("FUNCTION", "LIST"), ("MONITOR",), ("CLIENT", "LIST"), ("SHUTDOWN",),
    ("MIGRATE", "127.0.0.1", "1", "elsewhere", "0", "1"), ("SUBSCRIBE", "news"),
]  # fmt: skip
READS = [
    ("XRANGE", STREAM, "-", "+"), ("HGETALL", COUNTS), ("LRANGE", "callspool:{0}:p1", 0, -1),
    ("HGETALL", "callspool:{0}:b1"), ("LRANGE", "callspool:{0}:invalid", 0, -1),
]  # fmt: skip
WRITES = [
    ("DEL", STREAM), ("XTRIM", STREAM, "MAXLEN", 0), ("HSET", "callspool:{0}:meta", "x", 1),
    ("XDEL", STREAM, "1-1"), ("HSET", COUNTS, "x", 1), ("RENAME", STREAM, "callspool:{0}:x"),
    ("LPOP", keys.soon_list(STREAM)),
]  # fmt: skip
FORBIDDEN = {
    "producer": [*FOR_NOBODY, *READS, *WRITES, TAKE],
    "intake": [
        *FOR_NOBODY,
        TAKE,
        ("DEL", STREAM),
        ("XTRIM", STREAM, "MAXLEN", 0),
        ("HSET", "callspool:{0}:meta", "x", 1),
        ("XDEL", STREAM, "1-1"),
        ("HSET", "callspool:{0}:b1", "x", 1),
        ("LPOP", keys.soon_list(STREAM)),
    ],
    "worker": FOR_NOBODY,
    "operator": [*FOR_NOBODY, TAKE],
    "exporter": [*FOR_NOBODY, *WRITES, TAKE, ("XADD", STREAM, "*", "v", "1")],
}


@pytest.mark.parametrize("user", FORBIDDEN)
def test_a_user_of_redis_can_do_nothing_beyond_its_work(user: str, queued: Url) -> None:
    with redis.Redis.from_url(queued(user)) as client:
        assert client.ping()
        for command in FORBIDDEN[user]:
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
    with redis.Redis.from_url(queued("admin")) as admin:
        assert admin.acl_whoami() == "admin"


@pytest.mark.parametrize("user", ["producer", "exporter"])
def test_a_script_gives_a_user_no_more_than_it_has(user: str, queued: Url) -> None:
    with redis.Redis.from_url(queued(user)) as client:
        for command in (
            "'GET', 'elsewhere'",
            "'DEL', KEYS[1]",
            "'HSET', 'callspool:{0}:b1', 's', 'c'",
        ):
            sha = client.script_load(f"return redis.call({command})")
            with pytest.raises(redis.ResponseError, match=r"(?i)permission|can't (run|access)"):
                client.evalsha(sha, 1, STREAM if user == "producer" else "callspool:{0}")


def test_a_producer_may_note_a_small_request_that_stands_behind_many_documents(url: Url) -> None:
    with redis.Redis.from_url(url("admin")) as admin:
        admin.hset(keys.PartitionKeys().counts, "spooled", 20_000)
        with CallQueue(url("producer")) as queue:
            queue.enqueue(request())
        assert admin.llen(keys.soon_list(STREAM)) == 1


def test_nobody_gets_in_without_a_name_and_a_password(url: Url, server: RedisServer) -> None:
    for wrong in (server.url, url("worker").replace("worker-password", "guess")):
        with redis.Redis.from_url(wrong) as client, pytest.raises(redis.AuthenticationError):
            client.get("anything")


def test_every_command_works_with_its_user_and_says_so_where_it_does_not(
    url: Url, tmp_path: Path
) -> None:
    contacts = cli.write_contacts(tmp_path / "contacts.csv", 30)
    with SandboxProcess(log=tmp_path / "api.jsonl") as api:
        settings = cli.environment(tmp_path, CALLSPOOL_API_URL=api.url, **cli.REAL)

        def call(user: str, *arguments: str) -> tuple[int, str, str]:
            env = {**settings, "CALLSPOOL_REDIS_URL": url(user)}
            done = cli.call([*arguments], env, tmp_path)
            assert "Traceback" not in done.stderr
            assert "password" not in done.stdout + done.stderr.replace("user or password", "")
            return done.returncode, done.stdout, done.stderr

        assert call("producer", "send", str(contacts), "--json")[0] == 0
        env = {**settings, "CALLSPOOL_REDIS_URL": url("worker")}
        worker = cli.start(["worker", "--processes", "1", "--threads", "2"], env, tmp_path)
        try:
            wait_until_created(api, 30)
        finally:
            worker.terminate()
            _, log = worker.communicate(timeout=60)
        assert worker.returncode == 0, log
        assert "NoPermission" not in log
        assert "30   created" in call("exporter", "status")[1]
        assert "crm-1: created" in call("exporter", "show", "crm-1")[1]
        with exporter({**settings, "CALLSPOOL_REDIS_URL": url("exporter")}, tmp_path) as page:
            samples = samples_in(get(f"{page}/metrics")[2])
            assert get(f"{page}/readyz")[0] == 200
        assert value(samples, "callspool_documents", state="created", account="default") == 30
        assert value(samples, "callspool_redis_memory_bytes") > 0
        assert call("operator", "invalid")[0] == 0
        refused = {
            "send": call("exporter", "send", str(contacts)),
            "status": call("producer", "status"),
            "worker": call("producer", "worker", "--processes", "1"),
        }
    for code, out, err in refused.values():
        assert code == 3
        assert "does not let this user" in err
        assert "created" not in out


def wait_until_created(api: SandboxProcess, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(api.created_ids()) < number:
        assert time.monotonic() < deadline, "the worker created too few tasks in 60 s"
        time.sleep(0.05)


def test_the_intake_enqueues_and_reads_with_a_user_of_its_own(url: Url, tmp_path: Path):
    process, port = start_serve(url("intake"), tmp_path)
    intake = Intake(port, url("operator"))
    try:
        intake.secret = intake.create_key("shop", space_token="SPACE", per_minute=1000)
        assert intake.call("POST", "/v1/requests", [posted(document(1))]).status == 202
        ids = {"document_ids": ["crm-1"]}
        assert intake.call("POST", "/v1/documents/status", ids).status == 200
        assert intake.call("POST", "/v1/documents/cancel", ids).status == 503
        numbers = {"numbers": ["+14155550101"]}
        assert intake.call("POST", "/v1/suppressions/check", numbers).status == 200
        assert intake.call("GET", "/v1/suppressions").json == {"lists": []}
        assert intake.call("GET", "/v1/campaigns").json == {"campaigns": []}
        follower = intake.create_key("follower")
        assert intake.call("GET", "/v1/events?wait=0.1", secret=follower).json["events"] == []
    finally:
        intake.redis.close()
        process.terminate()
        process.communicate(timeout=60)
    assert "password" not in (tmp_path / "serve.log").read_text()


def test_several_partitions_and_clusters_need_no_other_users(url: Url):
    with CallQueue(url("producer"), partitions=3) as queue:
        queue.enqueue_many(request(space_token=f"SPACE{at}") for at in range(9))
    for user in ("producer", "intake", "worker", "operator", "exporter"):
        disabled = pytest.raises(redis.ResponseError, match="cluster support disabled")
        with redis.Redis.from_url(url(user)) as client, disabled:
            client.execute_command("CLUSTER SLOTS")
