"""What is asked for by campaign, option by option, and a campaign as scripts read it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from callspool.hours import record as campaign_records
from callspool.hours.record import DAYS, HOLD, CampaignRecord
from callspool.hours.zones import ZoneClass
from callspool_operators.preparing.forecast import describe_hours
from callspool_operators.terminal.wording import local, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from callspool_ledger.reads.campaigns import CampaignName, CampaignTables
    from callspool_ledger.steering.campaigns import CapView


def change_record(given: Mapping[str, Any], record: CampaignRecord) -> CampaignRecord:
    """Returns the record with what was asked for, by option; raises `CampaignError`."""
    return record.change(**read_fields(given, record.zone))


def read_fields(given: Mapping[str, Any], zone: str = "") -> dict[str, Any]:
    """Reads what was asked for, by option, into fields of a record; raises `CampaignError`.

    ``zone``: the campaign's, where none is asked for.
    """
    zone = campaign_records.read_zone(given["zone"]) if "zone" in given else zone
    readers: dict[str, Callable[[Any], Any]] = {
        "hours": campaign_records.read_hours,
        "days": campaign_records.read_days,
        "zone": lambda _: zone,
        "zone_field": campaign_records.read_zone_field,
        "close_early": campaign_records.read_close_early,
        "pace": campaign_records.read_pace,
        "starts": lambda text: campaign_records.read_moment("starts", text, zone),
        "ends": lambda text: campaign_records.read_moment("ends", text, zone),
    }
    fields = {
        option: readers[option](value) for option, value in given.items() if option in readers
    }
    if "holidays" in given:
        today = datetime.now(UTC).date()
        fields |= campaign_records.read_holidays(given["holidays"], today)
    return fields


def describe_change(given: Mapping[str, Any], taken_back: str = "") -> str:
    """Returns what was asked for, as the journal shows it."""
    parts = []
    for option, value in given.items():
        words = " ".join(value) if isinstance(value, tuple | list) else value
        parts.append(f"{option.replace('_', '-')} {words}")
    return ", ".join([*parts, *([f"without {taken_back}"] if taken_back else [])])


def classes_of(found: CampaignTables, name: CampaignName) -> Iterator[str]:
    """Yields the classes of a campaign, without those that another zone field gave before."""
    view = found.campaigns.get(name)
    for of, zones in found.openings:
        if view and of == name and ZoneClass.from_name(zones).field == view.record.zone_field:
            yield zones


def campaign_object(found: CampaignTables, name: CampaignName) -> dict[str, Any]:
    """Returns a campaign as scripts read it; null where nothing is set."""
    view = found.campaigns.get(name)
    record = view.record if view else CampaignRecord()
    classes = []
    for zones in sorted(classes_of(found, name)):
        bar = found.find_bar(name, zones)
        classes.append(
            {"zones": zones, "open": bar is None, "opens_at": bar.opens if bar else None}
        )
    return {
        **name._asdict(),
        "hours": [describe_hours(*each) for each in record.hours] or None,
        "days": [DAYS[day] for day in record.days] or None,
        "holidays": [*record.holidays] or None,
        "zone": record.zone or None,
        "zone_field": record.zone_field or None,
        "close_early": record.close_early,
        "pace_per_minute": record.pace,
        "starts": _moment(record.starts),
        "ends": _moment(record.ends),
        "classes": classes,
    }


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def describe_name(name: CampaignName) -> str:
    """Returns a campaign in words."""
    named = f"campaign {plain(name.campaign, 80)}"
    words = named if name.campaign else "documents without a campaign"
    return f"{words} of account {name.account}"


def describe_record(record: CampaignRecord) -> list[str]:
    """Returns what is set, a part each."""
    lines = []
    if record.timed:
        hours = ", ".join(describe_hours(*each) for each in record.hours) or "00:00-24:00"
        days = ",".join(DAYS[day] for day in record.days) or "every day"
        lines.append(f"hours {hours}, {days}, by each contact's own zone")
    if record.holidays:
        lines.append(f"no calls on {', '.join(record.holidays)}")
    if record.timed or record.zone:
        held = record.zone in {"", HOLD}
        lines.append(f"zone unknown: {'held' if held else record.zone}")
    if record.zone_field:
        lines.append(f"the field {plain(record.zone_field, 60)} of a document names its zone")
    if record.close_early is not None:
        lines.append(f"closes {record.close_early} s before the end")
    if record.pace is not None:
        lines.append(f"at most {record.pace:g} documents a minute")
    for word, ms in (("starts", record.starts), ("ends", record.ends)):
        if ms is not None:
            lines.append(f"{word} {local(datetime.fromtimestamp(ms / 1000, UTC))}")
    return lines


def caps_of(views: Sequence[CapView], name: CampaignName) -> list[CapView]:
    """Returns the caps that hold for a campaign."""
    wanted = ((None, None), (name.account, None), tuple(name))
    return [view for view in views if (view.account, view.campaign) in wanted]


def warn_of_names(found: CampaignTables, views: Sequence[CapView], name: CampaignName) -> list[str]:
    """Returns a warning for each campaign of the account that is called alike, but not the same."""
    capped = {view.campaign for view in views if view.account == name.account}
    set_for = {each.campaign for each in found.campaigns if each.account == name.account}
    names = {each for each in capped | set_for if each is not None} - {name.campaign}
    alike = sorted(each for each in names if _fold_name(each) == _fold_name(name.campaign))
    return [
        f"warning: campaign {plain(each, 80)!r} is another one: {plain(name.campaign, 80)!r} does"
        " not change it"
        for each in alike
    ]


def _fold_name(name: str) -> str:
    """A name without what people overlook: case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def cap_objects(views: Sequence[CapView]) -> list[dict[str, Any]]:
    """Returns the caps as scripts read them."""
    return [
        {
            "scope": view.scope,
            "account": view.account,
            "campaign": view.campaign,
            "caps": [cap.short for cap in view.caps],
        }
        for view in views
    ]
