"""This process in the roster of those that may take: what Redis forgot shows in its entry."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from callspool_ledger.writes.records import as_list, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.redis_io.scripts import Call, Reply
    from callspool_ledger.writes.calls import LedgerCalls
    from callspool_ledger.writes.records import Taken

    Run = Callable[[Sequence[Call]], list[Reply]]


class RosterMember:
    """What one process knows of its own takes in one partition. Safe among threads.

    A reply that Redis gave before a restart counts no more once this process has reported after it:
    what it reported then would not be true.
    """

    def __init__(self, calls: LedgerCalls, is_on_disk: Callable[[], bool]) -> None:
        self.name = secrets.token_hex(6)
        self.known = 0
        """The highest attempt that this process was given."""
        self.has_joined = False
        self._calls = calls
        self._is_on_disk = is_on_disk
        self._epoch = 0
        self._beat = 0
        self._answered = 0
        self._facts = threading.Lock()
        self._joining = threading.Lock()

    def join(self, run: Run) -> None:
        """Enters this process, if it has no entry; returns when the entry is on disk.

        Not every Redis can tell that it is; then no restart of it is known to have forgotten
        nothing.
        """
        if self.has_joined:
            return
        with self._joining:
            run([self._calls.join(self.name, self.known, self._beat, is_safe=False)])
            is_safe = self._is_on_disk()
            run([self._calls.join(self.name, self.known, self._beat, is_safe=is_safe)])
            self.has_joined = True

    def lose_entry(self) -> None:
        """Has this process join once more before it takes."""
        self.has_joined = False

    def accepts(self, taken: Taken) -> bool:
        """Notes what was given; not what was given before a restart that this process knows of."""
        with self._facts:
            if taken.epoch < self._epoch:
                return False
            self.known = max(self.known, taken.attempt)
            return True

    def report(self, run: Run, *, leaves: bool = False) -> int:
        """Tells Redis that this process lives; returns how many spaces are open because of it.

        They are opened where every process has found what it was given last, after a restart.
        """
        opened = 0
        while self.has_joined:
            with self._facts:
                self._beat += 1
                beats, known, epoch = (self._beat, self._answered), self.known, self._epoch
            call = self._calls.report(self.name, beats, known, epoch, leaves=leaves)
            (reply,) = run([call])
            now, has_entry, more = whole_numbers(as_list(reply))
            opened += more
            with self._facts:
                self._answered = beats[0]
                is_news = now > self._epoch
                self._epoch = max(self._epoch, now)
            if leaves or not has_entry:
                self.lose_entry()
            if not is_news:
                break
        return opened
