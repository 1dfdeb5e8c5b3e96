"""Whose fault a rejection names: one document's, or the request's, which all documents share."""

from __future__ import annotations

import re
from typing import Literal

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
    for faults in (body.get("errors"), body.get("detail")):
        if isinstance(faults, dict):
            names.update(_plain(key) for key in faults)
        elif isinstance(faults, list):
            names.update(_field_of(fault) for fault in faults)
    return frozenset(names - {""})


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
