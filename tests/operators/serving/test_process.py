"""The process: faults of Redis, kills, bounds of connections, probes, the OpenAPI document."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from callspool_operators.serving.app import describe_routes
from callspool_operators.serving.server import quieten_log
from scripts.make_pages import DOCS
from tests.operators.serving.conftest import Intake, document, posted, start_serve
from tests.support.servers import RedisServer


def test_what_was_answered_is_in_redis_when_the_server_is_killed(tmp_path: Path):
    """Killed at two moments amid requests, each after some were answered."""
    with RedisServer() as server:
        for kill in range(2):
            process, port = start_serve(server.url, tmp_path)
            intake = Intake(port, server.url)
            intake.secret = intake.create_key(f"shop-{kill}", space_token="8KZTESTSPACE")
            end = threading.Timer(0.001 * kill, process.kill)
            answered: set[str] = set()
            try:
                while True:
                    each = f"{kill}-{len(answered)}"
                    body = [posted(document(1, document_id=each))]
                    assert intake.call("POST", "/v1/requests", body).status == 202
                    answered.add(each)
                    if len(answered) == 5:
                        end.start()
            except (OSError, http.client.HTTPException):
                pass
            finally:
                process.kill()
                process.wait()
                assert process.stdout is not None
                process.stdout.close()
            end.join()
            queued = {each["document_id"] for each in intake.queued()}
            intake.redis.close()
            assert len(answered) >= 5
            assert answered <= queued


def test_what_is_being_answered_is_finished_when_the_server_is_told_to_end(
    redis_behind: RedisServer, tmp_path: Path
):
    process, port = start_serve(redis_behind.url, tmp_path)
    intake = Intake(port, redis_behind.url)
    intake.redis.flushall()
    secret = intake.create_key("shop", space_token="8KZTESTSPACE")
    body = json.dumps([posted(document(1))]).encode()
    head = (
        f"POST /v1/requests HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(head.encode() + body[:20])
        time.sleep(0.2)
        process.terminate()
        time.sleep(0.3)
        caller.sendall(body[20:])
        assert caller.recv(4096).startswith(b"HTTP/1.1 202")
    assert process.wait(timeout=30) == 0
    assert process.stdout is not None
    process.stdout.close()
    assert len(intake.queued()) == 1
    intake.redis.close()


def test_while_redis_is_away_callers_are_told_to_come_back(tmp_path: Path):
    with RedisServer() as server:
        process, port = start_serve(server.url, tmp_path)
        intake = Intake(port, server.url)
        intake.secret = intake.create_key("shop", space_token="8KZTESTSPACE")
        assert intake.call("GET", "/readyz", secret="").status == 200
    answer = intake.call("POST", "/v1/requests", [posted(document(1))])
    assert answer.status == 503
    assert answer.json["type"] == "urn:callspool:problem:queue-away"
    assert int(answer.headers["retry-after"]) >= 1
    assert intake.call("GET", "/readyz", secret="").status == 503
    assert intake.call("GET", "/healthz", secret="").status == 200
    intake.redis.close()
    process.terminate()
    assert process.wait(timeout=30) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_a_full_queue_is_429_and_comes_with_a_time(intake: Intake):
    intake.redis.hset("callspool:{0}:counts", "waiting", 10_000_000)
    answer = intake.call("POST", "/v1/requests", [posted(document(1))])
    assert (answer.status, answer.json["type"]) == (429, "urn:callspool:problem:queue-full")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_header_has_a_bound(intake: Intake):
    with socket.create_connection(("127.0.0.1", intake.port)) as caller:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nx: " + b"y" * 40_000)
        assert caller.recv(4096).startswith(b"HTTP/1.1 431")


def test_connections_that_say_nothing_keep_nobody_else_out(intake: Intake):
    silent = []
    try:
        for _ in range(300):
            silent.append(socket.create_connection(("127.0.0.1", intake.port)))  # noqa: PERF401
        assert intake.call("POST", "/v1/requests", [posted(document(1))]).status == 202
    finally:
        for each in silent:
            each.close()


def test_other_paths_and_methods_are_problems_too(intake: Intake):
    assert intake.call("GET", "/nowhere").json["status"] == 404
    for path in ("/schema", "/schema/swagger", "/schema/redoc", "/schema/elements", "/schema/x"):
        assert intake.call("GET", path).json["status"] == 404
    refused = intake.call("DELETE", "/v1/requests")
    assert (refused.json["status"], refused.headers["allow"]) == (405, "POST, OPTIONS")
    assert intake.call("OPTIONS", "/v1/campaigns").headers["allow"] == "GET, OPTIONS, POST"


def test_mistakes_of_callers_and_texts_of_errors_stay_out_of_the_log():
    def line_of(level: int, message: str, fault: Exception | None = None) -> logging.LogRecord:
        fault_info = (type(fault), fault, None) if fault else None
        return logging.LogRecord("uvicorn.error", level, "", 1, message, (), fault_info)

    assert not quieten_log(line_of(logging.WARNING, "Invalid HTTP request received."))
    fault = line_of(logging.ERROR, "Exception in ASGI application\n", ValueError("Ada"))
    assert quieten_log(fault)
    assert logging.Formatter().format(fault) == "Exception in ASGI application: ValueError"
    own = logging.LogRecord("callspool.serve", logging.WARNING, "", 1, "Redis is away", (), None)
    assert quieten_log(own)


def test_metrics_count_documents_by_key_and_verdict(intake: Intake):
    name = "callspool_intake_documents_total"

    def counted() -> dict[str, float]:
        page = intake.call("GET", "/metrics", secret="").body.decode()
        return {
            sample.labels["verdict"]: sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and sample.labels["key"] == "shop"
        }

    before = counted()
    intake.call("POST", "/v1/requests", [posted(document(1), document(1), {})])
    after = counted()
    assert {each: after[each] - before.get(each, 0) for each in after} == {
        "enqueued": 1, "duplicate_in_request": 1, "invalid": 1,
    }  # fmt: skip


def test_the_committed_openapi_document_is_the_one_that_is_served(intake: Intake):
    served = intake.call("GET", "/openapi.json", secret="").body
    assert served == describe_routes()
    assert (DOCS / "openapi.json").read_bytes() == served, "run python -m scripts.make_pages"
    assert served.startswith(b"{")
    document = json.loads(served)
    assert document["openapi"].startswith("3.1")


@pytest.mark.parametrize("client", ["curl", "node", "php"])
def test_the_clients_of_the_page_enqueue(intake: Intake, client: str, tmp_path: Path):
    if shutil.which(client) is None:
        pytest.skip(f"there is no {client}")
    page = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")
    page = page.replace("127.0.0.1:8080", f"127.0.0.1:{intake.port}")
    fences = {"curl": r"```\n(curl .*?)```", "node": r"```js\n(.*?)```", "php": r"```php\n(.*?)```"}
    code = re.search(fences[client], page, re.DOTALL)
    assert code is not None
    (tmp_path / "client").write_text(code[1], encoding="utf-8")
    commands = {"curl": ["bash"], "node": ["node", "--input-type=module"], "php": ["php"]}
    with (tmp_path / "client").open() as script:
        done = subprocess.run(
            commands[client], env={**os.environ, "CALLSPOOL_KEY": intake.secret}, check=False,
            stdin=script, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "crm-17" in done.stdout
    assert [each["document_id"] for each in intake.queued()] == ["crm-17"]
