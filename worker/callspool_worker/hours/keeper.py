"""Keeps the tables of calling hours: computes when each class of zones is open, and sorts documents
that waited before their campaign had hours into the lanes of their classes."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from callspool.hours.numbers import Classifier
from callspool.hours.record import find_intervals
from callspool.request.raw_document import read_number
from callspool_ledger.reads.campaigns import read_campaigns
from callspool_ledger.reads.held import read_active, read_unsorted
from callspool_ledger.selectors import SEPARATOR, lane_of_class
from callspool_ledger.writes import LedgerUnavailable
from callspool_worker import events
from callspool_worker.events.event import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from callspool.hours.record import PlatformHours
    from callspool_ledger.reads.campaigns import CampaignName, CampaignTables
    from callspool_ledger.reads.held import UnsortedLane
    from callspool_ledger.writes import Ledger

PAUSE = 1.0
"""Seconds between two looks at what operators asked for."""

PAUSE_AFTER_FAULT = 5.0
"""Seconds for which a partition that did not answer is left alone."""

GOOD_FOR_MS = 600_000
"""Milliseconds after which it is computed anew when a class is open."""

CLASSES_A_LOOK = 200

LANES_A_ROUND, ROUNDS_A_LOOK = 10, 50
"""Lanes of which a batch each is sorted in one round, and rounds in one look."""

SHARE_EVERY = 10
"""Looks between two counts of the partitions that share a pace."""


@dataclass(slots=True)
class _PartitionView:
    """What a partition answered last, and when it may be asked again."""

    ledger: Ledger
    tables: CampaignTables | None = None
    active: set[CampaignName] | None = None
    ask_at: float = 0.0
    is_new: bool = True
    """Whether this process has not yet compared the platform's hours with those computed there."""


class HoursKeeper(threading.Thread):
    """Every worker process keeps the tables of every partition; there is no leader.

    A partition that does not answer keeps what it said last, and the others are kept meanwhile.
    ``early``: seconds before the end of hours at which they close, where a campaign names none.
    """

    def __init__(self, ledgers: Sequence[Ledger], platform: PlatformHours, early: float) -> None:
        super().__init__(name="hours", daemon=True)
        self._partitions = [_PartitionView(ledger) for ledger in ledgers]
        self._platform = platform
        self._early = early
        own = repr((platform, early)).encode()
        self._settings = hashlib.blake2b(own, digest_size=8).hexdigest().encode()
        self._classifiers: dict[tuple[str, str], Classifier] = {}
        self._stopped = threading.Event()
        self._looks = 0

    def classifier_of(self, account: str, campaign: str) -> Classifier | None:
        """Returns what tells the zones of a campaign's contacts; None where it has no hours."""
        return self._classifiers.get((account, campaign))

    def stop(self) -> None:
        """Ends the thread after what it is doing."""
        self._stopped.set()
        self.join()

    def look(self) -> None:
        """Learns what operators asked for, and does what follows from it."""
        now = time.monotonic()
        due = [each for each in self._partitions if each.ask_at <= now]
        answering = _ask_each(due, _read_tables)
        self._learn()
        answering = _ask_each(answering, self._keep)
        self._looks += 1
        if len(self._partitions) > 1 and self._looks % SHARE_EVERY == 1:
            self._share(answering)

    def run(self) -> None:
        """Looks until it is stopped; while Redis is away, what is computed holds."""
        pause = PAUSE
        while not self._stopped.wait(pause):
            try:
                self.look()
                pause = PAUSE
            except Exception as error:  # noqa: BLE001 - nothing would be open for long without it
                emit(events.StepFailed(part="calling hours", pause=PAUSE_AFTER_FAULT), error=error)
                pause = PAUSE_AFTER_FAULT

    def _learn(self) -> None:
        found = [each.tables for each in self._partitions if each.tables]
        found.sort(key=lambda tables: tables.now_ms)  # what was read last wins
        self._classifiers = {
            (name.account, name.campaign): Classifier(self._platform.zones, view.record.zone_field)
            for tables in found
            for name, view in tables.campaigns.items()
            if view.record.timed
        }

    def _keep(self, partition: _PartitionView) -> None:
        if partition.tables:
            ledger = partition.ledger
            is_other = partition.is_new and self._is_other_platform(ledger)
            self._compute(ledger, partition.tables, is_other=is_other)
            if is_other:  # noted once all are stored: what Redis did not take is computed again
                ledger.run_commands([("HSET", ledger.keys.meta, "platform", self._settings)])
            partition.is_new = False
        if self._classifiers:
            self._sort(partition.ledger)

    def _is_other_platform(self, ledger: Ledger) -> bool:
        """Whether what is computed there was computed with other settings."""
        (known,) = ledger.run_commands([("HGET", ledger.keys.meta, "platform")])
        return known != self._settings

    def _compute(self, ledger: Ledger, tables: CampaignTables, *, is_other: bool) -> None:
        """Computes when classes are open; all of them where the platform has other hours."""
        openings = []
        now = datetime.fromtimestamp(tables.now_ms / 1000, UTC)
        for (name, zones), opening in tables.openings.items():
            view = tables.campaigns.get(name)
            if view is None or not view.record.timed:
                continue
            is_current = opening.revision == view.revision and not is_other
            if is_current and tables.now_ms - opening.computed_ms < GOOD_FOR_MS:
                continue
            intervals = find_intervals(
                view.record, zones, platform=self._platform, early=self._early, now=now
            )
            openings.append((f"{name.key}{SEPARATOR}{zones}", view.revision, intervals))
        for at in range(0, len(openings), CLASSES_A_LOOK):
            ledger.run([ledger.calls.store_hours(openings[at : at + CLASSES_A_LOOK])])

    def _sort(self, ledger: Ledger) -> None:
        for _ in range(ROUNDS_A_LOOK):
            moved = 0
            for each in ledger.read(read_unsorted(LANES_A_ROUND)):
                classifier = self.classifier_of(*each.name)
                if classifier is not None and not self._stopped.is_set():
                    moved += _sort_batch(ledger, each, classifier)
            if not moved:
                return

    def _share(self, answering: Sequence[_PartitionView]) -> None:
        """Has the partitions that hold lanes of a campaign share its pace.

        Until each of them has answered once, all partitions share it.
        """
        paced = {
            name
            for each in self._partitions
            if each.tables
            for name, view in each.tables.campaigns.items()
            if view.record.pace
        }
        if not paced:
            return
        answering = _ask_each(answering, _read_active)
        counted: Counter[CampaignName] = Counter()
        for each in self._partitions:
            if each.active is None:
                return
            counted.update(each.active & paced)
        parts = {name.key: max(1, counted[name]) for name in paced}

        def share(partition: _PartitionView) -> None:
            partition.ledger.run([partition.ledger.calls.share_pace(parts)])

        _ask_each(answering, share)


def start_keeper(
    ledgers: Sequence[Ledger], platform: PlatformHours, early: float, stack: ExitStack
) -> HoursKeeper:
    """Starts a keeper that has looked once, if Redis answers; the stack stops it."""
    keeper = HoursKeeper(ledgers, platform, early)
    keeper.look()
    keeper.start()
    stack.callback(keeper.stop)
    return keeper


def _ask_each(
    partitions: Sequence[_PartitionView], step: Callable[[_PartitionView], None]
) -> list[_PartitionView]:
    """Takes a step with each partition; returns those that answered."""
    answering = []
    for each in partitions:
        try:
            step(each)
        except LedgerUnavailable:  # what it said last holds
            each.ask_at = time.monotonic() + PAUSE_AFTER_FAULT
        else:
            answering.append(each)
    return answering


def _read_tables(partition: _PartitionView) -> None:
    partition.tables = partition.ledger.read(read_campaigns())


def _read_active(partition: _PartitionView) -> None:
    partition.active = partition.ledger.read(read_active())


def _sort_batch(ledger: Ledger, unsorted: UnsortedLane, classifier: Classifier) -> int:
    """Sorts a batch by the zones of its documents; returns how many moved."""
    places: dict[str, list[int]] = {}
    for _, documents in ledger.batches([unsorted.batch]).values():
        for place, document in enumerate(documents):
            places.setdefault(_class_of(classifier, document), []).append(place)
    lane = unsorted.lane
    classes = [(zones, lane_of_class(lane, zones), each) for zones, each in places.items()]
    (moved,) = ledger.run([ledger.calls.sort(ledger.limits, lane, unsorted.batch, classes)])
    return max(0, moved) if isinstance(moved, int) else 0


def _class_of(classifier: Classifier, document: bytes) -> str:
    try:
        return classifier.classify(read_number(document), document)
    except msgspec.MsgspecError:  # it was accepted by what could read it
        return classifier.classify("")
