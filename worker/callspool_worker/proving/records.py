"""What was read back from the API, and what the ledger asks about: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    no request of ours did.
    """

    task_id: str
    document_id: str | None
    mark: str | None
    scope_tag: str | None = None
    ref_id: str | None = None
    has_input: bool = False
    follows: bool = False

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
    earlier: Mapping[str, int] = field(default_factory=dict)
    """Marks of earlier attempts of the same documents: what these created late counts as well."""
    quiet: float | None = None
    """Seconds without change before its documents count as missing, as its take says."""
    first_ms: int | None = None
    """When the first of them began, by Redis' clock; None if there was none."""
    clock_ahead: float | None = None
    """Seconds that the ``Date`` of its answer was ahead of Redis' clock; None if it had none."""

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
