"""Reads of the ledger, for producers and operators: nothing here changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import redis
import redis.asyncio

from callspool.errors import QueueUnavailable
from callspool.redis_io.servers import client_at, is_located
from callspool.request.identity import Scope
from callspool_ledger import keys
from callspool_ledger.reads.account_limits import AccountLimit, read_limits
from callspool_ledger.reads.dead import read_dead
from callspool_ledger.reads.doubts import doubtful_spaces, read_is_proving
from callspool_ledger.reads.driving import drive, drive_async, read_replies
from callspool_ledger.reads.gates import read_gates
from callspool_ledger.reads.journal import read_journal
from callspool_ledger.reads.lanes import read_lanes, read_oldest
from callspool_ledger.reads.lookup import (
    Place,
    read_batches,
    read_by_digest,
    read_places,
    read_scopes,
    read_statuses,
    read_stories,
)
from callspool_ledger.reads.metrics import accounts_of, add_limits, read_metrics
from callspool_ledger.reads.one_document_lanes import Lonely, read_lonely
from callspool_ledger.reads.open_doubts import read_doubt, read_doubts
from callspool_ledger.reads.partitions import read_partitions
from callspool_ledger.reads.reasons import read_reasons
from callspool_ledger.reads.refusals import read_refused, read_unreadable
from callspool_ledger.reads.summary import read_summary
from callspool_ledger.reads.top_lanes import read_foremost
from callspool_ledger.reads.views import DocumentStatus, Story, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from callspool.redis_io.scripts import Command
    from callspool.request.call_request import CheckedEnvelope
    from callspool_ledger.reads.driving import Reading
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.reads.metrics import Snapshot
    from callspool_ledger.reads.top_lanes import Order
    from callspool_ledger.reads.views import (
        DeadView,
        DoubtView,
        GateView,
        JournalEntry,
        LaneView,
        Reason,
        Refused,
        Unreadable,
    )
    from callspool_ledger.selectors import Selector

__all__ = ["AsyncReadings", "DocumentStatus", "Place", "Readings", "Story", "Summary"]

Found = TypeVar("Found")

MessageId: TypeAlias = tuple[int, int]
"""The id of a stream's entry, in its two numbers."""

_TRANSPORT = (redis.ConnectionError, redis.TimeoutError)


class Readings:
    """What the ledger says. Raises `QueueUnavailable` when Redis does not answer."""

    def __init__(self, client: redis.Redis, partition: int = 0) -> None:
        self._client = client
        self._partition = partition

    def of_space(self, account: str, space_token: str) -> Readings:
        """The readings of the partition that keeps a space."""
        del account, space_token
        return self

    def partitions(self) -> int:
        """How many partitions the ledger has; 0 where nothing was begun yet."""
        return self._run(read_partitions())

    def summary(self) -> Summary:
        """How the whole installation stands."""
        return self._run(read_summary(self._partition))

    def metrics(self) -> Snapshot:
        """What the ledger counts, at one moment."""
        found = self._run(read_metrics(self._partition))
        return add_limits(found, self._limits_of(accounts_of(found)))

    def limits(self) -> list[AccountLimit]:
        """How many requests each account may have in flight now, and has."""
        (names,) = self._ask(("SMEMBERS", f"{keys.prefix(self._partition)}:accounts"))
        return self._limits_of(sorted(name.decode() for name in names))

    def _limits_of(self, accounts: Sequence[str]) -> list[AccountLimit]:
        if not accounts:
            return []
        if not is_located(self._client):
            return self._run(read_limits(accounts))
        return [limit for name in accounts for limit in self._limit_elsewhere(name)]

    def _limit_elsewhere(self, account: str) -> list[AccountLimit]:
        """On a cluster what an account shares is in a slot of its own."""
        with client_at(self._client, keys.account_prefix(account)) as client:
            return Readings(client)._run(read_limits([account]))

    def reasons(self) -> list[Reason]:
        """The most frequent reasons why documents are dead or in doubt, of the last batches."""
        return self._run(read_reasons(self._partition))

    def document(self, scope: Scope, document_id: str) -> DocumentStatus | None:
        """Where a document is; None if the ledger does not know it."""
        return self.documents(scope, [document_id])[0]

    def documents(self, scope: Scope, document_ids: Sequence[str]) -> list[DocumentStatus | None]:
        """Where documents of one scope are, in the order asked for."""
        return self._run(read_statuses(self._partition, scope, document_ids))

    def by_digest(
        self, digests: Sequence[bytes], document_ids: Sequence[str]
    ) -> list[DocumentStatus | None]:
        """Where the documents with these identities are; their ids are told, not looked up."""
        return self._run(read_by_digest(self._partition, digests, document_ids))

    def stories(
        self,
        document_id: str,
        account: str | None = None,
        space_token: str | None = None,
        campaign: str | None = None,
    ) -> list[Story]:
        """Everything known of a document, in every scope that the arguments leave."""
        return self._run(read_stories(self._partition, document_id, account, space_token, campaign))

    def places(self, digests: Sequence[bytes]) -> list[Place | None]:
        """Where the documents with these identities are."""
        return self._run(read_places(self._partition, digests))

    def batches(self, numbers: Sequence[int]) -> dict[int, BatchEntry]:
        """The records of batches."""
        return self._run(read_batches(self._partition, numbers))

    def now_ms(self) -> int:
        """Redis' clock, the only one that the ledger knows; unix milliseconds."""
        ((seconds, micros),) = self._ask(("TIME",))
        return int(seconds) * 1000 + int(micros) // 1000

    def last_message(self) -> MessageId:
        """The newest message that no worker has accepted yet; (0, 0) if there is none."""
        stream = keys.stream(keys.REQUESTS, self._partition)
        (found,) = self._ask(("XREVRANGE", stream, "+", "-", "COUNT", 1))
        return _message_id(found[0][0]) if found else (0, 0)

    def has_accepted(self, message: MessageId) -> bool:
        """Whether workers have accepted every message up to this one: accepted ones are gone."""
        stream = keys.stream(keys.REQUESTS, self._partition)
        (found,) = self._ask(("XRANGE", stream, "-", "+", "COUNT", 1))
        return not found or _message_id(found[0][0]) > message

    def refused(self, most: int) -> list[Refused]:
        """The documents that were refused last, the newest first."""
        return self._run(read_refused(self._partition, most))

    def unreadable(self, most: int) -> list[Unreadable]:
        """The messages that no worker could read, the newest first; they are kept whole."""
        return self._run(read_unreadable(self._partition, most))

    def is_quiet(self, accounts: Sequence[str]) -> bool:
        """Whether nothing of these accounts is under way, ready or due, but behind gates."""
        base = keys.prefix(self._partition)
        rings: list[Command] = [("LLEN", f"{base}:ring:{name}") for name in accounts]
        sending, due, *ready = self._ask(
            ("HLEN", f"{base}:sending"), ("ZRANGE", f"{base}:due", 0, 100), *rings
        )
        return not sending and not any(ready) and all(each.startswith(b"G") for each in due)

    def is_proving(self, accounts: Sequence[str]) -> bool:
        """Whether documents of these accounts are in doubt that a look at the API may settle."""
        return self._run(read_is_proving(self._partition, accounts))

    def gates_before(self, envelope: CheckedEnvelope) -> list[GateView]:
        """What keeps the documents of such a request from being sent."""
        scope, lane = envelope.scope, envelope.lane_id
        return [gate for gate in self.gates() if gate.selector.covers(scope, lane)]

    def gates(self) -> list[GateView]:
        """What is paused, then what is parked."""
        return self._run(read_gates(self._partition))

    def lanes(self) -> list[LaneView]:
        """Every lane with unsettled documents."""
        return self._run(read_lanes(self._partition))

    def foremost(self, selector: Selector, order: Order, most: int) -> tuple[list[LaneView], int]:
        """The lanes in which most documents wait, or which wait for longest, and how many lanes
        the selector means; it names none itself.
        """
        return self._run(read_foremost(self._partition, selector, order, most))

    def lonely(self) -> Lonely:
        """Whether lanes hold one document each, by some of them."""
        return self._run(read_lonely(self._partition))

    def oldest(self, lanes: Sequence[str]) -> dict[str, datetime]:
        """When the batch was opened that waits longest in each of these lanes, if one does."""
        return self._run(read_oldest(self._partition, lanes))

    def dead(self, selector: Selector, most: int) -> tuple[list[DeadView], int]:
        """The newest dead documents that may be replayed; and how many there are."""
        return self._run(read_dead(self._partition, selector, most))

    def doubts(
        self, selector: Selector, most: int, *, only_held: bool = False
    ) -> tuple[list[DoubtView], int]:
        """The documents that are in doubt for the longest time; and how many are in doubt.

        ``only_held``: of those that no look at the API can prove.
        """
        return self._run(read_doubts(self._partition, selector, most, only_held=only_held))

    def doubt(
        self, document_id: str, selector: Selector, *, only_held: bool = False
    ) -> list[DoubtView]:
        """One document, in each scope of the selector where it is in doubt."""
        return self._run(read_doubt(self._partition, document_id, selector, only_held=only_held))

    def doubtful_spaces(self, selector: Selector) -> list[str]:
        """The spaces with documents in doubt that a selector may mean, as the ledger names them."""
        return self._run(doubtful_spaces(self._partition, selector))

    def journal(self, most: int) -> list[JournalEntry]:
        """What operators did last, the newest first."""
        return self._run(read_journal(self._partition, most))

    def scopes_of(self, lanes: Sequence[str]) -> dict[str, Scope]:
        """The scopes of those lanes that hold documents."""
        base = keys.prefix(self._partition)
        fields = ("account", "space", "campaign")
        found = self._ask(*(("HMGET", f"{base}:l{lane}", *fields) for lane in lanes))
        return {
            lane: Scope(*(part.decode() for part in parts))
            for lane, parts in zip(lanes, found, strict=True)
            if None not in parts
        }

    def scopes(self) -> list[Scope]:
        """Every scope that a document was ever accepted for."""
        return self._run(read_scopes(self._partition))

    def _ask(self, *commands: Command) -> list[Any]:
        return self._run(read_replies(commands))

    def _run(self, trips: Reading[Found]) -> Found:
        try:
            return drive(self._client, trips)
        except _TRANSPORT as error:
            raise _unavailable(error) from error
        except redis.ResponseError as error:
            raise _refused(error) from error


class AsyncReadings:
    """As `Readings`, for redis.asyncio."""

    def __init__(self, client: redis.asyncio.Redis, partition: int = 0) -> None:
        self._client = client
        self._partition = partition

    async def document(self, scope: Scope, document_id: str) -> DocumentStatus | None:
        """Where a document is; None if the ledger does not know it."""
        return (await self.documents(scope, [document_id]))[0]

    async def documents(
        self, scope: Scope, document_ids: Sequence[str]
    ) -> list[DocumentStatus | None]:
        """Where documents of one scope are, in the order asked for."""
        return await self._run(read_statuses(self._partition, scope, document_ids))

    async def partitions(self) -> int:
        """As `Readings.partitions`."""
        return await self._run(read_partitions())

    async def _run(self, trips: Reading[Found]) -> Found:
        try:
            return await drive_async(self._client, trips)
        except _TRANSPORT as error:
            raise _unavailable(error) from error
        except redis.ResponseError as error:
            raise _refused(error) from error


def _refused(error: redis.ResponseError) -> QueueUnavailable:
    if isinstance(error, redis.exceptions.NoPermissionError):
        return QueueUnavailable(
            "Redis does not let this user read the ledger: docs/security.md says what it needs"
        )
    return QueueUnavailable(
        f"Redis refuses to answer ({str(error).partition(' ')[0]}): see its log"
    )


def _unavailable(error: Exception) -> QueueUnavailable:
    return QueueUnavailable(
        f"Redis does not answer ({type(error).__name__}): check CALLSPOOL_REDIS_URL, and whether"
        " the server runs"
    )


def _message_id(text: bytes) -> MessageId:
    milliseconds, _, number = text.decode().partition("-")
    return int(milliseconds), int(number)
