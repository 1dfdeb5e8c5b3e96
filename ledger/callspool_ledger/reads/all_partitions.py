"""Reads of a ledger of several partitions: all of them asked, and what they say made one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from callspool.request.identity import partition_of
from callspool_ledger import keys
from callspool_ledger.reads import merging
from callspool_ledger.reads.one_document_lanes import Lonely
from callspool_ledger.reads.reader import Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

    from callspool.redis_io.servers import RedisEndpoint
    from callspool.request.identity import Scope
    from callspool_ledger.reads.account_limits import AccountLimit
    from callspool_ledger.reads.driving import Reading
    from callspool_ledger.reads.metrics import Snapshot
    from callspool_ledger.reads.reader import Found
    from callspool_ledger.reads.top_lanes import Order
    from callspool_ledger.reads.views import (
        DeadView,
        DocumentStatus,
        DoubtView,
        GateView,
        JournalEntry,
        LaneView,
        Reason,
        Refused,
        Story,
        Summary,
        Unreadable,
    )
    from callspool_ledger.selectors import Selector


def clients_of(server: RedisEndpoint, partitions: int) -> list[redis.Redis]:
    """A client for each partition: the same for all but in a cluster."""
    if not server.is_cluster:
        return [server.client()] * partitions
    return [server.at(keys.prefix(partition)).client() for partition in range(partitions)]


def readings_of(clients: Sequence[redis.Redis]) -> Readings:
    """The readings of a ledger with a client for each of its partitions."""
    parts = [Readings(client, partition) for partition, client in enumerate(clients)]
    return parts[0] if len(parts) == 1 else ReadingsOfAll(parts)


class ReadingsOfAll(Readings):
    """As `Readings`, of all partitions. What is of one space alone is asked through `of_space`."""

    def __init__(self, parts: Sequence[Readings]) -> None:
        self._partition = -1
        self._parts = list(parts)

    def of_space(self, account: str, space_token: str) -> Readings:
        return self._parts[partition_of(account, space_token, len(self._parts))]

    def partitions(self) -> int:
        return self._parts[0].partitions()

    def summary(self) -> Summary:
        return merging.one_summary([part.summary() for part in self._parts])

    def metrics(self) -> Snapshot:
        first, *others = [part.metrics() for part in self._parts]
        for other in others:
            first.merge(other)
        return first

    def limits(self) -> list[AccountLimit]:
        found = {limit.account: limit for part in self._parts for limit in part.limits()}
        return [found[name] for name in sorted(found)]

    def reasons(self) -> list[Reason]:
        return merging.one_list_of_reasons(part.reasons() for part in self._parts)

    def documents(self, scope: Scope, document_ids: Sequence[str]) -> list[DocumentStatus | None]:
        return self.of_space(scope.account, scope.space_token).documents(scope, document_ids)

    def stories(
        self,
        document_id: str,
        account: str | None = None,
        space_token: str | None = None,
        campaign: str | None = None,
    ) -> list[Story]:
        found = [
            story
            for part in self._parts
            for story in part.stories(document_id, account, space_token, campaign)
        ]
        return sorted(found, key=lambda story: story.scope)

    def lonely(self) -> Lonely:
        return Lonely(*map(sum, zip(*(part.lonely() for part in self._parts), strict=True)))

    def now_ms(self) -> int:
        return self._parts[0].now_ms()

    def refused(self, most: int) -> list[Refused]:
        found = [each for part in self._parts for each in part.refused(most)]
        return sorted(found, key=lambda each: each.at, reverse=True)[:most]

    def unreadable(self, most: int) -> list[Unreadable]:
        found = [each for part in self._parts for each in part.unreadable(most)]
        return sorted(found, key=lambda each: each.at, reverse=True)[:most]

    def is_quiet(self, accounts: Sequence[str]) -> bool:
        return all(part.is_quiet(accounts) for part in self._parts)

    def is_proving(self, accounts: Sequence[str]) -> bool:
        return any(part.is_proving(accounts) for part in self._parts)

    def gates(self) -> list[GateView]:
        return merging.one_list_of_gates([part.gates() for part in self._parts])

    def lanes(self) -> list[LaneView]:
        return [lane for part in self._parts for lane in part.lanes()]

    def foremost(self, selector: Selector, order: Order, most: int) -> tuple[list[LaneView], int]:
        parts = [part.foremost(selector, order, most) for part in self._parts]
        found = [lane for lanes, _ in parts for lane in lanes]
        if order == "oldest":
            since = self.oldest([lane.lane for lane in found])
            latest = datetime.max.replace(tzinfo=UTC)
            found.sort(key=lambda lane: (since.get(lane.lane, latest), lane.lane))
        else:
            found.sort(key=lambda lane: (-lane.waiting, lane.lane))
        return found[:most], sum(total for _, total in parts)

    def oldest(self, lanes: Sequence[str]) -> dict[str, datetime]:
        return {lane: at for part in self._parts for lane, at in part.oldest(lanes).items()}

    def dead(self, selector: Selector, most: int) -> tuple[list[DeadView], int]:
        parts = [part.dead(selector, most) for part in self._parts]
        found = sorted((each for views, _ in parts for each in views), key=lambda each: each.at)
        return found[::-1][:most], sum(total for _, total in parts)

    def doubts(
        self, selector: Selector, most: int, *, only_held: bool = False
    ) -> tuple[list[DoubtView], int]:
        parts = [part.doubts(selector, most, only_held=only_held) for part in self._parts]
        found = sorted((each for views, _ in parts for each in views), key=lambda each: each.since)
        return found[:most], sum(total for _, total in parts)

    def doubt(
        self, document_id: str, selector: Selector, *, only_held: bool = False
    ) -> list[DoubtView]:
        return [
            view
            for part in self._parts
            for view in part.doubt(document_id, selector, only_held=only_held)
        ]

    def doubtful_spaces(self, selector: Selector) -> list[str]:
        return [space for part in self._parts for space in part.doubtful_spaces(selector)]

    def journal(self, most: int) -> list[JournalEntry]:
        return merging.one_journal([part.journal(most) for part in self._parts])[:most]

    def scopes_of(self, lanes: Sequence[str]) -> dict[str, Scope]:
        return {lane: at for part in self._parts for lane, at in part.scopes_of(lanes).items()}

    def scopes(self) -> list[Scope]:
        return sorted(scope for part in self._parts for scope in part.scopes())

    def _run(self, trips: Reading[Found]) -> Found:
        """What is not asked of every partition above."""
        del trips
        raise TypeError("this is known of one space alone: ask through of_space")
