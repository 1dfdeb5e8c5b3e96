"""Takes that must be on disk before they are sent, and the roster that shows what Redis forgot."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import redis

from callspool.errors import SettingsError
from callspool_ledger.errors import LedgerUnavailable
from callspool_ledger.writes.records import as_list, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.redis_io.scripts import Command, Reply
    from callspool_ledger.writes.records import Durability


PATIENCE_MS = 5000
"""Milliseconds until a take that is not confirmed to be on disk is asked about again."""


SHORT_PATIENCE_MS = 3000
"""The same where a Redis that cannot tell is good enough; `appendfsync no` never tells."""


class Disks:
    """Asks Redis whether what was written is on its disk, and on that of its replicas where wanted.

    ``meta`` is a hash that may be written to. Any replica may be the one that is promoted: all that
    are connected have to confirm, and one at least.
    """

    def __init__(self, wanted: Durability, meta: str) -> None:
        self._replicas = int(wanted == "replica")
        self._wanted = wanted
        self._meta = meta
        self._always = False

    def check(self, run: Callable[[Sequence[Command]], list[Reply]]) -> None:
        """Finds out how this Redis makes writes durable.

        Raises `SettingsError` if it cannot: `WAITAOF` came with Redis 7.2, and needs AOF.
        """
        if self._wanted == "off":
            return
        try:
            config, waited = run([("CONFIG", "GET", "append*"), ("WAITAOF", 0, 0, 1)])
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise LedgerUnavailable(f"Redis does not answer: {type(error).__name__}") from error
        found = _pairs(config)
        if found.get("appendonly") == "no":
            raise SettingsError("CALLSPOOL_DURABLE_TAKES needs a Redis with appendonly yes")
        if isinstance(waited, Exception):
            # Whatever is answered is on disk then; a replica it cannot ask.
            self._always = found.get("appendfsync") == "always"
            if not self._always or self._replicas:
                raise SettingsError(
                    "CALLSPOOL_DURABLE_TAKES needs Redis 7.2 or later (WAITAOF) or, for local,"
                    " appendfsync always"
                )
        self._count_replicas(run)

    def _count_replicas(self, run: Callable[[Sequence[Command]], list[Reply]]) -> None:
        if self._wanted != "replica":
            return
        try:
            (info,) = run([("INFO", "replication")])
        except (redis.ConnectionError, redis.TimeoutError, LedgerUnavailable):
            return  # the next question fails as well, and says so
        self._replicas = max(1, _replicas_in(info))

    def try_to_wait(self, run: Callable[[Sequence[Command]], list[Reply]]) -> bool:
        """Waits until what was written is on Redis' own disk, if it can tell; whether it is."""
        mark: Command = ("HSET", self._meta, "confirmed", 1)
        try:
            _, counts = run([mark, ("WAITAOF", 1, 0, SHORT_PATIENCE_MS)])
            if isinstance(counts, Exception):  # before Redis 7.2, or without AOF
                (config,) = run([("CONFIG", "GET", "append*")])
                found = _pairs(config)
                return found.get("appendonly") == "yes" and found.get("appendfsync") == "always"
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        return isinstance(counts, list) and bool(counts[0])

    def confirm(self, run: Callable[[Sequence[Command]], list[Reply]]) -> None:
        """Returns when all that was written before is on disk; raises `LedgerUnavailable`.

        A write of its own goes before the question, which is about this connection's writes alone.
        """
        if self._always:
            return
        mark: Command = ("HSET", self._meta, "confirmed", 1)
        _, counts = run([mark, ("WAITAOF", 1, self._replicas, PATIENCE_MS)])
        local, replicas = counts if isinstance(counts, list) else (0, 0)
        if not local or replicas < self._replicas:
            self._count_replicas(run)  # one may be gone for good
            raise LedgerUnavailable("Redis did not confirm in time that a take is on disk")


def weaknesses(info: Mapping[str, object]) -> list[str]:
    """Returns what in this Redis endangers the ledger, each with its remedy."""
    found = []
    if str(info.get("aof_enabled")) == "0":
        found.append("Redis keeps no append-only file: set appendonly yes, or a restart forgets")
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction" and str(info.get("maxmemory")) != "0":
        found.append(
            f"Redis may drop keys (maxmemory-policy {policy}): set noeviction, or somebody may be"
            " called again"
        )
    # INFO tells of good replicas only where min-replicas-to-write asks for some.
    if int(str(info.get("connected_slaves", 0))) and "min_slaves_good_slaves" not in info:
        found.append(
            "Redis goes on alone when it is cut off from its replicas, and one is promoted: set"
            " min-replicas-to-write 1"
        )
    return found


def _replicas_in(info: object) -> int:
    """How many replicas are connected, as INFO tells; 0 where this user may not ask."""
    if isinstance(info, Mapping):
        return int(info.get("connected_slaves", 0))
    found = re.search(r"connected_slaves:(\d+)", _text(info))
    return int(found[1]) if found else 0


def _pairs(reply: object) -> dict[str, str]:
    """A map, which RESP2 lists in a row; nothing of an error: not every user may ask."""
    if isinstance(reply, dict):
        return {_text(name): _text(value) for name, value in reply.items()}
    flat = [_text(each) for each in reply] if isinstance(reply, list) else []
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


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
        self.epoch = 0
        """The last restart that this process knows of, by its number."""
        self._calls = calls
        self._is_on_disk = is_on_disk
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
            if taken.epoch < self.epoch:
                return False
            self.known = max(self.known, taken.attempt)
            return True

    def report(self, run: Run, *, leaves: bool = False) -> int:
        """Reports to Redis that this process lives; returns how many spaces are open because of it.

        They are opened where every process has found what it was given last, after a restart.
        """
        opened = 0
        while self.has_joined:
            with self._facts:
                self._beat += 1
                beats, known, epoch = (self._beat, self._answered), self.known, self.epoch
            call = self._calls.report(self.name, beats, known, epoch, leaves=leaves)
            (reply,) = run([call])
            now, has_entry, more = whole_numbers(as_list(reply))
            opened += more
            with self._facts:
                self._answered = beats[0]
                is_news = now > self.epoch
                self.epoch = max(self.epoch, now)
            if leaves or not has_entry:
                self.lose_entry()
            if not is_news:
                break
        return opened
