"""Which of the calls that a look shows began outside of their contact's hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool.hours.audit import HoursAudit
from callspool_ledger.reads.calls import BatchHours, find_hand_over
from callspool_ledger.reads.campaigns import read_campaigns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callspool.hours.audit import BegunBy
    from callspool_ledger.reads.campaigns import CampaignName, CampaignView
    from callspool_ledger.reads.entries import BatchEntry
    from callspool_ledger.writes import Ledger
    from callspool_worker.following.batch_look import LookFinding


class HoursCheck:
    """Judges the calls of one pass; reads what operators asked for once, where that is needed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._campaigns: Mapping[CampaignName, CampaignView] | None = None
        self._audits: dict[CampaignName, HoursAudit] = {}

    def find_outside(self, entry: BatchEntry, finding: LookFinding) -> dict[int, BegunBy]:
        """Returns what let calls begin outside of their hours, by place.

        Raises `LedgerUnavailable`.
        """
        hours = BatchHours.of(entry)
        if hours is None:
            return {}
        if self._campaigns is None:
            self._campaigns = self._ledger.read(read_campaigns()).campaigns
        view = self._campaigns.get(hours.name)
        if view is None or not view.record.timed:
            return {}
        audit = self._audits.setdefault(hours.name, HoursAudit(view.record))
        begun = {at: call.started * 1000 for at, (_, call) in finding.news.items() if call.started}
        judged = {
            at: audit.judge(hours.zones, ms, find_hand_over(entry, at) or ms)
            for at, ms in begun.items()
        }
        return {at: by for at, by in judged.items() if by}
