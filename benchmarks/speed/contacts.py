"""Whom to call: fictional people, 436 bytes of JSON each, and what is said of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE = "8KZSPEEDSPACE"
PILOT = "space-agent-speed"
CONTEXT = "Follow up on the proposal, and ask whether Thursday suits"
SCHEDULE = {"type": "now"}
BATCH = 100
"""Contacts in a create-call, for everybody who makes batches."""

BYTES = 436
"""Of each contact as JSON."""

Document = dict[str, str]

_FIRST = 10_000_000_000
_AREAS = [str(area) for area in range(200, 1000)]
_LINES = [f"55501{line:02}" for line in range(100)]
_ABOUT = "Asked for a quotation in spring, and for a call in the afternoon. "
_COMMON = {
    "email": "person@example.org",
    "occupation": "purchasing manager",
    "company_name": "Example Trading Ltd",
    "address": "12 Example Street, Springfield",
    "about": (_ABOUT * 3)[:189],
}


def person(number: int) -> Document:
    """Makes a person; numbers come again after 80,000 people, ids never do."""
    # Everybody's producer pays for this: as little as possible.
    ending = str(number + _FIRST)
    return {
        "document_id": "crm-" + ending,
        "name": "Person " + ending,
        "contact_number": "+1" + _AREAS[number // 100 % 800] + _LINES[number % 100],
        **_COMMON,
    }


def people(first: int, count: int) -> list[Document]:
    """Makes ``count`` people from number ``first`` on."""
    return [person(number) for number in range(first, first + count)]


def requests(first: int, count: int, size: int) -> Iterator[list[Document]]:
    """Yields ``count`` people from number ``first`` on, ``size`` in each request but the last."""
    for start in range(first, first + count, size):
        yield people(start, min(size, first + count - start))
