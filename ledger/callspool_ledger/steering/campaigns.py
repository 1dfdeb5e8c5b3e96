"""What operators ask for by campaign: hours, days, pace, start and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from callspool.errors import QueueUnavailable
from callspool.hours.record import CampaignRecord
from callspool_ledger.reads.campaigns import CampaignName, CampaignTables, read_campaigns
from callspool_ledger.selectors import Selector
from callspool_ledger.steering.calls import SteeringOrder
from callspool_ledger.steering.steps import Steps, in_each_partition

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 20
"""How often a change is tried while others change the same campaign."""

_encode = msgspec.json.Encoder().encode


def _first(parts: list[CampaignRecord]) -> CampaignRecord:
    return parts[0]


class Campaigns(Steps):
    """What one operator asks for by campaign; it is in force at the next take."""

    def read(self) -> CampaignTables:
        """Returns what holds for each campaign, and when its contacts may be called."""
        return self.reader.ask(read_campaigns())

    def set(
        self,
        account: str,
        campaign: str,
        change: Callable[[CampaignRecord], CampaignRecord],
        detail: str = "set",
    ) -> CampaignRecord:
        """Changes what holds for a campaign, in every partition; returns that.

        ``change`` makes the new record of the one before; what it raises leaves all as it was.
        ``detail``: what was asked for, for the journal.
        """
        before = self.read().campaigns.get(CampaignName(account, campaign))
        old = before.record if before else CampaignRecord()
        change(old)  # or nothing at all is changed
        record = self._set(Selector(account, campaign=campaign), change, detail)
        if record.ends != old.ends:
            self.free_capped(CampaignName(account, campaign).key)
        return record

    @in_each_partition(_first)
    def _set(
        self,
        selector: Selector,
        change: Callable[[CampaignRecord], CampaignRecord],
        detail: str,
    ) -> CampaignRecord:
        name = CampaignName(selector.account or "", selector.campaign or "")
        order = SteeringOrder(self._by, selector)
        for _ in range(TRIES):
            view = self.read().campaigns.get(name)
            record = change(view.record if view else CampaignRecord())
            written = b"" if record == CampaignRecord() else _encode(record)
            revision = view.revision if view else 0
            if self._run(self._calls.set_campaign(order, revision, written, detail, record.timed)):
                return record
        raise QueueUnavailable("others change the same campaign all the time: try it again")
