"""Requests that create nothing, and what the API says to them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.client import (
    HEADERS,
    Client,
    bare_client,
    body,
    connected,
    create_path,
    document,
    documents,
    raw_request,
)

if TYPE_CHECKING:
    import httpx

    from tests.sandbox.conftest import StartSandbox


def post(
    client: Client, space: str, sent: object, headers: dict[str, str] | None = None
) -> httpx.Response:
    given = HEADERS if headers is None else headers
    with bare_client(client.sandbox) as http:
        return http.post(create_path(space), json=sent, headers=given)


@pytest.mark.parametrize("word", ["", "Token", "Bearer secret-token", "secret-token"])
def test_a_request_without_an_api_token_is_unauthorized(plain: Client, word: str) -> None:
    headers = {"Org-Handle": "unpod.tv", "Authorization": word}
    answer = post(plain, "UNAUTHORIZED", body(documents("a")), headers)
    assert answer.status_code == 401
    assert set(answer.json()) == {"status_code", "message"}


def test_a_request_without_an_org_handle_is_created_all_the_same(plain: Client) -> None:
    headers = {"Authorization": "Token secret-token"}
    assert post(plain, "NOORG", body(documents("a")), headers).status_code == 200


def test_the_token_is_compared_where_one_is_given_and_the_org_handle_is_not(
    start: StartSandbox,
) -> None:
    strict = start(token="right", org_handle="unpod.tv")
    right = {"Authorization": "Token right", "Org-Handle": "other"}
    sent = body(documents("a"))
    assert post(strict, "S", sent, right).status_code == 200
    assert post(strict, "S", sent, right | {"Authorization": "Token wrong"}).status_code == 401


@pytest.mark.parametrize("missing", ["pilot", "context", "documents"])
def test_a_missing_field_is_a_206_that_names_it(plain: Client, missing: str) -> None:
    sent = body(documents("a"))
    del sent[missing]
    answer = post(plain, "MISSINGFIELD", sent)
    assert answer.status_code == 206
    assert answer.json()["message"] == "There is some Validation error"
    assert list(answer.json()["errors"]) == [missing]


@pytest.mark.parametrize("missing", ["name", "contact_number"])
def test_a_document_without_name_or_number_is_a_206(plain: Client, missing: str) -> None:
    lacking = document("a")
    del lacking[missing]
    answer = post(plain, "LACKING", body([document("b"), lacking]))
    assert answer.status_code == 206
    assert list(answer.json()["errors"]) == ["documents"]


def test_documents_that_are_no_list_of_objects_are_a_206(plain: Client) -> None:
    sent = {"pilot": "p", "context": "c", "documents": "x"}
    assert post(plain, "NOLIST", sent).status_code == 206


def test_a_body_that_is_no_json_is_a_400(plain: Client) -> None:
    headers = {"Content-Type": "application/json"}
    answer = plain.http.post(create_path(), content=b'{"pilot": ', headers=headers)
    assert answer.status_code == 400


def test_another_content_type_is_a_415(plain: Client) -> None:
    sent = json.dumps(body(documents("a")))
    headers = {"Content-Type": "text/plain"}
    assert plain.http.post(create_path(), content=sent, headers=headers).status_code == 415


def test_empty_documents_are_refused_and_logged_as_a_client_s_bug(plain: Client) -> None:
    space = "EMPTYDOCS"
    assert post(plain, space, body([])).status_code == 500
    (line,) = plain.logged(space)
    assert line["status"] == 500
    assert "empty documents" in line["sandbox_violation"]
    assert plain.runs(space) == []


def test_a_document_s_id_wins_over_its_document_id_and_is_logged(plain: Client) -> None:
    space = "OWNIDENT"
    assert post(plain, space, body([document("mine", id="theirs")])).status_code == 200
    assert plain.refs(space) == ["theirs"]
    (line,) = plain.logged(space)
    assert line["created"] == ["theirs"]
    assert "id" in line["sandbox_violation"]


def test_the_same_document_id_twice_in_a_request_is_created_and_logged(plain: Client) -> None:
    space = "TWICEIN1"
    assert plain.create("a", "a", space=space).status_code == 200
    (line,) = plain.logged(space)
    assert line["created"] == ["a", "a"]
    assert "same document_id" in line["sandbox_violation"]


@pytest.mark.parametrize(
    ("word", "status"), [("reject", 400), ("unprocessable", 422), ("fail", 500)]
)
def test_a_marked_document_makes_its_whole_request_fail(
    plain: Client, word: str, status: int
) -> None:
    space = f"MARKED{word}"
    answer = post(plain, space, body([document("good"), document("bad", sandbox=word)]))
    assert answer.status_code == status
    assert answer.json().get("status_code") == (400 if status == 400 else None)
    assert plain.runs(space) == []
    assert post(plain, space, body(documents("good"))).status_code == 200


def test_a_schedule_of_an_unknown_type_runs_at_once_and_is_logged(plain: Client) -> None:
    space = "SCHEDTYPO"
    assert plain.create("a", space=space, schedule={"type": "nwo"}).status_code == 200
    assert plain.runs(space)[0]["status"] == "pending"
    assert "schedule" in plain.logged(space)[0]["sandbox_violation"]


def test_a_custom_schedule_needs_date_and_time_in_the_future(plain: Client) -> None:
    space = "SCHEDULED"

    def scheduled(**fields: str) -> httpx.Response:
        return plain.create("a", space=space, schedule={"type": "custom", **fields})

    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert scheduled(calling_date=tomorrow).status_code == 206
    assert scheduled(calling_date=tomorrow, calling_time="soon").status_code == 206
    past = scheduled(calling_date="2020-01-01", calling_time="10:30")
    assert past.status_code == 400
    assert past.json() == {
        "status_code": 400,
        "message": "Error",
        "data": {"detail": "Schedule time is in the past"},
    }
    assert plain.runs(space) == []
    assert scheduled(calling_date=tomorrow, calling_time="10:30").status_code == 200
    assert plain.runs(space)[0]["status"] == "scheduled"


def test_auto_and_now_are_schedules_like_any_other(plain: Client) -> None:
    space = "AUTONOW1"
    assert plain.create("a", space=space, schedule={"type": "auto"}).status_code == 200
    assert plain.create("b", space=space, schedule={"type": "now"}).status_code == 200
    assert not any("sandbox_violation" in line for line in plain.logged(space))


@pytest.mark.parametrize("schedule", ["now", 7])
def test_a_schedule_that_is_no_object_is_a_206(plain: Client, schedule: object) -> None:
    assert plain.create("a", space="NOOBJECT", schedule=schedule).status_code == 206


@pytest.fixture(scope="module")
def small(start: StartSandbox) -> Client:
    return start(max_body=20_000)


def test_a_body_over_the_limit_gets_a_proxy_s_413(small: Client) -> None:
    fits = post(small, "SIZE", body([document("a", about="x" * 15_000)]))
    assert fits.status_code == 200
    answer = post(small, "SIZE", body([document("b", about="x" * 2_000_000)]))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "text/html"
    assert small.created_in_log("SIZE") == ["a"]


def test_a_chunked_body_is_read_and_limited_as_well(small: Client) -> None:
    headers = {"Content-Type": "application/json"}

    def chunked(about: str) -> httpx.Response:
        content = json.dumps(body([document("a", about=about)])).encode()
        return small.http.post(create_path("CHUNK"), content=iter([content]), headers=headers)

    assert chunked("short").status_code == 200
    assert chunked("x" * 30_000).status_code == 413


def test_a_client_that_waits_to_be_told_to_go_on_is_told(plain: Client) -> None:
    head, _, content = raw_request("EXPECT", documents("a"), "Expect: 100-continue").partition(
        b"\r\n\r\n"
    )
    with connected(plain.sandbox) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(content)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_unknown_paths_and_methods_are_refused(plain: Client) -> None:
    assert plain.http.get("/").status_code == 404
    assert plain.http.get("/api/v2/platform/spaces/").status_code == 404
    assert plain.http.get(create_path()).status_code == 405
