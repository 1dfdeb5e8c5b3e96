"""Whose fault a rejection names: one document's, or the request's, which all documents share."""

from __future__ import annotations

import re
from typing import Literal

from callspool_worker.decisions.wording import faults_in_data

Level = Literal["account", "space", "lane"]
"""How much is parked: every lane of an account, of a space, or one lane."""

_OF_THE_ACCOUNT = frozenset({"org_handle", "organization", "organisation", "org", "authorization"})
_OF_THE_LANE = frozenset(
    {"pilot", "agent", "context", "schedule", "calling_date", "calling_time"}
    | {"space_token", "space", "token"}
)
_OF_NO_FIELD = frozenset({"non_field_errors", "__all__", "detail", "error", "message", "msg"})

_ABOUT_A_DOCUMENT = re.compile(r"(?i)\bdocuments?\b|\b(contact|phone)[-_ ]numbers?\b")
_WORDS: tuple[tuple[re.Pattern[str], Level], ...] = (
    (re.compile(r"(?i)\borg[-_ ]?handle\b|\borgani[sz]ation\b"), "account"),
    (re.compile(r"(?i)\baccess\b|\bpermissions?\b"), "space"),
    (re.compile(r"(?i)\bspace\b|\bspace_token\b|\bpilot\b|\bagent\b"), "lane"),
    (re.compile(r"(?i)\bschedul(e|ed|ing)\b|\bcalling[-_ ](date|time)\b"), "lane"),
    (re.compile(r"(?i)\bcontext\b.{0,40}\b(required|missing|empty|blank|invalid)\b"), "lane"),
)


def shared_fault(body: object, words: str) -> Level | None:
    """What to park because of a rejection, or None if a document may be at fault.

    Fields that the answer names decide; its words are read only where it names none.
    """
    named = _named_fields(body) - _OF_NO_FIELD
    if named & _OF_THE_ACCOUNT:
        return "account"
    if named & _OF_THE_LANE:
        return "lane"
    if named or _ABOUT_A_DOCUMENT.search(words):
        return None
    return next((level for pattern, level in _WORDS if pattern.search(words)), None)


def _named_fields(body: object) -> frozenset[str]:
    """The outermost fields that an answer complains about, in lower case with underscores."""
    if not isinstance(body, dict):
        return frozenset()
    names: set[str] = set()
    for faults in (body.get("errors"), body.get("detail"), *faults_in_data(body).values()):
        if isinstance(faults, dict):
            names.update(_plain(key) for key in faults)
            inner = faults.get("detail")  # of the service behind the API (R)
            names.update(map(_field_of, inner if isinstance(inner, list) else ()))
        elif isinstance(faults, list):
            names.update(_field_of(fault) for fault in faults)
    return frozenset(names - {""})


def blames_a_document(body: object, words: str) -> bool:
    """Whether a refusal that names no field of the request blames what stands in a document."""
    return bool(_named_fields(body) - _OF_NO_FIELD) or bool(_ABOUT_A_DOCUMENT.search(words))


def places_named(body: object, documents: int) -> tuple[int, ...]:
    """The places of the documents that a refusal names in so many words, in their order (R)."""
    found: set[int] = set()
    for fault in _faults_with_a_path(body):
        path = fault["loc"]
        if len(path) > 2 and path[0] == "body" and path[1] in {"tasks", "documents"}:
            place = path[2]
            if isinstance(place, int) and not isinstance(place, bool) and 0 <= place < documents:
                found.add(place)
    return tuple(sorted(found))


def _faults_with_a_path(body: object) -> list[dict[str, list[object]]]:
    if not isinstance(body, dict):
        return []
    errors = body.get("errors")
    inner = errors.get("detail") if isinstance(errors, dict) else None
    listed = [one for one in (inner, errors, body.get("detail")) if isinstance(one, list)]
    return [
        fault
        for faults in listed
        for fault in faults
        if isinstance(fault, dict) and isinstance(fault.get("loc"), list)
    ]


def _field_of(fault: object) -> str:
    """The field of one entry of a list: ``{"field": …}``, or ``{"loc": ["body", field, …]}``."""
    if not isinstance(fault, dict):
        return ""
    path = fault.get("loc", fault.get("field"))
    if isinstance(path, list):
        steps = path[1:] if path[:1] == ["body"] else path
        path = steps[0] if steps else ""
    return _plain(path) if isinstance(path, str) else ""


def _plain(name: object) -> str:
    return str(name).strip().lower().replace("-", "_").replace(" ", "_")
