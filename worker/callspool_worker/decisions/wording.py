"""The API's own words, fit for a ledger and a log, and whose fault they name in a rejection."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool_worker.decisions.answers import Answered


LONGEST = 500
"""Characters of the API's words that are kept."""

_READ = 8 * LONGEST
_MOST_FAULTS = 20
_DEEPEST = 6
_MOST_VALUES = 1000
"""Values of an answer that are looked at in search of words."""

_LONGEST_PATH = 100

_EMPTY = "Error"
"""What the API says where it has a detail to tell."""

_NOT_FAULTS = frozenset({"run_id", "task_ids", "status"})

_SEPARATORS = r"[\s().\-/\u2010-\u2015\u2212]"
_NUMBER = re.compile(
    rf"(?<!\d)(?!\d{{4}}-\d{{2}}-\d{{2}}(?!\d))\+?\(?\d(?:{_SEPARATORS}{{0,3}}\d){{6,}}"
)
_SECRET = re.compile(r"(?i)\b(token|bearer|basic|key)(\W{1,4})[\w.~+/=-]{16,}")
_TAG = re.compile(r"(?s)<(script|style)\b.*?</\1\s*>|<[^>]*>")


def one_line(text: str, longest: int = LONGEST) -> str:
    """Returns the text in one line of printable characters, numbers and secrets masked, bounded."""
    printable = "".join(c if c.isprintable() else " " for c in text[:_READ])
    line = " ".join(printable.split())
    line = _NUMBER.sub(_last_two_digits, _SECRET.sub(r"\1\2…", line))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def words_of(answer: Answered) -> str:
    """Returns what the API says in this answer; the status alone, if nothing readable."""
    if answer.packed:
        name = one_line(answer.packed, 20)
        return f"HTTP {answer.status} packed as {name}, which nobody asked for"
    if isinstance(answer.json, dict):
        words = dict.fromkeys(_list_words(answer.json))
        if len(words) > 1:
            words.pop(_EMPTY, None)
        said = one_line("; ".join(words))
    else:
        said = _excerpt(answer.body)
    return said or f"HTTP {answer.status} without a readable answer"


def faults_in_data(body: dict[object, object]) -> dict[str, object]:
    """What an answer's ``data`` says of faults (R): its detail, its errors, and lists of texts by
    the field that they are about.
    """
    data = body.get("data")
    if not isinstance(data, dict):
        return {}
    named = {name: data[name] for name in ("detail", "errors") if name in data}
    fields = {
        str(name): {name: value}
        for name, value in islice(data.items(), _MOST_VALUES)
        if name not in _NOT_FAULTS and name not in named and _are_texts(value)
    }
    return {**named, **fields}


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _last_two_digits(number: re.Match[str]) -> str:
    return "…" + "".join(c for c in number[0] if c.isdigit())[-2:]


def _list_words(body: dict[object, object]) -> Iterator[str]:
    said = [body.get(name) for name in ("message", "error", "detail", "errors")]
    for value in [*said, *faults_in_data(body).values()]:
        leaves = islice(_leaves(value, "", _DEEPEST), _MOST_VALUES)
        yield from islice((text[:_READ] for text in leaves if text), _MOST_FAULTS)


def _leaves(value: object, path: str, deepest: int) -> Iterator[str]:
    """The texts inside of nested errors, each with the path that leads to it; "" for the rest."""
    if isinstance(value, dict) and isinstance(value.get("loc"), list):
        # An inner service names the path itself: {"loc": ["body", "pilot"], "msg": "…"} (O).
        steps = [_step(step) for step in value["loc"][:_DEEPEST] if isinstance(step, str | int)]
        yield from _leaves(value.get("msg"), ".".join(steps), 0)
    elif isinstance(value, dict) and deepest and value:
        for key, inner in value.items():
            nested = f"{path}.{_step(key)}" if path else _step(key)
            yield from _leaves(inner, nested, deepest - 1)
    elif isinstance(value, list) and deepest and value:
        for place, inner in enumerate(value):
            nested = f"{path}[{place}]" if isinstance(inner, dict | list) else path
            yield from _leaves(inner, nested, deepest - 1)
    elif isinstance(value, str) and value.strip():
        text = value[:_READ]
        yield f"{path}: {text}" if path else text
    else:
        yield ""


def _step(name: object) -> str:
    return str(name)[:_LONGEST_PATH]


def _excerpt(body: bytes) -> str:
    """The text of a page that is not JSON, as a proxy sends it."""
    return one_line(_TAG.sub(" ", body[:_READ].decode(errors="replace")))


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
    """Returns what to park because of a rejection, or None if a document may be at fault.

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
    """Returns the places of documents that a refusal names in so many words, in order (R)."""
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
