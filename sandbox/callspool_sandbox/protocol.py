"""The paths that the sandbox serves, the answers that it gives, and its stand-in account."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - a NamedTuple evaluates its annotations
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec

SPACE_TOKEN = "SANDBOXSPACE000000000001"  # noqa: S105 - of the sandbox alone
PILOT = "space-agent-sandbox"
CONTEXT = "A rehearsal: nobody is called."
API_TOKEN = "sandbox"  # noqa: S105 - the sandbox accepts any
ORG_HANDLE = "sandbox"


Endpoint = Literal["create", "runs", "tasks", "space_tasks", "agents", "call_logs"]

_BASE = "/api/v2/platform/"
_SPACE = re.compile(r"spaces/(?P<space>[^/]+)/(?P<rest>.+)")
_RUN_TASKS = re.compile(r"runs/(?P<run>[^/]+)/tasks/")


class Route(NamedTuple):
    """A request's endpoint. ``query``: what was asked for, the last word of each name."""

    endpoint: Endpoint
    method: str
    space: str = ""
    run_id: str = ""
    query: Mapping[str, str] = {}

    def number(self, name: str) -> int | None:
        """Returns a whole number of the query; None where it names none."""
        word = self.query.get(name, "")
        return int(word) if word.isascii() and word.isdigit() else None


def find_route(target: str) -> Route | None:
    """Returns the route of a request target, trailing slash required as the API does (S)."""
    path, _, query = target.partition("?")
    if not path.startswith(_BASE):
        return None
    rest = path[len(_BASE) :]
    if rest == "agents/":
        return _read_page(Route("agents", "GET"), query)
    if rest == "call-logs/":
        return _read_page(Route("call_logs", "GET"), query)
    match = _SPACE.fullmatch(rest)
    return _space_route(unquote(match["space"]), match["rest"], query) if match else None


def _space_route(space: str, rest: str, query: str) -> Route | None:
    if rest == "tasks/create/":
        return Route("create", "POST", space)
    if rest == "runs/":
        return _read_page(Route("runs", "GET", space), query)
    if rest == "tasks/":
        return _read_page(Route("space_tasks", "GET", space), query)
    match = _RUN_TASKS.fullmatch(rest)
    return _read_page(Route("tasks", "GET", space, match["run"]), query) if match else None


def _read_page(route: Route, query: str) -> Route:
    if not query:
        return route
    asked = parse_qs(query, keep_blank_values=True)
    return route._replace(query={name: words[-1] for name, words in asked.items()})


def path_for_log(target: str) -> str:
    """Returns a path without its query, the space token shortened to its last 4 characters."""
    path = target.partition("?")[0]
    before, found, after = path.partition("/spaces/")
    if not found:
        return path[:120]
    space, slash, rest = after.partition("/")
    return f"{before}/spaces/...{space[-4:]}{slash}{rest}"[:200]


BodyForm = Literal["api", "html", "cut", "empty"]
Headers = list[tuple[str, str]]

JSON = "application/json"
HTML = "text/html"

VALIDATION = "There is some Validation error"
"""What the API says of a failed field check (O)."""

FAILED = "Task Creation Failed"
"""What the API says where the service behind it failed, or refused (R)."""

_MESSAGES = {
    200: "Task Created Successfully",
    206: VALIDATION,
    401: "Invalid token.",
    403: "You do not have permission to perform this action.",
    404: "Space or agent not found",
    429: "Request was throttled.",
}
_DETAILS = {400: "Invalid parameters provided"}
_FROM_BEHIND: dict[int, object] = {
    422: {
        "detail": [
            {"loc": ["body", "tasks"], "msg": "field required", "type": "value_error.missing"}
        ]
    },
    500: "Internal Server Error",
}
"""What the service behind the API says: the API passes it on, without a `status_code` (R)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, apart from what every answer has."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Headers = field(default_factory=list)


def reason(status: int) -> str:
    """Returns the words of a status line."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def api_answer(
    status: int,
    *,
    http_status: int | None = None,
    message: str | None = None,
    errors: object = None,
    headers: Headers | None = None,
) -> Answer:
    """Returns an error (or an empty success) as the API words it (O, R)."""
    if http_status is None and status in _FROM_BEHIND:
        passed_on = _FROM_BEHIND[status] if errors is None else errors
        body: dict[str, object] = {"message": message or FAILED, "errors": passed_on}
    else:
        body = _own_body(status, message, errors)
    return Answer(http_status or status, msgspec.json.encode(body), headers=headers or [])


def _own_body(status: int, message: str | None, errors: object) -> dict[str, object]:
    """Below 401 with `data`, which holds the detail of what was raised, or the faults."""
    detail = None if errors is not None else _DETAILS.get(status)
    if status == 400 and message and errors is None:
        message, detail = None, message
    said = message or _MESSAGES.get(status) or ("Error" if status == 400 else reason(status))
    body: dict[str, object] = {"status_code": status, "message": said}
    if status < 401:
        body["data"] = {"detail": detail} if detail else {"errors": errors} if errors else {}
    if errors is not None:
        body["errors"] = errors
    return body


def validation(errors: dict[str, object]) -> Answer:
    """Returns 206 for fields that failed their check; nothing was created (O)."""
    return api_answer(206, errors=errors)


def of_document(place: int, field: str, said: str, kind: str) -> Answer:
    """Returns 422 of the service behind, which names the document that it will not take (R)."""
    fault = {"loc": ["body", "tasks", place, "input_data", field], "msg": said, "type": kind}
    return api_answer(422, errors={"detail": [fault]})


def failed_read(what: str, said: str) -> Answer:
    """Returns 206 in place of a list (O)."""
    return api_answer(206, message=f"{what} Fetch Failed", errors=said)


def proxy_answer(status: int, *, headers: Headers | None = None) -> Answer:
    """Returns a page in HTML, as a proxy in front of the API answers."""
    title = f"{status} {reason(status)}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>sandbox proxy</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, page.encode(), HTML, headers or [])


def in_form(answer: Answer, form: BodyForm, cut_at: int | None = None) -> Answer:
    """Returns the same answer with another kind of body; "cut" keeps ``cut_at`` bytes, or half."""
    if form == "html":
        return proxy_answer(answer.status, headers=answer.headers)
    if form == "cut":
        end = len(answer.body) // 2 if cut_at is None else cut_at
        return Answer(answer.status, answer.body[:end], answer.content_type, answer.headers)
    if form == "empty":
        return Answer(answer.status, b"", answer.content_type, answer.headers)
    return answer


def created_answer(
    run_id: str, task_ids_json: bytes, data_status: bytes = b'"pending"', *, status: int = 200
) -> Answer:
    """Success (S), or 206 with ids, which nobody has seen but which would be a partial success."""
    message = b"Task Created Successfully" if status == 200 else b"Some tasks were created"
    body = b'{"status_code":%d,"message":"%s","data":{"run_id":"%s","task_ids":%s,"status":%s}}' % (
        status,
        message,
        run_id.encode(),
        task_ids_json,
        data_status,
    )
    return Answer(status, body)


def page_answer(count: int | None, rows: list[dict[str, object]]) -> Answer:
    """Returns a page of a listing (D, O)."""
    counted = {} if count is None else {"count": count}
    body = {**counted, "status_code": 200, "message": "Data fetched", "data": rows}
    return Answer(200, msgspec.json.encode(body))
