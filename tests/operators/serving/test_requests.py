from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callspool_ledger.access import Right
from callspool_ledger.steering import KeySteering
from callspool_operators.serving.problems import Problem
from callspool_operators.serving.service import BodyBudget
from tests.operators.serving.conftest import SPACE, Intake, accept, document, posted, start_serve
from tests.support.servers import RedisServer


def test_each_document_gets_a_verdict_in_order_and_the_good_ones_are_in_redis(intake: Intake):
    answer = intake.call(
        "POST",
        "/v1/requests",
        [
            posted(document(1), document(2, contact_number="12"), document(1)),
            posted(document(1), 7, campaign="autumn"),
        ],
    )
    assert answer.status == 202
    verdicts = answer.json["verdicts"]
    assert [each["verdict"] for each in verdicts] == [
        "enqueued", "invalid", "duplicate_in_request", "enqueued", "invalid",
    ]  # fmt: skip
    assert [each.get("document_id") for each in verdicts] == [
        "crm-1", "crm-2", "crm-1", "crm-1", None,
    ]  # fmt: skip
    assert verdicts[1]["field"] == "contact_number"
    assert "12" not in verdicts[1]["reason"].replace("7 to 15", "")
    counts = {name: answer.json[name] for name in ("enqueued", "duplicate_in_request", "invalid")}
    assert counts == {"enqueued": 2, "duplicate_in_request": 1, "invalid": 2}
    assert [each["document_id"] for each in intake.queued()] == ["crm-1", "crm-1"]
    assert {fields[b"key"] for fields in intake.messages()} == {b"shop"}


def test_a_document_without_an_id_is_told_the_one_that_it_gets(intake: Intake):
    answer = intake.call("POST", "/v1/requests", [posted(document(1, document_id=None))])
    (verdict,) = answer.json["verdicts"]
    assert verdict["document_id"] == intake.queued()[0]["document_id"]


def test_a_request_whose_own_field_is_wrong_spoils_no_other(intake: Intake):
    answer = intake.call(
        "POST",
        "/v1/requests",
        [posted(document(1), document(2), schedule="soon"), posted(document(3))],
    )
    assert [(each["verdict"], each.get("field")) for each in answer.json["verdicts"]] == [
        ("invalid", "schedule"), ("invalid", "schedule"), ("enqueued", None),
    ]  # fmt: skip


def test_known_tells_what_the_ledger_knew_before_and_since_when(intake: Intake):
    accept(intake, "crm-1")
    body = [posted(document(1), document(2))]
    first, second = intake.call("POST", "/v1/requests?known=true", body).json["verdicts"]
    assert first["known"]["state"] == "waiting"
    assert datetime.fromisoformat(first["known"]["since"]) <= datetime.now(UTC)
    assert "known" not in second
    assert "known" not in intake.call("POST", "/v1/requests", body).json["verdicts"][0]


def test_a_trace_of_the_caller_travels_along(intake: Intake):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    intake.call("POST", "/v1/requests", [posted(document(1))], traceparent=trace)
    intake.call("POST", "/v1/requests", [posted(document(2))], traceparent="what is this")
    first, second = intake.messages()
    assert first[b"trace"] == trace.encode()
    assert b"trace" not in second


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b"[{]", {}),
        (400, b'[{"pilot": "\xff"}]', {}),
        (422, b"[" * 100_000, {}),
        (413, json.dumps([posted(*[{}] * 5_001)]).encode(), {}),
        (413, b" " * (8 * 1024 * 1024 + 1), {}),
        (415, b"[]", {"content-type": "text/plain"}),
        (415, b"[]", {"content-encoding": "gzip"}),
        (422, b"[]", {}),
        (422, b"{}", {}),
        (422, json.dumps([posted()]).encode(), {}),
        (422, json.dumps([posted(document(1), pilot=7)]).encode(), {}),
        (422, json.dumps([posted(document(1), piloot="x")]).encode(), {}),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_with_a_problem_document(
    intake: Intake, status: int, body: bytes, headers: dict[str, str]
):
    answer = intake.call("POST", "/v1/requests", body, **headers)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status
    assert problem["type"].startswith("urn:callspool:problem:")
    assert {"title", "detail"} <= problem.keys()
    assert intake.messages() == []


def test_what_is_wrong_is_told_without_the_words_of_the_body(intake: Intake):
    for body in (
        [posted(document(1), context=["Ada Lovelace"])],
        [posted(document(1)) | {"Ada Lovelace": 1}],
        [{"Ada Lovelace": {}}],
    ):
        answer = intake.call("POST", "/v1/requests", body)
        assert answer.status == 422
        assert b"Ada" not in answer.body


def test_a_body_of_the_wrong_shape_is_answered_with_the_right_one(intake: Intake):
    for path, body, hint in (
        ("/v1/requests", posted(document(1)), "post a list of requests, also of one: [{…}]"),
        ("/v1/documents/status", ["d1"], "post one object: {…}"),
        ("/v1/suppressions/check", None, "post one object: {…}"),
    ):
        answer = intake.call("POST", path, body if body is not None else b"null")
        assert answer.status == 422
        assert answer.json["detail"].endswith(f": {hint}")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Basic c2hvcDpwYXNz", 401),
        ("Bearer ", 401),
        ("Bearer csp_" + "A" * 43, 401),
        ("Bearer " + "A" * 9_000, 401),
    ],
)
def test_a_caller_without_a_good_key_is_not_let_in(
    intake: Intake, authorization: str | None, status: int
):
    headers = {"authorization": authorization} if authorization else {}
    answer = intake.call("POST", "/v1/requests", [posted(document(1))], secret="", **headers)
    assert answer.status == status
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert intake.messages() == []


@settings(max_examples=40)
@given(
    bound=st.fixed_dictionaries(
        {},
        optional={
            "account": st.sampled_from(["default", "north"]),
            "space_token": st.sampled_from([SPACE, "OTHER"]),
            "campaign": st.sampled_from(["autumn", "spring"]),
        },
    ),
    asked=st.fixed_dictionaries(
        {"space_token": st.sampled_from([SPACE, "OTHER"])},
        optional={
            "account": st.sampled_from(["default", "north"]),
            "campaign": st.sampled_from(["autumn", "spring"]),
        },
    ),
)
def test_a_key_never_reaches_beyond_what_it_is_bound_to(
    served: Intake, bound: dict[str, str], asked: dict[str, str]
):
    served.redis.flushall()
    secret = served.create_key("bound", Right.ENQUEUE, **bound)
    stated = {"account": "default", **bound, **asked}
    allowed = all(stated.get(field) == value for field, value in bound.items())
    answer = served.call(
        "POST", "/v1/requests", [posted(document(1), **asked), posted(document(2), **asked)],
        secret=secret,
    )  # fmt: skip
    assert answer.status == (202 if allowed else 403)
    assert len(served.queued()) == (2 if allowed else 0)


def test_one_request_outside_of_the_scope_refuses_all(intake: Intake):
    body = [posted(document(1)), posted(document(2), space_token="OTHER")]
    assert intake.call("POST", "/v1/requests", body).status == 403
    assert intake.messages() == []


def test_a_key_does_only_what_its_scope_says(intake: Intake):
    reads = intake.create_key("reads", Right.READ, space_token=SPACE)
    enqueues = intake.create_key("enqueues", Right.ENQUEUE, space_token=SPACE)
    ids = {"document_ids": ["crm-1"]}
    known = intake.call("POST", "/v1/requests?known=1", [posted(document(1))], secret=enqueues)
    assert known.status == 403
    assert intake.messages() == []
    calls = {
        ("POST", "/v1/requests"): (enqueues, [posted(document(1))]),
        ("POST", "/v1/documents/status"): (reads, ids),
        ("POST", "/v1/documents/cancel"): (None, ids),
    }
    for (method, path), (good, body) in calls.items():
        for secret in (reads, enqueues):
            status = intake.call(method, path, body, secret=secret).status
            assert (status == 403) is (secret != good), (path, status)


def test_a_rate_refuses_the_whole_request_and_says_when(intake: Intake):
    secret = intake.create_key("slow", Right.ENQUEUE, space_token=SPACE, per_minute=60)
    many = [posted(*map(document, range(50)))]
    assert intake.call("POST", "/v1/requests", many, secret=secret).status == 202
    answer = intake.call("POST", "/v1/requests", many, secret=secret)
    assert answer.status == 429
    assert 30 <= int(answer.headers["retry-after"]) <= 40
    assert len(intake.queued()) == 50
    never = intake.call("POST", "/v1/requests", [posted(*map(document, range(61)))], secret=secret)
    assert never.status == 413


def test_a_rate_holds_over_several_processes_and_callers_at_once(
    intake: Intake, redis_behind: RedisServer, tmp_path: Path
):
    process, port = start_serve(redis_behind.url, tmp_path)
    other = Intake(port, redis_behind.url)
    secret = intake.create_key("slow", Right.ENQUEUE, space_token=SPACE, per_minute=60)

    def call(number: int) -> int:
        server = (intake, other)[number % 2]
        return server.call("POST", "/v1/requests", [posted(document(number))], secret=secret).status

    began = time.monotonic()
    with ThreadPoolExecutor(8) as callers:
        statuses = Counter(callers.map(call, range(120)))
    drained = time.monotonic() - began + 1
    process.terminate()
    process.communicate(timeout=60)
    other.redis.close()
    assert statuses.keys() == {202, 429}
    assert 60 <= statuses[202] <= 60 + drained
    assert len(intake.queued()) == statuses[202]


def test_a_revoked_key_is_refused_within_a_moment(intake: Intake):
    secret = intake.create_key("gone", Right.ENQUEUE, space_token=SPACE)
    assert intake.call("POST", "/v1/requests", [posted(document(1))], secret=secret).status == 202
    KeySteering([intake.redis], "ann@desk").revoke("gone")
    deadline = time.monotonic() + 30
    while intake.call("POST", "/v1/requests", [], secret=secret).status != 401:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("route", ["requests", "documents"])
def test_a_key_that_ends_while_the_body_comes_enqueues_nothing(intake: Intake, route: str):
    secret = intake.create_key(
        "short", Right.ENQUEUE, space_token=SPACE, expires_at=time.time() + 0.6
    )
    path, media_type, body = {
        "requests": ("/v1/requests", "application/json", [posted(document(1))]),
        "documents": (
            "/v1/documents?pilot=space-agent-test&context=x", "application/x-ndjson", document(1),
        ),
    }[route]  # fmt: skip
    sent = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n"
        f"content-type: {media_type}\r\ncontent-length: {len(sent)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", intake.port)) as caller:
        caller.sendall(head.encode() + sent[:20])
        time.sleep(0.8)
        caller.sendall(sent[20:])
        assert caller.recv(4096).startswith(b"HTTP/1.1 401")
    assert intake.messages() == []


def test_what_a_full_queue_did_not_take_is_not_charged(intake: Intake):
    secret = intake.create_key("slow", Right.ENQUEUE, space_token=SPACE, per_minute=60)
    many = [posted(*map(document, range(50)))]
    intake.redis.hset("callspool:{0}:counts", "waiting", 10_000_000)
    answer = intake.call("POST", "/v1/requests", many, secret=secret)
    assert answer.json["type"] == "urn:callspool:problem:queue-full"
    intake.redis.hdel("callspool:{0}:counts", "waiting")
    assert intake.call("POST", "/v1/requests", many, secret=secret).status == 202
    assert intake.call("POST", "/v1/requests", many, secret=secret).status == 429


def test_bodies_of_all_callers_have_a_bound_together():
    class Posted:
        headers = {"content-type": "application/json"}  # noqa: RUF012

        async def stream(self) -> AsyncIterator[bytes]:
            yield b"x" * 6

    async def hold_two() -> None:
        budget, posted = BodyBudget(most=10), cast("Any", Posted())
        async with budget.hold(posted):
            with pytest.raises(Problem, match="many bodies") as found:
                async with budget.hold(posted):
                    pass
            assert (found.value.status, found.value.headers["retry-after"]) == (503, "5")
        async with budget.hold(posted) as body:
            assert body == b"xxxxxx"

    asyncio.run(hold_two())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
_HEAD = ("pilot", "context", "schedule", "campaign", "account", "expires_at")
_REQUEST = st.fixed_dictionaries(
    {"documents": st.lists(_JSON, max_size=3)}, optional=dict.fromkeys(_HEAD, _JSON)
)


@settings(max_examples=60)
@given(
    body=st.binary(max_size=60)
    | (_JSON | st.lists(_REQUEST, max_size=3)).map(lambda value: json.dumps(value).encode())
)
def test_no_body_makes_the_server_fail(served: Intake, body: bytes):
    served.redis.flushall()
    served.secret = served.create_key("fuzz", space_token=SPACE)
    answer = served.call("POST", "/v1/requests", body)
    assert answer.status in {202, 400, 413, 422}
    assert (answer.status == 202) or answer.json["status"] == answer.status
