"""Keeps worker processes alive: starts them, starts them again, and ends them in good order."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from callspool.errors import CallspoolError, QueueUnavailable
from callspool_worker import events
from callspool_worker.events.event import emit
from callspool_worker.processes.process_slot import AWAY, ChildProcess, ProcessSlot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

# -P: what lies in the user's current directory must not pass for a module of ours.
COMMAND = (sys.executable, "-P", "-m", "callspool_worker.processes.child")

LOG = logging.getLogger(__name__)

POLL = 0.1
"""Seconds between two looks at what gives no notice: signals, and children about to end."""

MISCONFIGURED = 2
UNREACHABLE = 3
"""Exit codes of a child for which starting it again would not help."""


class Witness(Protocol):
    """Who is told how children do. Called from several threads."""

    def on_report(self, incarnation: str, vitals: bytes) -> None:
        """Takes the vital signs that a child reported."""

    def on_end(self, incarnation: str) -> None:
        """Takes note that a child is gone: its last call."""


class Supervisor:
    """A number of worker processes with one configuration.

    ``config`` is a JSON object, handed to each child as one line on its stdin together with its
    ``incarnation``, a name that no other child ever had. ``pass_fds`` are descriptors that every
    child inherits; ``env`` is its environment (default: this process's without the settings of
    callspool, which may hold secrets). ``stop_timeout``: seconds in which a child that was asked
    to end may finish what it sent. ``on_child_death`` is told the incarnation of a child that is
    certainly gone and did not end in good order; it is called from a thread of its own. ``witness``
    is told what children report.

    `run` does everything up to the exit code; `start` and `stop` are for a process with work and
    signals of its own. Only children of this supervisor are ever signalled.
    """

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        *,
        config: bytes,
        processes: int,
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        stop_timeout: float = 60.0,
        log: logging.Logger = LOG,
        on_child_death: Callable[[str], None] | None = None,
        witness: Witness | None = None,
    ) -> None:
        self.failure: CallspoolError | None = None
        """Why no child could start; nothing is supervised any more then."""
        self._command = tuple(command)
        self._config = {**json.loads(config), "stop_timeout": stop_timeout}
        self._pass_fds = tuple(pass_fds)
        self._env = without_settings(os.environ) if env is None else env
        self._stop_timeout = stop_timeout
        self._log = log
        self._on_child_death = on_child_death
        self._witness = witness
        self._change = threading.Condition()
        # Apart from the slots: a report that takes long must not delay the next child.
        self._reporter = ThreadPoolExecutor(1, "deaths")
        # A SimpleQueue, because signal handlers put into it what their own thread waits for.
        self._news: queue.SimpleQueue[signal.Signals | None] = queue.SimpleQueue()
        self._slots = [ProcessSlot(self._start_child, self, log) for _ in range(processes)]

    def run(self) -> int:
        """Works until SIGTERM or SIGINT, and returns the exit code.

        The first signal lets the children finish what they sent; a SIGINT after it kills them.
        The code is 0; 130 after SIGINT; 1 where a child had to be killed; 2 or 3 with `failure`.
        """
        with self._signals():
            self.start()
            first = self._wait_for_a_reason_to_stop()
            asked_at = time.monotonic()
            if first is not None:
                emit(events.Stopping(why=first.name), self._log)
            self._close(signal.SIGTERM)
            in_good_order = self._wait_for_the_end()
            self._finish_reports()
            if first is not None:
                seconds = round(time.monotonic() - asked_at, 1)
                emit(events.Stopped(seconds=seconds, killed=not in_good_order), self._log)
        if self.failure is not None:
            return UNREACHABLE if isinstance(self.failure, QueueUnavailable) else MISCONFIGURED
        if not in_good_order:
            return 1
        return 130 if first == signal.SIGINT else 0

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in before:
            signal.signal(number, lambda got, _frame: self._news.put(signal.Signals(got)))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _wait_for_a_reason_to_stop(self) -> signal.Signals | None:
        # Not without a limit: a signal that another thread received does not wake this one.
        while (first := self._next(POLL)) is None and self.failure is None:
            pass
        return first

    def _wait_for_the_end(self) -> bool:
        """True when all children ended by themselves; those that do not are killed."""
        deadline = time.monotonic() + self._stop_timeout
        while not self._empty(0):
            left = deadline - time.monotonic()
            if left <= 0 or self._next(min(left, POLL)) == signal.SIGINT:
                return self._kill()
        return True

    def _next(self, timeout: float) -> signal.Signals | None:
        try:
            return self._news.get(timeout=timeout)
        except queue.Empty:
            return None

    def _kill(self) -> bool:
        if self._empty(0):
            return True
        emit(events.Killed(), self._log)
        self._close(signal.SIGKILL)
        for slot in self._slots:
            slot.join(self._stop_timeout)
        return False

    def _empty(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        return all(slot.join(max(0.0, deadline - time.monotonic())) for slot in self._slots)

    def start(self) -> None:
        """Starts the children and returns at once."""
        for slot in self._slots:
            slot.open()

    def wait_ready(self, timeout: float) -> bool:
        """Waits until every child works; False after ``timeout`` seconds. Raises `failure`."""
        with self._change:
            self._change.wait_for(lambda: self.failure is not None or self._all_ready(), timeout)
        if self.failure is not None:
            raise self.failure
        return self._all_ready()

    def _all_ready(self) -> bool:
        return all(slot.was_ready for slot in self._slots)

    def stop(self, timeout: float | None = None) -> bool:
        """Lets the children finish for ``timeout`` seconds (default: ``stop_timeout``).

        Then it kills them. True when none had to be killed.
        """
        self._close(signal.SIGTERM)
        limit = self._stop_timeout if timeout is None else timeout
        in_good_order = self._empty(limit) or self._kill()
        self._finish_reports()
        return in_good_order

    def alive(self) -> int:
        """Returns how many children live at this moment."""
        return len(self.pids())

    def pids(self) -> list[int]:
        """Returns the process numbers of the children that live at this moment."""
        return [pid for slot in self._slots if (pid := slot.pid) is not None]

    def _close(self, number: signal.Signals) -> None:
        for slot in self._slots:
            slot.close(number)

    def _start_child(self) -> ChildProcess:
        incarnation = uuid.uuid4().hex
        config = json.dumps({**self._config, "incarnation": incarnation}).encode()
        return ChildProcess(
            self._command,
            config=config,
            incarnation=incarnation,
            pass_fds=self._pass_fds,
            env=self._env,
        )

    def on_ready(self) -> None:
        with self._change:
            self._change.notify_all()

    def on_report(self, child: ChildProcess, vitals: bytes) -> None:
        if self._witness is not None:
            self._witness.on_report(child.incarnation, vitals)

    def on_end(self, child: ChildProcess, code: int) -> None:
        if self._witness is not None:
            self._witness.on_end(child.incarnation)
        if not child.was_ready and code in {MISCONFIGURED, UNREACHABLE}:
            self._on_refusal(child, code)
        elif not child.was_ready and code == AWAY:
            emit(events.NotStarted(why=child.reason or "Redis is away"), self._log)
        elif code != 0 and self._on_child_death is not None:
            report = self._reporter.submit(self._on_child_death, child.incarnation)
            report.add_done_callback(self._log_failed_report)

    def _on_refusal(self, child: ChildProcess, code: int) -> None:
        reason = child.reason or f"a worker process ended at once with exit code {code}"
        # Where some child has worked already, this one only came at a bad moment.
        if any(slot.was_ready for slot in self._slots):
            emit(events.NotStarted(why=reason), self._log)
            return
        kind = QueueUnavailable if code == UNREACHABLE else CallspoolError
        self._fail(kind(reason))

    def on_hopeless(self, why: str) -> None:
        if any(slot.was_ready for slot in self._slots):
            return
        self._fail(
            CallspoolError(
                f"worker processes end before they can work, the last one with: {why};"
                " see the messages above, and callspool doctor"
            )
        )

    def _fail(self, failure: CallspoolError) -> None:
        """Ends all: no child could start."""
        with self._change:
            if self.failure is None:
                self.failure = failure
            self._change.notify_all()
        self._close(signal.SIGTERM)

    def _log_failed_report(self, report: Future[None]) -> None:
        error = report.exception()
        if error is not None:
            emit(events.StepFailed(part="recording the death of a worker"), self._log, error=error)

    def _finish_reports(self) -> None:
        if self._empty(0):
            self._reporter.shutdown()

    def on_empty(self) -> None:
        self._news.put(None)

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment that tells a child nothing which its configuration does not say."""
    return {name: value for name, value in environ.items() if not name.startswith("CALLSPOOL_")}
