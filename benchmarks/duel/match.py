"""One contestant on the stage: enqueue, kill at fixed progress, wait until it rests, count."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import redis

from benchmarks.duel import stage
from benchmarks.duel.crew import Crew
from benchmarks.duel.stage import Contestant, Place
from benchmarks.duel.verdict import Outcome, Records, Truth, judge
from callspool.errors import QueueUnavailable
from callspool_sandbox.process import SandboxProcess
from tests.support.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.duel.roll import Roll


class LogTail:
    """Each line once; a line that is still being written is left for the next time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0

    def lines(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._place += len(line)
                yield msgspec.json.decode(line)


POLL = 0.05
REST = 5.0
"""Seconds without anything to do, or any change, after which a contestant is done."""

DOUBTFUL_REST = 60.0
"""The same while it has documents in doubt: a dead worker's look at the API is over after 15 s."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``kills`` of a worker at even steps of progress, ``redis_away`` seconds at the half of it.

    ``limit``: seconds after which a contestant is stopped, done or not.
    """

    seed: int
    kills: int
    redis_away: float
    limit: float


def play(
    contestant: Contestant, roll: Roll, rules: Rules, home: Path, tell: Callable[[str], None]
) -> Outcome:
    """Plays one match; ends within ``rules.limit`` and a few seconds, and leaves no process."""
    log = home / "api.jsonl"
    with (
        RedisServer("--appendfsync", "everysec", append_only=True) as server,
        SandboxProcess(
            log=log, faults=stage.FAULTS, seed=rules.seed, latency=stage.LATENCY
        ) as sandbox,
    ):
        place = Place(server.url, sandbox.url, home)
        contestant.enqueue(place, roll)
        with Crew(contestant.commands(), contestant.environment(place), home) as crew:
            match = _Match(contestant, roll, rules, server, LogTail(log), crew, tell)
            match.run()
        # Workers have ended; the API may still be creating what it was asked for.
        time.sleep(stage.HANG)
        with server.client() as client:
            records = contestant.records(client, roll)
    return match.outcome(records)


class _Match:
    def __init__(
        self,
        contestant: Contestant,
        roll: Roll,
        rules: Rules,
        server: RedisServer,
        log: LogTail,
        crew: Crew,
        tell: Callable[[str], None],
    ) -> None:
        self._contestant = contestant
        self._roll = roll
        self._rules = rules
        self._server = server
        self._log = log
        self._crew = crew
        self._tell = tell
        self._truth = Truth()
        self._marks = _marks(len(roll.documents), rules.kills)
        self._kills = 0
        self._redis_killed = not rules.redis_away
        self._finished = False
        self._seconds = 0.0

    def run(self) -> None:
        started = time.monotonic()
        standing = (len(self._roll.documents), 0)
        changed = started
        while time.monotonic() - started < self._rules.limit:
            self._truth.add(self._log.lines())
            self._strike()
            self._crew.revive()
            found = self._standing() or standing
            now = time.monotonic()
            if found != standing or found[0]:
                standing, changed = found, now
            if now - changed > (DOUBTFUL_REST if standing[1] else REST):
                self._finished = True
                break
            time.sleep(POLL)
        self._seconds = changed - started

    def outcome(self, records: Records) -> Outcome:
        self._truth.add(self._log.lines())
        return Outcome(
            name=self._contestant.name,
            note=self._contestant.note,
            verdict=judge(self._roll, self._truth, records),
            seconds=round(self._seconds, 1),
            kills=self._kills,
            finished=self._finished,
        )

    def _strike(self) -> None:
        progress = len(self._truth.created)
        if self._marks and progress >= self._marks[0]:
            self._marks.pop(0)
            self._crew.kill_and_restart(self._kills)
            self._kills += 1
            self._tell(f"{progress} called: worker killed")
        if not self._redis_killed and progress >= len(self._roll.documents) / 2:
            self._redis_killed = True
            self._tell(f"{progress} called: Redis killed")
            self._server.kill()
            time.sleep(self._rules.redis_away)
            self._server.start()

    def _standing(self) -> tuple[int, int] | None:
        try:
            with self._server.client() as client:
                return self._contestant.standing(client)
        except (redis.RedisError, QueueUnavailable):
            return None


def _marks(contacts: int, kills: int) -> list[float]:
    """Progress, in contacts called, at which a worker is killed: even steps up to four fifths."""
    return [0.8 * contacts * (number + 1) / kills for number in range(kills)]
