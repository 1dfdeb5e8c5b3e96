"""When the contacts of a list may be called, before anything of it is sent."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
import redis

from callspool.errors import QueueUnavailable
from callspool.hours.numbers import Classifier
from callspool.hours.record import (
    PlatformHours,
    find_closing_platform,
    find_intervals,
    lie_outside,
)
from callspool.hours.zones import OWN, UNKNOWN
from callspool.request.raw_document import read_number
from callspool.settings import load_settings
from callspool_ledger.reads.campaigns import (
    MOST_ZONES_NAMED,
    CampaignName,
    moment_of,
    read_campaigns,
)
from callspool_ledger.steering.campaigns import read_set_caps
from callspool_ledger.writes import Ledger, Limits
from callspool_operators.terminal.wording import format_count, local, plain

if TYPE_CHECKING:
    from callspool.hours.record import CampaignRecord
    from callspool.request.call_request import CheckedEnvelope
    from callspool_ledger.reads.reader import LedgerReader


class HoursForecast:
    """Counts documents by the classes of their zones, and says when these are open.

    ``early``: seconds before the end of hours, where the record names none.
    """

    def __init__(
        self, record: CampaignRecord, platform: PlatformHours, early: float, now: datetime
    ) -> None:
        self._record = record
        self._platform = platform
        self._early = early
        self._now = now
        self._classifier = Classifier(platform.zones, record.zone_field)
        self._classes: Counter[str] = Counter()
        self._suppressed = 0

    def add(self, document: bytes) -> None:
        """Counts a document that is good."""
        self._classes[self._classify(document)] += 1

    def suppress(self, document: bytes) -> None:
        """Counts a document that was added as one whose number is on a list."""
        self._classes[self._classify(document)] -= 1
        self._suppressed += 1

    def _classify(self, document: bytes) -> str:
        return self._classifier.classify(read_number(document), document)

    def lines(self) -> list[str]:
        """Returns the forecast for people."""
        found = self.to_json()
        parts = [f"{found['now']:,} now"] if found["now"] else []
        if opens := self._first_opening():
            zones = format_count(len(self._later()), "zone")
            parts.append(f"{found['later']:,} from {_words(opens, self._now)} in {zones}")
        if found["closed"]:
            parts.append(f"{found['closed']:,} not in the next 72 hours")
        if found["unknown"]:
            held = "held" if not self._opens(f"{UNKNOWN}|") else "by the campaign's zone"
            parts.append(f"{found['unknown']:,} zone unknown ({held})")
        if self._suppressed:
            parts.append(f"{self._suppressed:,} suppressed")
        total = self._classes.total() + self._suppressed
        lines = [f"Calling hours: of {total:,}: {', '.join(parts) or 'none'}"]
        lines += self._platform_lines()
        for word, ms in (("starts", self._record.starts), ("ends", self._record.ends)):
            if ms is not None:
                lines.append(f"  the campaign {word} {local(moment_of(ms))}")
        return lines

    def _platform_lines(self) -> list[str]:
        """A line for those whom the platform's own hours keep waiting, and not the campaign's."""
        late: Counter[str] = Counter()
        for name, number in self._classes.items() if self._record.timed else ():
            opens = self._opens(name)
            if number and (opens is None or opens > self._now):
                late[find_closing_platform(self._record, name, self._now, opens)] += number
        late.pop("", None)
        if not late:
            return []
        hours = ", ".join(describe_hours(*each) for each in self._platform.hours)
        zones = ["the contact's own zone" if zone == OWN else zone for zone in sorted(late)]
        named = " and ".join(zones) if len(zones) <= MOST_ZONES_NAMED else f"{len(zones)} zones"
        return [f"  {late.total():,} of them wait for the platform's hours ({hours} in {named})"]

    def to_json(self) -> dict[str, int]:
        """Returns the forecast for scripts: documents that may be called now, later and so on."""
        found = dict.fromkeys(("now", "later", "closed", "unknown"), 0)
        found["suppressed"] = self._suppressed
        for name, number in self._classes.items():
            opens = self._opens(name)
            if name.startswith(UNKNOWN):
                found["unknown"] += number
            elif opens is None:
                found["closed"] += number
            else:
                found["now" if opens <= self._now else "later"] += number
        return found

    def _later(self) -> list[datetime]:
        """When classes open that are closed now."""
        names = [name for name, number in self._classes.items() if number]
        known = [self._opens(name) for name in names if not name.startswith(UNKNOWN)]
        return [opens for opens in known if opens is not None and opens > self._now]

    def _first_opening(self) -> datetime | None:
        return min(self._later(), default=None)

    def _opens(self, name: str) -> datetime | None:
        """When a class may be called, now or later; None if not in the next 72 hours."""
        if not self._record.timed:
            first = self._now
        else:
            intervals = find_intervals(
                self._record, name, platform=self._platform, early=self._early, now=self._now
            )
            ahead = (each for each in intervals if moment_of(each.end) > self._now)
            found = next(ahead, None)
            if found is None:
                return None
            first = max(moment_of(found.start), self._now)
        starts = self._record.starts
        return first if starts is None else max(first, moment_of(starts))


def _words(moment: datetime, now: datetime) -> str:
    """``09:00 tomorrow``, by the clock of the person who asks."""
    there, here = moment.astimezone(), now.astimezone()
    for days, word in ((0, "today"), (1, "tomorrow")):
        if there.date() == here.date() + timedelta(days=days):
            return f"{there:%H:%M} {word}"
    return f"{there:%Y-%m-%d %H:%M}"


def describe_hours(start: int, end: int) -> str:
    """Hours of a day as they were asked for."""
    return "-".join(f"{each // 60:02}:{each % 60:02}" for each in (start, end))


def warn_of_platform(record: CampaignRecord) -> None:
    """Warns on stderr where the platform's own hours leave nothing of a campaign's."""
    platform = load_settings(os.environ).platform
    if not lie_outside(record, platform):
        return
    theirs = ", ".join(describe_hours(*each) for each in platform.hours)
    click.echo(
        f"warning: outside the platform's {theirs}: where both count by the contact's own zone,"
        " nothing will be sent; CALLSPOOL_PLATFORM_HOURS says the platform's hours",
        err=True,
    )


def describe_what_does_not_hold(
    reader: LedgerReader, envelope: CheckedEnvelope, where: str
) -> list[str]:
    """Returns a line for what is set for other accounts, and not for the envelope's: its campaign,
    its caps, and those of whole accounts. Each names the command that sets it there.

    ``where``: the flags that lead to the ledger.
    """
    own, lines = envelope.account, []
    campaign = plain(envelope.campaign, 60)
    named = f"campaign {shlex.quote(campaign)}"
    with suppress(QueueUnavailable, redis.RedisError):
        tables = reader.of_space(own, envelope.space_token).ask(read_campaigns())
        found = [name.account for name in tables.campaigns if name.campaign == envelope.campaign]
        if found and own not in found:
            command = f"campaign set {shlex.quote(campaign)} --account {own} … {where}"
            lines.append(_describe_other(f"{named} is set", "does", min(found), own, command))
        views = read_set_caps(Ledger(reader.first_client, Limits()))
        for scope, whose in ((envelope.campaign, f" of {named}"), (None, "")):
            capped = {view.account: view.caps for view in views if view.campaign == scope}
            others = [each for each in capped if each is not None]
            if others and own not in others:
                other = min(others)
                about = "--cap-scope account" if scope is None else shlex.quote(campaign)
                caps = " ".join(f"--cap {cap.short}" for cap in capped[other])
                command = f"campaign set {about} {caps} --account {own} {where}"
                lines.append(_describe_other(f"caps{whose} are set", "do", other, own, command))
    return lines


def _describe_other(what: str, does: str, other: str, own: str, command: str) -> str:
    return (
        f"{what} for the account {plain(other)}, and {does} not hold for the account {own} of this"
        f" rehearsal: callspool {command} sets it there"
    )


def forecast_for(reader: LedgerReader, envelope: CheckedEnvelope) -> HoursForecast | None:
    """Returns a forecast for documents of an envelope; None where nothing is set for its campaign,
    or the ledger does not answer.
    """
    with suppress(QueueUnavailable, redis.RedisError):
        tables = reader.of_space(envelope.account, envelope.space_token).ask(read_campaigns())
        view = tables.campaigns.get(CampaignName(envelope.account, envelope.campaign))
        if view is not None:
            settings = load_settings(os.environ)
            now = datetime.fromtimestamp(tables.now_ms / 1000, UTC)
            return HoursForecast(view.record, settings.platform, settings.close_early, now)
    return None
