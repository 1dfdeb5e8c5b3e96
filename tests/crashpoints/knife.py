"""Cuts a process at one of its I/O steps: before it, amid its commands, or before its reply.

A step is one round trip to Redis, with the commands that it carries, or one request to the API.
What is sent together is not carried out together: of a round trip with three commands a crash may
let none through, the first, the first two, or all of them while the reply is lost.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import redis

from callspool.redis_io import scripts as core_scripts
from callspool_ledger import scripts


class Cut(BaseException):
    """The process is gone. Nothing may catch it but who plays the rest of the world."""


@dataclass(frozen=True)
class Step:
    """One I/O step: its name, which time a process does it, and how many commands it carries."""

    name: str
    time: int
    commands: int

    def points(self) -> Iterator[Point]:
        """Everywhere that a process can die at this step."""
        for done in range(self.commands + 1):
            yield Point(self.name, self.time, done, self.commands)


@dataclass(frozen=True)
class Point:
    """Where a process dies: when ``done`` of the step's ``commands`` have had their effect."""

    name: str
    time: int
    done: int
    commands: int

    @classmethod
    def parse(cls, code: str) -> Point:
        """The point that `code` names."""
        name, _, rest = code.strip().rpartition("@")
        time, _, done = rest.partition("/")
        return cls(name, int(time), int(done), name.count(" + ") + 1)

    @property
    def code(self) -> str:
        """By which it can be played again."""
        return f"{self.name}@{self.time}/{self.done}"

    def __str__(self) -> str:
        where = f"{self.name} (time {self.time})"
        if self.done == 0:
            return f"before {where}"
        if self.done == self.commands:
            return f"after {where}, before its reply"
        return f"amid {where}, after {self.done} of {self.commands} commands"


class Knife:
    """Watches the steps of one process, and ends it at a point of them, if there is one."""

    def __init__(self, point: Point | None, on_step: Callable[[str], None]) -> None:
        self._point = point
        self._on_step = on_step
        self._connections: list[redis.Connection] = []
        self._times: Counter[str] = Counter()
        self.steps: list[Step] = []
        self.has_cut = False

    def begin(self, names: list[str]) -> int | None:
        """A step begins; how many of its commands are still done, None for all and the reply."""
        if self.has_cut:
            raise Cut
        name = " + ".join(names)
        self._times[name] += 1
        step = Step(name, self._times[name], len(names))
        self.steps.append(step)
        self._on_step(name)
        if self._point is None or (self._point.name, self._point.time) != (step.name, step.time):
            return None
        self.has_cut = True
        if self._point.done == 0:
            raise Cut
        return self._point.done

    def request(self, name: str, send: Callable[[], Any]) -> Any:
        """One request to the API."""
        cut = self.begin([name]) is not None
        answer = send()
        if cut:
            raise Cut
        return answer

    def client(self, url: str) -> redis.Redis:
        """A client whose every round trip is a step."""
        kind = type("WatchedConnection", (_WatchedConnection,), {"knife": self})
        pool = redis.ConnectionPool.from_url(
            url, connection_class=kind, socket_timeout=10.0, retry=None
        )
        return redis.Redis.from_pool(pool)

    def watch(self, connection: redis.Connection) -> None:
        """One more connection of this process."""
        self._connections.append(connection)

    def close(self) -> None:
        """Closes the connections of this process, as its end would."""
        for connection in self._connections:
            connection.disconnect()


_DRIVER = redis.DriverInfo()
"""Found out once: that takes longer than a whole connection."""


class _WatchedConnection(redis.Connection):
    knife: Knife
    _is_greeting = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"driver_info": _DRIVER} | options)
        self.knife.watch(self)

    def on_connect_check_health(self, check_health: bool = True) -> None:
        self._is_greeting = True
        try:
            super().on_connect_check_health(check_health)
        finally:
            self._is_greeting = False

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self._sock:  # a greeting has no effect, so it is no step
            self.connect_check_health(check_health=False)
        if self._is_greeting:
            super().send_packed_command(command, check_health)
            return
        commands = list(split(b"".join(command)))
        done = self.knife.begin([_name_of(words) for _, words in commands])
        if done is None:
            super().send_packed_command(command, check_health)
            return
        super().send_packed_command([sent for sent, _ in commands[:done]], check_health)
        for _ in range(done):
            with contextlib.suppress(redis.RedisError):
                self.read_response()
        self.disconnect()
        raise Cut


def split(sent: bytes) -> Iterator[tuple[bytes, list[bytes]]]:
    """The commands in what goes over the wire, each with its words."""
    place = 0
    while place < len(sent):
        start = place
        count, place = _number(sent, place)
        words = []
        for _ in range(count):
            length, place = _number(sent, place)
            words.append(sent[place : place + length])
            place += length + 2
        yield sent[start:place], words


def _number(sent: bytes, place: int) -> tuple[int, int]:
    end = sent.index(b"\r\n", place)
    return int(sent[place + 1 : end]), end + 2


def _name_of(words: list[bytes]) -> str:
    word = words[0].decode()
    if word == "EVALSHA":
        return script_names()[words[1].decode()]
    if word == "SCRIPT":
        return "SCRIPT LOAD"
    return word


_names: dict[str, str] = {}


def script_names() -> dict[str, str]:
    """The name of every script, by the hash that calls it."""
    if not _names:
        _names.update((script.sha, script.name) for script in all_scripts())
    return _names


def all_scripts() -> list[core_scripts.Script]:
    """Every script that producers and workers run."""
    return list(map(scripts.load, scripts.list_scripts()))
