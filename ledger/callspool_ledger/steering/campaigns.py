"""What operators ask for by campaign: hours, pace, start, end, and how often to call a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callspool.errors import QueueUnavailable
from callspool.hours.caps import MOST_NAMES, Cap
from callspool.hours.record import CampaignError, CampaignRecord
from callspool_ledger.errors import answering
from callspool_ledger.reads.campaigns import CampaignName, CampaignTables, read_campaigns
from callspool_ledger.selectors import SEPARATOR, Selector
from callspool_ledger.steering.calls import SteeringOrder
from callspool_ledger.steering.steps import Steps, add_up, in_each_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callspool.hours.caps import CapScope
    from callspool_ledger.steering.calls import SteeringCalls
    from callspool_ledger.writes import Ledger

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


class CapView(NamedTuple):
    """The caps of one account or campaign, or of the installation (neither)."""

    account: str | None
    campaign: str | None
    caps: tuple[Cap, ...]

    @property
    def scope(self) -> CapScope:
        if self.account is None:
            return "installation"
        return "account" if self.campaign is None else "campaign"


class Caps(Steps):
    """How often a number may be called: for the installation, for an account or for a campaign.

    All that hold for a document count, so the lowest one wins. Calls count from when a cap was set.
    """

    def read(self) -> list[CapView]:
        """Returns all caps: those of the installation first."""
        return read_set_caps(self._first_ledger)

    def set(
        self, caps: Sequence[Cap], *, account: str | None = None, campaign: str | None = None
    ) -> None:
        """Replaces the caps of the installation, of an account, or of its campaign.

        They are in force when the next batch is taken; documents that wait for another cap are
        asked about anew. Raises `CampaignError` where too many campaigns have caps.
        """
        from callspool_ledger.guard.calls import GuardCalls  # noqa: PLC0415 - the phone library
        from callspool_ledger.guard.guard import keep_key  # noqa: PLC0415 - as above

        guard = GuardCalls()
        home = self._first_ledger.at(guard.keys.prefix)
        name = SEPARATOR.join(part for part in (account, campaign) if part is not None)
        with answering():
            keep_key(home, guard.keys.meta)
            self._mark_guarded()
            (done,) = home.run([guard.set_caps(name, caps)])
        if done != 1:
            raise CampaignError("cap", f"at most {MOST_NAMES:,} accounts and campaigns have caps")
        order = SteeringOrder(self._by, Selector(account, campaign=campaign))
        told = " ".join(cap.short for cap in caps)
        (self.parts or [self])[0]._run_any(
            self._first_calls.note(order, f"cap {told}" if told else "without cap")
        )
        self.free_capped()

    @property
    def _first_ledger(self) -> Ledger:
        return (self.parts or [self])[0]._ledger

    @property
    def _first_calls(self) -> SteeringCalls:
        return (self.parts or [self])[0]._calls

    @in_each_partition(add_up)
    def _mark_guarded(self) -> int:
        with answering():
            self._ledger.run_commands([("HSET", self._ledger.keys.meta, "guarded", 1)])
        return 0


def read_set_caps(ledger: Ledger) -> list[CapView]:
    """Returns all caps, those of the installation first; ``ledger``: of any partition."""
    from callspool_ledger.guard.calls import GuardCalls  # noqa: PLC0415 - the phone library

    guard = GuardCalls()
    with answering():
        (found,) = ledger.at(guard.keys.prefix).run_commands([("HGETALL", guard.keys.caps)])
    pairs = found.items() if isinstance(found, dict) else ()
    return sorted((_cap_view(name, written) for name, written in pairs), key=_place_of)


def _cap_view(name: bytes, written: bytes) -> CapView:
    account, *campaign = name.decode().split(SEPARATOR)
    pairs = msgspec.json.decode(written, type=_WrittenCaps).caps
    caps = tuple(Cap(calls, ms // 1000) for calls, ms in pairs)
    return CapView(account or None, campaign[0] if campaign else None, caps)


def _place_of(view: CapView) -> tuple[str, bool, str]:
    return view.account or "", view.campaign is not None, view.campaign or ""


class _WrittenCaps(msgspec.Struct):
    caps: list[tuple[int, int]]
