"""Making the events of a schedule happen, each when it is due."""

from __future__ import annotations

import logging
import queue
import signal
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from chaos.mix import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chaos.schedule import Event, Schedule
    from chaos.stage import Stage

_log = logging.getLogger(__name__)


class Acting:
    """One thread for each part of the stage, so that its faults follow each other.

    ``happened`` counts what came to pass; cuts are counted by the proxies. ``timeline`` tells when
    each began and was over, in seconds of the monotonic clock. ``failures``: what the harness
    itself could not do.
    """

    def __init__(self, stage: Stage, schedule: Schedule) -> None:
        self._stage = stage
        self._events = schedule.events
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self.happened: Counter[str] = Counter()
        self.failures: list[str] = []
        self.timeline: list[tuple[float, float, str]] = []
        self._acts = acts(stage)
        parts = {kind.what for kind in EVENTS.values()}
        self._queues: dict[str, queue.SimpleQueue[Event | None]] = {
            part: queue.SimpleQueue() for part in sorted(parts)
        }

    def play(self, seconds: float, on_tick: Callable[[float], None]) -> None:
        """Does all of it; returns after ``seconds`` and once every fault that began is over."""
        begun = time.monotonic()
        threads = [
            threading.Thread(target=self._follow, args=(orders,), daemon=True)
            for orders in self._queues.values()
        ]
        for thread in threads:
            thread.start()
        try:
            self._hand_out(begun, on_tick)
            while (now := time.monotonic() - begun) < seconds:
                on_tick(now)
                time.sleep(min(0.5, seconds - now))
        finally:
            self._ending.set()
            for orders in self._queues.values():
                orders.put(None)
            for thread in threads:
                thread.join()

    def _hand_out(self, begun: float, on_tick: Callable[[float], None]) -> None:
        for event in self._events:
            while (left := event.at - (time.monotonic() - begun)) > 0:
                on_tick(event.at - left)
                time.sleep(min(left, 0.5))
            self._queues[EVENTS[event.kind].what].put(event)

    def _follow(self, orders: queue.SimpleQueue[Event | None]) -> None:
        while (event := orders.get()) is not None:
            if self._ending.is_set():
                continue
            begun = time.monotonic()
            try:
                happened = self._acts[event.kind](event)
            except (OSError, RuntimeError, ValueError) as error:
                _log.exception("%s could not be done", event.kind)
                self.failures.append(f"{event.kind}: {type(error).__name__}: {error}")
                continue
            with self._lock:
                self.happened[event.kind] += happened
                self.timeline.append((begun, time.monotonic(), event.kind))


def acts(stage: Stage) -> Mapping[str, Callable[[Event], bool]]:
    """What each kind of event does to the stage; each returns whether it came to pass."""
    workers, redis, api = stage.workers, stage.redis_link, stage.api_link

    def redis_stop(event: Event) -> bool:
        stage.redis.signal(signal.SIGSTOP)
        time.sleep(event.seconds)
        stage.redis.signal(signal.SIGCONT)
        return True

    def api_stop(event: Event) -> bool:
        stopped = stage.signal_api(signal.SIGSTOP)
        time.sleep(event.seconds)
        return stage.signal_api(signal.SIGCONT) and stopped

    return {
        "kill_child": lambda event: workers.kill_child(event.pick),
        "kill_supervisor": lambda event: workers.kill(event.pick, event.seconds),
        "term_supervisor": lambda event: workers.terminate(event.pick),
        "stop_child": lambda event: workers.pause_child(event.pick, event.seconds),
        "stop_child_past_lease": lambda event: workers.pause_child(event.pick, event.seconds),
        "stop_supervisor": lambda event: workers.pause(event.pick, event.seconds),
        "redis_kill": lambda event: stage.restart_redis(event.seconds, crash=True),
        "redis_term": lambda event: stage.restart_redis(event.seconds, crash=False),
        "redis_stop": redis_stop,
        "redis_forget": lambda event: stage.make_redis_forget(event.bytes, event.seconds),
        "redis_empty": lambda _: stage.empty_redis(),
        "redis_promote": lambda event: stage.promote_replica(event.seconds),
        "redis_cut": lambda event: _cut(redis.cut, event),
        "redis_drop": lambda event: redis.drop(reset=event.reset) > 0,
        "redis_stall": lambda event: _for_a_while(redis.stall, redis.flow, event),
        "redis_shut": lambda event: _for_a_while(redis.shut, redis.open, event),
        "api_cut": lambda event: _cut(api.cut, event),
        "api_drop": lambda event: api.drop(reset=event.reset) > 0,
        "api_stall": lambda event: _for_a_while(api.stall, api.flow, event),
        "api_shut": lambda event: _for_a_while(api.shut, api.open, event),
        "api_stop": api_stop,
    }


def _cut(cut: Callable[..., None], event: Event) -> bool:
    cut(event.bytes, up=event.up, reset=event.reset)
    return False  # the proxy counts it when it comes to pass


def _for_a_while(begin: Callable[[], None], end: Callable[[], None], event: Event) -> bool:
    begin()
    time.sleep(event.seconds)
    end()
    return True
