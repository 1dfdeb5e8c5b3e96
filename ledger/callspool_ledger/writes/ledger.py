"""The ledger as the worker uses it: typed steps, run until Redis has answered."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec
import redis

from callspool.errors import LedgerMismatch
from callspool.redis_io.scripts import Call, Command, Reply, client_at, drive, run
from callspool.request.identity import Scope
from callspool_ledger.errors import (
    LedgerGone,
    LedgerUnavailable,
    describe_mismatch,
    translate,
)
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.reads.entries import BatchEntry
from callspool_ledger.writes.calls import LedgerCalls
from callspool_ledger.writes.durability import Disks, RosterMember, weaknesses
from callspool_ledger.writes.records import (
    SEPARATOR,
    SpaceLook,
    accepted_of,
    as_bytes,
    as_list,
    as_text,
    expired_of,
    read_scores,
    taken_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from callspool.redis_io.scripts import Argument
    from callspool_ledger.reads.reading import Found, Reading
    from callspool_ledger.writes.records import Accepted, Delivery, ExpiredDocuments, Limits, Taken

FORMAT = 1
"""The format of the ledger that this release reads and writes."""

IDENTITY_RULES = 1
"""The rules by which documents are identified; a ledger keeps those it began with."""

RULES = (FORMAT, IDENTITY_RULES)
"""What a ledger has to be written by for this release to work on it."""


class Ledger:
    """The record of every document's state of a partition, in Redis. Safe among threads.

    ``partitions``: how many there are. ``on_expired`` hears of documents that expired while a take
    was sought, ``on_replaced`` that the ledger has gone and another one was opened in its place:
    every step names the ledger that it is meant for, and one for another ledger does nothing.
    Every method raises `LedgerUnavailable` when Redis does not answer and `LedgerFull` when it is
    out of memory; asking again is then always safe.
    """

    def __init__(
        self,
        client: redis.Redis,
        limits: Limits,
        partition: int = 0,
        partitions: int = 1,
        on_expired: Callable[[ExpiredDocuments], object] = lambda _: None,
        on_replaced: Callable[[], object] = lambda: None,
    ) -> None:
        self._on_expired = on_expired
        self._on_replaced = on_replaced
        self._beginning_anew = threading.Lock()
        self._client = client
        self._partitions = partitions
        self.limits = limits
        self.partition = partition
        self.id = ""
        self.keys = PartitionKeys(partition)
        self.calls = LedgerCalls(self.keys)
        self._disks = Disks(limits.durable_takes, self.keys.meta)
        self._member = RosterMember(self.calls, self._is_on_disk)

    def at(self, key: str) -> Ledger:
        """Runs calls where another key is, that of an account: on a cluster maybe elsewhere."""
        client = client_at(self._client, key)
        return self if client is self._client else Ledger(client, self.limits)

    def run(self, steps: Sequence[Call]) -> list[Reply]:
        """Runs calls in one round trip; raises the first error among their replies."""
        return self.run_commands(steps)

    def open(self, before: Literal["", "new", "gone"] = "new") -> None:
        """Begins the ledger if there is none.

        ``before``: a ``new`` one reads each space back before it sends there, in case there was
        another ledger; ``gone``: there certainly was one. Raises `LedgerMismatch` if it was begun
        under other rules than this worker's.
        """
        new_id = secrets.token_hex(4)
        step = self.calls.open_ledger(self.limits, new_id, RULES, self._partitions, before)
        (reply,) = self._ask([step], "")
        ledger_id, *rules = as_list(reply)
        *theirs, partitions = [int(as_bytes(rule)) for rule in rules]
        if theirs != [FORMAT, IDENTITY_RULES]:
            raise LedgerMismatch(
                f"the ledger in Redis has format and identity rules {theirs}, this worker has"
                f" {[FORMAT, IDENTITY_RULES]}; run the release that wrote it, or use another Redis"
                " database"
            )
        if partitions != self._partitions:
            raise LedgerMismatch(describe_mismatch(partitions, self._partitions))
        self.id = as_bytes(ledger_id).decode()
        if self.id == new_id:
            # Marks name the ledger: a new one's name must not be forgotten. Not every Redis can
            # wait; then it is on disk within a second.
            self._is_on_disk()

    def _is_on_disk(self) -> bool:
        """Waits until what was written is on disk; whether it is, as far as Redis can tell."""
        return self._disks.try_to_wait(partial(run, self._client))

    def accept(self, deliveries: Sequence[Delivery]) -> list[Accepted]:
        """Accepts messages: all of their documents are in the ledger when this returns."""
        (reply,) = self.run([self.calls.accept(self.limits, deliveries)])
        return [accepted_of(as_list(one)) for one in as_list(reply)]

    def spool(self, fields: Mapping[str, Argument]) -> None:
        """Appends a message to those that are to be accepted in this partition."""
        pairs = [part for pair in fields.items() for part in pair]
        self.run_commands([("XADD", self.keys.requests, "*", *pairs)])

    def take(self, taker: str, accounts: Sequence[str]) -> Taken | None:
        """Returns the next batch that may be sent for these accounts, or None."""
        return self.record_and_take([], taker, accounts)

    def record_and_take(
        self, steps: Sequence[Call], taker: str, accounts: Sequence[str]
    ) -> Taken | None:
        """Records the end of an attempt and takes the next batch in the same round trip."""
        while True:
            member, ledger_id = self._member, self.id
            member.join(self.run_commands)
            take = self.calls.take(self.limits, member.name, taker, accounts, member.known)
            reply = as_list(self.run([*steps, take])[-1])
            steps = ()
            for expired in expired_of(reply):
                self._on_expired(expired)
            if reply == [b"stranger"]:
                member.lose_entry()
            if reply and reply[0] in (b"again", b"stranger"):
                continue
            taken = taken_of(taker, reply) if len(reply) > 2 else None
            if taken is None:
                return None
            if member.accepts(taken):
                if self.limits.durable_takes != "off":
                    self._disks.confirm(self.run_commands)
                return replace(taken, ledger_id=ledger_id)

    def is_current(self, taken: Taken) -> bool:
        """Whether a take is of the ledger, and of the primary, that this process knows of now."""
        return taken.ledger_id == self.id and taken.epoch >= self._member.epoch

    def report(self) -> int:
        """Reports to Redis that this process lives, and finds out what a restart forgot.

        Returns how many spaces are open because nothing was forgotten.
        """
        return self._member.report(self.run)

    def leave(self) -> None:
        """Reports to Redis that this process takes nothing any more."""
        self._member.report(self.run, leaves=True)

    def weaknesses(self) -> list[str]:
        """Returns what in the configuration of Redis endangers the ledger, a sentence each."""
        try:
            return weaknesses(self._client.info("everything"))
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise LedgerUnavailable(f"Redis does not answer: {type(error).__name__}") from error
        except redis.ResponseError:
            return []  # this user may not ask: the scripts say so where it matters

    def check_durability(self) -> None:
        """Finds out how takes can be made durable; raises `SettingsError` if they cannot."""
        self._disks.check(partial(run, self._client))

    def sending(self) -> dict[str, str]:
        """Returns the takes without a recorded outcome: taker → ``batch:attempt``."""
        (reply,) = self.run_commands([("HGETALL", self.keys.sending)])
        found = reply if isinstance(reply, dict) else {}
        return {as_bytes(taker).decode(): as_bytes(held).decode() for taker, held in found.items()}

    def leases(self, held: Sequence[str]) -> list[float | None]:
        """Returns the leases (seconds) of takes named ``batch:attempt``; None where unknown."""
        numbers = [one.partition(":")[0] for one in held]
        found = self.run_commands(
            [("HGET", self.keys.batch(number), "lease") for number in numbers]
        )
        return [None if lease is None else int(as_bytes(lease)) / 1000 for lease in found]

    def doubts(self, most: int) -> list[tuple[int, int, int]]:
        """Returns batches in doubt, at most ``most``: number, last attempt, tries used up."""
        (spaces,) = self.run_commands([("ZRANGE", self.keys.proofs, "0", str(most - 1))])
        found = self.run_commands(
            [("ZRANGE", self.keys.doubts(as_text(each)), "0", "99") for each in as_list(spaces)]
        )
        numbers = [as_text(number) for each in found for number in as_list(each)][:most]
        fields = self.run_commands(
            [("HMGET", self.keys.batch(number), "attempt", "tries") for number in numbers]
        )
        return [
            (int(number), int(as_bytes(attempt)), int(as_bytes(tries)))
            for number, (attempt, tries) in zip(numbers, map(as_list, fields), strict=True)
            if attempt is not None
        ]

    def look(self, looker: str, accounts: Sequence[str]) -> SpaceLook | None:
        """Returns the space that this looker is to read back now, or None."""
        reply = as_list(self.run([self.calls.look(looker, accounts)])[0])
        if not reply:
            return None
        account, _, space_token = as_text(reply[0]).partition("|")
        batches = [int(as_bytes(number)) for number in as_list(reply[2])]
        at_ms, failing, epoch, unread = [int(as_bytes(each)) for each in (reply[1], *reply[3:6])]
        new, over = (reply[6] in (1, 2), reply[6] == 2), int(as_bytes(reply[7]))
        return SpaceLook(account, space_token, at_ms, batches, failing, epoch, unread, *new, over)

    def in_doubt(self, space: str) -> list[int]:
        """Returns all batches of a space with documents in doubt."""
        (found,) = self.run_commands([("ZRANGE", self.keys.doubts(space), "0", "-1")])
        return [int(as_bytes(number)) for number in as_list(found)]

    def batches(self, numbers: Sequence[int]) -> dict[int, tuple[BatchEntry, list[bytes]]]:
        """Returns the records of batches, each with its raw documents, a place each."""
        if not numbers:
            return {}
        asked: list[Command] = []
        for number in numbers:
            asked += [
                ("HGETALL", self.keys.batch(number)),
                ("LRANGE", self.keys.documents(number), "0", "-1"),
            ]
        replies = self.run_commands(asked)
        found = {}
        for at, number in enumerate(numbers):
            fields, pieces = replies[2 * at], as_list(replies[2 * at + 1])
            if isinstance(fields, dict) and fields:
                entry = BatchEntry(
                    {as_text(name): as_bytes(value) for name, value in fields.items()}
                )
                found[number] = entry, SEPARATOR.join(map(as_bytes, pieces)).split(SEPARATOR)
        return found

    def spaces_of(self, lanes: Collection[str]) -> dict[str, str]:
        """Returns the space tokens of lanes, as far as these are known."""
        found = self.run_commands([("HGET", self.keys.lane(lane), "space") for lane in lanes])
        return {lane: as_text(space) for lane, space in zip(lanes, found, strict=True) if space}

    def read(self, reading: Reading[Found]) -> Found:
        """Runs one of the core's readings; returns what it finds."""
        return drive(reading.trips(self.keys), self.run_commands)

    def scopes_of(self, account: str, space_token: str) -> list[Scope]:
        """Returns the scopes of a space that documents were ever accepted in."""
        (found,) = self.run_commands([("SMEMBERS", self.keys.scopes)])
        every = found if isinstance(found, set | list) else ()
        scopes = (Scope(*msgspec.json.decode(as_bytes(scope))) for scope in every)
        return [one for one in scopes if one[:2] == (account, space_token)]

    def strays(self, space: str, names: Sequence[str]) -> dict[str, str]:
        """Returns those of these documents that the API has of a time that Redis forgot."""
        key = self.keys.strays(space)
        (found,) = self.run_commands([("HMGET", key, *names)])
        return {name: as_text(one) for name, one in zip(names, as_list(found), strict=True) if one}

    def new_attempt(self) -> int:
        """Returns a number that no attempt has, for one whose own number is lost."""
        (found,) = self.run_commands([("HINCRBY", self.keys.meta, "attempt", 1)])
        return int(as_bytes(found))

    def known_runs(self, space: str, since_ms: float) -> dict[str, float]:
        """Returns the runs of a space whose documents are known: id → when recorded, ms."""
        key = self.keys.runs(space)
        (found,) = self.run_commands(
            [("ZRANGE", key, str(since_ms), "+inf", "BYSCORE", "WITHSCORES")]
        )
        return dict(read_scores(as_list(found)))

    def count_accounts(self) -> int:
        """Returns how many accounts there are that documents were ever accepted for."""
        (found,) = self.run_commands([("SCARD", self.keys.accounts)])
        return int(as_bytes(found))

    def accounts(self) -> set[str]:
        """Returns the accounts that documents were ever accepted for."""
        (found,) = self.run_commands([("SMEMBERS", self.keys.accounts)])
        return (
            {as_bytes(name).decode() for name in found} if isinstance(found, set | list) else set()
        )

    def run_commands(self, commands: Sequence[Call | Command]) -> list[Reply]:
        """As `run`, plain commands among the calls."""
        return self._ask(commands, self.id)

    def _ask(self, commands: Sequence[Call | Command], ledger_id: str) -> list[Reply]:
        bound = [self._bind(command, ledger_id) for command in commands] if ledger_id else commands
        try:
            replies = run(self._client, bound)
        except redis.RedisError as error:
            raise translate(error) from error
        for reply in replies:
            if isinstance(reply, redis.RedisError):
                fault = translate(reply)
                if isinstance(fault, LedgerGone):
                    self._begin_anew(ledger_id)
                raise fault from reply
        for call, reply in zip(commands, replies, strict=True):
            if isinstance(call, Call) and call.on_reply is not None:
                call.on_reply(reply)
        return replies

    def _bind(self, command: Call | Command, ledger_id: str) -> Call | Command:
        """Names the ledger that a script of this partition is meant for, as its last key."""
        if not isinstance(command, Call) or command.command[3] != self.keys.prefix:
            return command
        verb, sha, number, *rest = command.command
        count = int(number)
        mark = self.keys.ledger(ledger_id)
        return command._replace(command=(verb, sha, count + 1, *rest[:count], mark, *rest[count:]))

    def _begin_anew(self, gone: str) -> None:
        """Opens the ledger that is there instead of one that has gone, or begins it."""
        with self._beginning_anew:
            if self.id != gone:
                return
            try:
                self.open("gone")
            except LedgerMismatch as fault:
                raise LedgerUnavailable(str(fault)) from fault
            self._member = RosterMember(self.calls, self._is_on_disk)
        self._on_replaced()
