"""The API page's own example, and what the page says of its answer."""

from __future__ import annotations

import json
import re
from http.client import HTTPResponse

from tests.sandbox.client import HEADERS, SPACE, Client, connected, create_path

EXAMPLE = """{
    "pilot": "space-agent-f1o3qjm1y7q1avvuynv4vprb1",
    "context": "Call the lead and discuss the project requirements.",
    "schedule": { "type": "now" },
    "documents": [
      {
        "name": "John Doe",
        "email": "john@example.com",
        "contact_number": "1234567890",
        "alternate_number": "+919876543210",
        "occupation": "Sales Manager",
        "company_name": "Acme Corp",
        "address": "123 Main St, Mumbai",
        "about": "Warm lead from webinar",
        "context": "Follow up on proposal sent last week",
        "labels": ["warm-lead", "webinar"],
        "title": "Q1 Outreach",
        "description": "Lead from Q1 campaign",
        "document_id": "6902fb5840a736e125e80ebc"
      }
    ]
  }"""

SAMPLE = """{
  "status_code": 200,
  "message": "Task Created Successfully",
  "data": {
    "run_id": "R74802366fe9011f0878d43cd8a99e069",
    "task_ids": [
      "T74802367fe9011f0878d43cd8a99e069"
    ],
    "status": "pending"
  }
}"""


def shape(answer: object) -> object:
    """An answer with its ids reduced to their form."""
    text = json.dumps(answer)
    return json.loads(re.sub(r'"([RT])[0-9a-f]{32}"', r'"\1 and 32 hex digits"', text))


def test_the_example_request_gets_an_answer_of_the_sample_s_shape(plain: Client) -> None:
    answer = plain.http.post(
        create_path(), headers={"Content-Type": "application/json"}, content=EXAMPLE
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert shape(answer.json()) == shape(json.loads(SAMPLE))


def test_the_example_works_in_the_bytes_that_curl_sends_for_the_page(plain: Client) -> None:
    lines = [
        f"POST {create_path()} HTTP/1.1",
        f"Host: {plain.sandbox.url.removeprefix('http://')}",
        "User-Agent: curl/7.88.1",
        "Accept: */*",
        *(f"{name}: {value}" for name, value in HEADERS.items()),
        "Content-Type: application/json",
        f"Content-Length: {len(EXAMPLE)}",
    ]
    with connected(plain.sandbox) as connection:
        connection.sendall("\r\n".join([*lines, "", EXAMPLE]).encode())
        answer = HTTPResponse(connection, method="POST")
        answer.begin()
        assert answer.status == 200
        assert shape(json.loads(answer.read())) == shape(json.loads(SAMPLE))


def test_the_second_example_without_schedule_and_with_an_unknown_number_form_works(
    plain: Client,
) -> None:
    sent = {
        "pilot": "space-agent-f1o3qjm1y7q1avvuynv4vprb1",
        "documents": [
            {
                "name": "John Doe",
                "contact_number": "1234567890",
                "email": "john@example.com",
                "context": "Follow up on proposal",
            }
        ],
        "context": "Call the lead and discuss the project requirements.",
    }
    answer = plain.http.post(create_path(), json=sent)
    assert answer.status_code == 200
    assert len(answer.json()["data"]["task_ids"]) == 1


def test_the_example_is_read_back_with_everything_that_was_sent(plain: Client) -> None:
    space = "READBACK"
    run_id = plain.http.post(create_path(space), json=json.loads(EXAMPLE)).json()["data"]["run_id"]
    (run,) = plain.runs(space)
    (task,) = plain.tasks_of(run_id, space)
    assert run["run_id"] == run_id
    assert run["batch_count"] == 1
    assert task["ref_id"] == "6902fb5840a736e125e80ebc"
    assert task["input"] == json.loads(EXAMPLE)["documents"][0]
    assert task["run_id"] == run_id
    assert task["status"] == "pending"


def test_ids_are_unique_and_stand_in_the_order_of_the_documents(plain: Client) -> None:
    space = "ORDERED1"
    answers = [plain.create("a", "b", "c", space=space).json()["data"] for _ in range(20)]
    task_ids = [task_id for data in answers for task_id in data["task_ids"]]
    assert len({data["run_id"] for data in answers}) == 20
    assert len(set(task_ids)) == 60
    for data in answers:
        refs = {task["task_id"]: task["ref_id"] for task in plain.tasks_of(data["run_id"], space)}
        assert [refs[task_id] for task_id in data["task_ids"]] == ["a", "b", "c"]


def test_the_path_needs_its_trailing_slash(plain: Client) -> None:
    assert plain.http.post(create_path(SPACE).rstrip("/"), json={}).status_code == 404
