"""Every service that runs our programs, with its very command, as an ordinary user."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from callspool import CallQueue, CallRequest, Document
from callspool_worker.decisions.leases import longest_stop
from tests.deploy.files import seconds
from tests.deploy.service import Host, Service

PASSWORD = "c0rrect horse"
TOKEN = "tok-9f8e7d6c5b4a"


@pytest.fixture
def running(host: Host) -> Iterator[dict[str, Service]]:
    """All of them, each started once those are healthy that it depends on."""
    services: dict[str, Service] = {}
    with ExitStack() as stack:

        def start(name: str, **more: str) -> None:
            service = services[name] = host.start(name, **more)
            stack.callback(service.kill)

        for name in ("valkey", "sandbox"):
            start(name)
            services[name].wait_until_healthy()
        start("worker")
        start("exporter")
        start("producer")
        start("serve")
        # The one thing that must not be as in the file: the real API.
        start("worker-unpod", CALLSPOOL_API_URL=host.url("sandbox"))
        yield services


@pytest.mark.long
def test_docker_compose_up_shows_a_living_system(running: dict[str, Service], host: Host) -> None:
    for service in running.values():
        service.wait_until_healthy()
    sandbox = running["sandbox"]
    sandbox.wait(lambda: len(created(sandbox)) >= 20, 90)

    with CallQueue(
        f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{host.ports['valkey']}"
    ) as q:
        q.enqueue(
            CallRequest(
                space_token="8KZTESTSPACE",
                pilot="space-agent-test",
                context="Follow up",
                documents=[Document(name="Ada", contact_number="+14155550123", document_id="real")],
            )
        )
    sandbox.wait(lambda: "real" in created(sandbox), 60)
    assert len(set(created(sandbox))) == len(created(sandbox))

    def is_exported(account: str, at_least: int) -> bool:
        series = f'callspool_documents{{account="{account}",state="created"}}'
        return metric(page(host.url("exporter")), series) >= at_least

    running["exporter"].wait(lambda: is_exported("default", 1), 20)
    running["exporter"].wait(lambda: is_exported("sandbox", 20), 60)
    for name in ("worker", "worker-unpod"):
        assert metric(page(host.url(name)), "callspool_worker_processes") == 2

    the_ledger_is_kept_and_guarded(host, running["valkey"])
    a_valkey_that_hangs_shows_in_the_health_of_those_that_need_it(running)
    what_stops_ends_in_time_and_in_good_order(running)
    for service in running.values():
        assert PASSWORD not in service.said()
        assert TOKEN not in service.said()


def the_ledger_is_kept_and_guarded(host: Host, valkey: Service) -> None:
    arguments = Path(f"/proc/{valkey.process.pid}/cmdline")
    if arguments.exists():
        assert PASSWORD.encode() not in arguments.read_bytes()
    port = host.ports["valkey"]
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis(port=port, password=PASSWORD, decode_responses=True) as client:
        kept = client.config_get("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
    assert kept == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": str(512 * 1024**2),
        "maxmemory-policy": "noeviction",
    }


def a_valkey_that_hangs_shows_in_the_health_of_those_that_need_it(
    running: dict[str, Service],
) -> None:
    running["valkey"].process.send_signal(signal.SIGSTOP)
    for name in ("exporter", "worker"):
        running[name].wait(lambda name=name: not running[name].is_healthy(), 60)
    running["valkey"].process.send_signal(signal.SIGCONT)
    for name in ("valkey", "exporter", "worker"):
        running[name].wait_until_healthy()


def what_stops_ends_in_time_and_in_good_order(running: dict[str, Service]) -> None:
    for name in ("producer", "worker", "worker-unpod", "exporter", "serve", "sandbox", "valkey"):
        code, _ = running[name].stop()
        assert code == 0, f"{name}: {running[name].said()}"


def test_valkey_does_not_start_without_a_password(host: Host) -> None:
    (host.folder / "secrets" / "valkey-password").write_text("\n", encoding="utf-8")
    valkey = host.start("valkey")
    try:
        assert valkey.process.wait(timeout=20) != 0
        assert "is empty" in valkey.said()
    finally:
        valkey.kill()


def created(sandbox: Service) -> list[str]:
    """The ids of all documents that the sandbox created so far."""
    lines = sandbox.output.read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [document for event in events for document in event.get("created") or ()]


def page(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def metric(text: str, series: str) -> float:
    found = re.findall(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert len(found) == 1, text
    return float(found[0])


@pytest.mark.parametrize("name", ["worker", "worker-unpod"])
def test_workers_are_given_the_time_that_their_requests_may_take(config, name: str) -> None:
    service = config["services"][name]
    timeout = float(service["environment"].get("CALLSPOOL_REQUEST_TIMEOUT", 60))
    assert seconds(service["stop_grace_period"]) >= longest_stop(timeout) + 5
