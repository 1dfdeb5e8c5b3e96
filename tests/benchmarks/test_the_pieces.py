"""What the benchmark is made of, piece by piece."""

from __future__ import annotations

import http.client
import json
import socket
from types import SimpleNamespace

import msgspec
import pytest
import redis

from benchmarks.speed.api import Api
from benchmarks.speed.contacts import BYTES, people, person, requests
from benchmarks.speed.outcome import at_least, at_most, quantile, spread
from benchmarks.speed.rivals.floor import body_of
from benchmarks.speed.senders import SENDERS
from benchmarks.speed.stub import Work
from benchmarks.speed.trial import Trial
from callspool_ledger import keys

OURS = [name for name in SENDERS if name.startswith("callspool")]


def trial(documents: int, seconds: float) -> Trial:
    return Trial("callspool", documents, seconds, seconds / 2, 1.0, 2.0, 0.5, 0.1, 10, 9, 8.0, {})


def test_people_differ_and_take_the_bytes_that_are_told():
    assert len({each["document_id"] for each in people(0, 500)}) == 500
    assert len({each["contact_number"] for each in people(0, 500)}) == 500
    assert {len(msgspec.json.encode(person(number))) for number in (0, 7, 2_900_000_000)} == {BYTES}


def test_requests_hold_everybody_once():
    found = list(requests(40, 25, 10))
    assert [len(each) for each in found] == [10, 10, 5]
    assert [one for each in found for one in each] == people(40, 25)


def test_the_api_counts_documents_by_space_however_their_bytes_arrive():
    body = body_of(people(0, 30))
    with Api() as api, socket.create_connection(("127.0.0.1", api.port), 10) as client:
        for space in ("ONE", "TWO", "ONE"):
            head = f"POST /api/v2/platform/spaces/{space}/tasks/create/ HTTP/1.1\r\n"
            head += f"content-length: {len(body)}\r\n\r\n"
            whole = head.encode() + body
            for start, end in ((0, 9), (9, 2000), (2000, -1), (-1, None)):
                client.sendall(whole[start:end])
            answer = http.client.HTTPResponse(client)
            answer.begin()
            data = json.loads(answer.read())["data"]
            assert len(set(data["task_ids"])) == 30
            assert all(len(task) == 33 for task in data["task_ids"])
        found = api.counted(spaces=True)
        assert (found.documents, found.requests) == (90, 3)
        assert {space: each[0] for space, each in found.spaces.items()} == {"ONE": 60, "TWO": 30}


def test_an_api_that_works_one_at_a_time_lets_the_second_request_wait(
    monkeypatch: pytest.MonkeyPatch,
):
    clock = [100.0]
    monkeypatch.setattr("benchmarks.speed.stub.time", SimpleNamespace(monotonic=lambda: clock[0]))
    work = Work(0.02, 0.002, one_at_a_time=True)
    assert work.begin(100) == pytest.approx((0.22, 0.22))
    clock[0] += 0.1
    assert work.begin(100) == pytest.approx((0.22, 0.34))
    clock[0] += 10
    assert work.begin(10) == pytest.approx((0.04, 0.04))
    at_once = Work(0.02, 0.0, one_at_a_time=False)
    assert [at_once.begin(100) for _ in range(2)] == [(0.02, 0.02)] * 2


@pytest.mark.parametrize("name", OURS)
def test_each_way_to_enqueue_stores_everybody(
    name: str, redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SPEED_LANES", "3")
    with SENDERS[name](redis_url) as send:
        send(100, 60, 7)
    stored = client.xrange(keys.stream(keys.REQUESTS))
    found = [
        document["document_id"]
        for _, fields in stored
        for one in json.loads(fields[b"requests"])
        for document in one["documents"]
    ]
    assert sorted(found) == sorted(each["document_id"] for each in people(100, 60))


def test_figures_are_quoted_with_their_spread():
    assert spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert spread([1234.4]) == "1,234"
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([4.0], 0.99)) == (50, 99, 4)


def test_targets_are_met_on_their_own_side():
    assert at_least("rate", 40.0, 40.0).met
    assert not at_least("rate", 39.9, 40.0).met
    assert at_most("bytes", 80.0, 80.0).met
    assert not at_most("bytes", 80.1, 80.0).met


def test_costs_are_told_for_a_hundred_thousand():
    found = trial(50_000, 2.0)
    assert (found.rate, found.enqueue_rate, found.cpu) == (25_000, 50_000, 6.0)
    assert found.redis_cpu_each == 1.0
