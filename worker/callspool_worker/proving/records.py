"""What was read back from the API, of which only the expected shape counts, as plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from callspool.request.text import MAX_WORD_BYTES
from callspool_worker.decisions.answers import is_id
from callspool_worker.sending.body import MARK_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run as the list of runs shows it.

    ``created``: seconds since 1970 by the server's clock, None if it could not be read; ``zoned``
    tells whether it named its zone. ``batch_count``: documents of its create-call (O), None if
    the server does not say. ``made``: the time that its id holds, in UTC by the server's clock,
    and ``node`` the server that made it; None where the id holds none.
    """

    run_id: str
    created: float | None
    zoned: bool
    batch_count: int | None
    made: float | None = None
    node: int | None = None

    @property
    def moment(self) -> float | None:
        """When it began by its server's clock: by its id, which knows no zone, else ``created``."""
        return self.created if self.made is None else self.made


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """A task: its id, the document that it was made from, and whose it is.

    ``mark`` names the ledger and the attempt, ``scope_tag`` the scope; None where nothing does.
    ``ref_id``: what the API calls the document elsewhere, if that is another word. ``has_input``:
    whether the API shows the document at all. ``follows``: the platform made it to call once more;
    no request of ours did. ``numbers``: JSON of what the API shows of the document's numbers.
    """

    task_id: str
    document_id: str | None
    mark: str | None
    scope_tag: str | None = None
    ref_id: str | None = None
    has_input: bool = False
    follows: bool = False
    numbers: bytes = b"{}"

    @property
    def names(self) -> tuple[str, ...]:
        """The words that may be the document's id, the likelier one first."""
        return tuple(name for name in (self.document_id, self.ref_id) if name is not None)

    @property
    def is_nameless(self) -> bool:
        """Whether nothing tells its document: each of ours has an id, which is shown if any is."""
        return not self.names and not self.has_input


@dataclass(frozen=True, slots=True)
class RunRead:
    """A run with the tasks that were there when it was read.

    ``fault``: why these could not be read, or "". ``growing``: it counts more tasks than it lists.
    """

    seen: RunSeen
    tasks: tuple[TaskSeen, ...]
    fault: str = ""
    growing: bool = False

    @property
    def is_short(self) -> bool:
        """Whether it lists fewer tasks than its request had documents."""
        return len(self.tasks) < (self.seen.batch_count or 0)


@dataclass(frozen=True, slots=True)
class RefusedWith:
    """What the API refused an attempt with; ``certain``: it blames the document itself."""

    words: str
    code: str
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """An attempt in doubt: which of its documents were created?

    ``places``: document id → place in the batch, of all that the attempt sent. ``open``: the
    places that are still in doubt. ``run_id``: the run that the API named, if it did. ``mark``:
    the word that its documents carry, None if they carry none. ``answered``: the API itself said
    that it failed. ``sent_ms``: not before that moment, by Redis' clock; ``since_ms``: when the
    doubt began. ``size``: places of the batch.
    """

    batch: int
    attempt: int
    seal: str
    lane_id: str
    places: Mapping[str, int]
    open: frozenset[int]
    mark: str | None
    run_id: str | None
    answered: bool
    sent_ms: int
    since_ms: int
    tries: int
    size: int
    own_runs: frozenset[str] = frozenset()
    """Runs that were proven to be this attempt's before: more may have appeared in them."""
    decided: frozenset[int] = frozenset()
    """Places that an operator decided about meanwhile: what is found of them counts, too."""
    held: str = ""
    """Why the last look could not prove it, or ""."""
    suspect: str = ""
    """A run that may have created them before Redis forgot that they were sent, or ""."""
    earlier: Mapping[str, int] = field(default_factory=dict)
    """Marks of earlier attempts of the same documents: what these created late counts as well."""
    quiet: float | None = None
    """Seconds without change before its documents count as missing, as its take says."""
    first_ms: int | None = None
    """When the first of them began, by Redis' clock; None if there was none."""
    clock_ahead: float | None = None
    """Seconds that the ``Date`` of its answer was ahead of Redis' clock; None if it had none."""
    refusal: RefusedWith | None = None
    """What its answer says if nothing of it was created."""

    @property
    def marks(self) -> frozenset[str]:
        """The marks that speak for these documents."""
        return frozenset(self.earlier) | ({self.mark} if self.mark else set())

    @property
    def stopped_at(self) -> tuple[int, ...]:
        """The place at which creating stopped: all that were sent before it exist, and none after.

        That document is likely to be at fault; nothing where creating had not begun.
        """
        sent = sorted(self.places.values())
        created = [place for place in sent if place not in self.open]
        if not created or created != sent[: len(created)]:
            return ()
        return tuple(sent[len(created) :][:1])

    @property
    def begin_ms(self) -> int:
        """No run that is asked about began before, by Redis' clock."""
        return self.sent_ms if self.first_ms is None else self.first_ms

    def owns(self, run: RunRead) -> bool:
        """Whether a run is certainly of these documents, whatever any clock says."""
        run_id = run.seen.run_id
        if run_id == self.run_id or run_id in self.own_runs:
            return True
        return any(task.mark in self.marks for task in run.tasks)

    def is_of_size(self, run: RunSeen) -> bool:
        """Whether a run's request had as many documents as the attempt, as far as it is known."""
        return run.batch_count in (None, 0, len(self.places)) or bool(self.earlier)


@dataclass(frozen=True, slots=True)
class Found:
    """Documents of an attempt that were created in one run: place → task id.

    ``claimed``: only the documents tell that the run is this attempt's. ``attempt``: the one that
    created them.
    """

    run_id: str
    tasks: Mapping[int, str]
    claimed: bool
    attempt: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What reading back tells of an attempt.

    ``observation`` changes whenever something that may be the attempt's does. ``blocked``: why
    nothing may be concluded from what is missing, or "". ``unread``: because a run could not be
    read, which may heal. ``waits``: why nothing may be concluded even after the quiet, though it
    may well change until then; ``lags``: what is listed may lag, so the quiet has to be longer.
    ``twice``: documents with more than one task.
    """

    found: tuple[Found, ...]
    observation: str
    blocked: str = ""
    unread: bool = False
    twice: int = 0
    waits: str = ""
    lags: bool = False


LONGEST_MARK = 100

LONGEST_NAME = MAX_WORD_BYTES + 1
"""Characters of a document's name that are kept: one more than any of ours has."""

FARTHEST_ZONE = 16 * 3600.0
"""Seconds between an id's time and ``created`` that zones may explain, and wrong clocks."""

_LONGEST_TIME = 64
_UUID_1 = re.compile(
    r"[A-Za-z]?([0-9a-f]{8})-?([0-9a-f]{4})-?1([0-9a-f]{3})-?[89ab][0-9a-f]{3}-?([0-9a-f]{12})"
)
_UUID_EPOCH = 0x01B21DD213814000
"""1970 in the steps of version-1 UUIDs, 100 ns each."""

_PLAUSIBLE = range(1_420_000_000, 7_000_000_000)
"""Seconds since 1970 that an id without ``created`` is believed: 2015 and the next centuries."""


def run_seen(entry: object) -> RunSeen | None:
    """One entry of the list of runs (D); None if it names no run."""
    if not isinstance(entry, dict) or not is_id(entry.get("run_id")):
        return None
    created, zoned = moment(entry.get("created"))
    made, node = time_of_id(entry["run_id"], created)
    return RunSeen(entry["run_id"], created, zoned, _whole(entry.get("batch_count")), made, node)


def time_of_id(word: str, created: float | None) -> tuple[float | None, int | None]:
    """The UTC time that an id holds, and which server made it; (None, None) if it holds none.

    Ids that only look like version-1 UUIDs disagree with ``created`` by centuries.
    """
    found = _UUID_1.fullmatch(word)
    if found is None:
        return None, None
    low, middle, high, node = found.groups()
    seconds = (int(high + middle + low, 16) - _UUID_EPOCH) / 10_000_000
    agrees = (
        int(seconds) in _PLAUSIBLE if created is None else abs(seconds - created) <= FARTHEST_ZONE
    )
    return (seconds, int(node, 16)) if agrees else (None, None)


def task_seen(entry: object) -> TaskSeen | None:
    """One entry of a list of tasks (D, O); None if it names no task."""
    if not isinstance(entry, dict) or not is_id(entry.get("task_id")):
        return None
    given, output = entry.get("input"), entry.get("output")
    document: Mapping[str, object] = given if isinstance(given, dict) else {}
    mark, tag = _mark(document.get(MARK_FIELD))
    names = [_word(document.get("document_id")), _word(entry.get("ref_id"))]
    first, second, *_ = [*dict.fromkeys(name for name in names if name), None, None]
    return TaskSeen(
        entry["task_id"],
        first,
        mark,
        tag,
        second,
        has_input="contact_number" in document,
        follows=isinstance(output, dict) and bool(output.get("referenced_task")),
        numbers=_numbers(document),
    )


def _numbers(document: Mapping[str, object]) -> bytes:
    found = {name: document.get(name) for name in ("contact_number", "alternate_number")}
    texts = {name: text for name, text in found.items() if isinstance(text, str)}
    return msgspec.json.encode(texts)


def moment(value: object) -> tuple[float | None, bool]:
    """Returns a time of the API, in seconds since 1970, and whether it names its zone.

    Without a zone (D shows both) it is taken as UTC.
    """
    if not isinstance(value, str):
        return None, False
    try:
        found = datetime.fromisoformat(value[:_LONGEST_TIME].strip())
    except ValueError:
        return None, False
    zoned = found.tzinfo is not None
    return (found if zoned else found.replace(tzinfo=UTC)).timestamp(), zoned


def _mark(value: object) -> tuple[str | None, str | None]:
    """The attempt's name and the scope's tag; of a mark that is none of ours, the whole of it."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_MARK:
        return None, None
    parts = value.split("-")
    return ("-".join(parts[:2]), parts[2]) if len(parts) == 3 else (value, None)


def _word(value: object) -> str | None:
    """An id, which other systems may have written as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:LONGEST_NAME]
    return value[:LONGEST_NAME] if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 1 << 63 else None
