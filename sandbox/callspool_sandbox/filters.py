"""What a list of a space's tasks can be narrowed by."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool_sandbox.reads import View

FILTERS = ("from_ts", "to_ts", "status", "search")
"""What a list of a space's tasks can be narrowed by (O)."""


class FilteredRows:
    """The same without what was not asked for."""

    def __init__(self, tasks: View, wanted: dict[str, str]) -> None:
        self._tasks = tasks
        self._wanted = wanted

    def rows(self, skip: int, *, newest_first: bool) -> Iterator[dict[str, object]]:
        found = filter(self._is_wanted, self._tasks.rows(0, newest_first=newest_first))
        return islice(found, skip, None)

    def count(self) -> int:
        return sum(1 for _ in self.rows(0, newest_first=True))

    def _is_wanted(self, row: dict[str, object]) -> bool:
        return all(passes(row, name, word) for name, word in self._wanted.items())


def passes(row: dict[str, object], name: str, word: str) -> bool:
    """Whether a task is among those that a filter asks for."""
    if name == "status":
        return row["status"] == word
    if name == "search":
        return word.lower() in str(row["input"]).lower()
    moment = _seconds(str(row["created"]))
    return moment >= float(word) if name == "from_ts" else moment <= float(word)


def _seconds(created: str) -> float:
    found = datetime.fromisoformat(created)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
