"""Campaigns over HTTP: when, how fast and how often their contacts are called."""

from collections.abc import Sequence
from functools import partial

import msgspec
import redis
from litestar import get, post
from litestar.params import FromQuery

from callspool.hours.caps import read_caps
from callspool.hours.record import CampaignError
from callspool.settings import Settings
from callspool_ledger.access import AccessKey, Right
from callspool_ledger.guard import Suppression
from callspool_ledger.reads.campaigns import CampaignName, CampaignTables, read_campaigns
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.steering import Campaigns
from callspool_ledger.steering.campaigns import Caps, read_set_caps
from callspool_ledger.writes import Ledger, Limits
from callspool_operators.preparing.campaigns import (
    campaign_object,
    cap_objects,
    caps_of,
    change_record,
    describe_change,
)
from callspool_operators.serving import openapi
from callspool_operators.serving.admission import (
    check_campaign,
    may_see,
    read_campaign_name,
    read_list_name,
)
from callspool_operators.serving.bodies import (
    CampaignChange,
    CampaignReply,
    CampaignsReply,
)
from callspool_operators.serving.problems import Problem
from callspool_operators.serving.service import HttpRequest, service_of
from callspool_operators.serving.steering import name_in_journal, open_ledger

_OPTIONS = (
    "hours", "days", "holidays", "zone", "zone_field", "close_early", "pace", "starts", "ends",
)  # fmt: skip


@post("/v1/campaigns", status_code=200, responses=openapi.PROBLEMS)
async def post_campaigns(request: HttpRequest) -> CampaignReply:
    """Set when and how fast a campaign's contacts are called; in force at once."""
    service = service_of(request)
    caller, asked = await service.take(request, CampaignChange, Right.OPERATE)
    name = read_campaign_name(caller.key, asked.account, asked.campaign)
    check_campaign(caller.key, name)
    await service.gate.charge(caller, 1)
    return await service.steer(caller, change_campaign, service.settings, caller.key, asked, name)


def change_campaign(
    settings: Settings, key: AccessKey, asked: CampaignChange, name: CampaignName
) -> CampaignReply:
    """Sets what holds for a campaign; raises `Problem`, `QueueUnavailable`."""
    given = {option: getattr(asked, option) for option in _OPTIONS}
    given = {option: value for option, value in given.items() if value not in (None, [])}
    if not given and asked.lists is None and not asked.caps:
        raise Problem("wrong-shape", f"say what to set: {', '.join(_OPTIONS)}, lists or caps")
    lists = None if asked.lists is None else [read_list_name(each) for each in asked.lists]
    by, about = name_in_journal(key), name._asdict()
    with open_ledger(settings) as clients:
        try:
            caps = read_caps(asked.caps or ())  # or nothing at all is changed
            if given:
                change = partial(change_record, given)
                Campaigns(clients, by).set(*name, change, describe_change(given))
            if caps:
                Caps(clients, by).set(caps, **about)
        except CampaignError as fault:
            option = {"cap": "caps"}.get(fault.option, fault.option.replace("-", "_"))
            raise Problem("wrong-shape", f"{option}: {fault.reason}") from None
        if lists is not None:
            Suppression(clients, by).apply(lists, **about)
        return _read_campaigns(clients, [name])[0]


@get("/v1/campaigns", responses=openapi.PROBLEMS)
async def get_campaigns(
    request: HttpRequest,
    campaign: FromQuery[str | None] = None,
    account: FromQuery[str | None] = None,
) -> CampaignsReply:
    """List the campaigns for which something is set; or show one, also where nothing is."""
    service = service_of(request)
    caller = await service.let_in(request, Right.READ)
    name = None
    if campaign is not None or account is not None:
        name = read_campaign_name(caller.key, account, campaign)
        check_campaign(caller.key, name, bound_to_space=True)
    await service.gate.charge(caller, 1)
    found = await service.steer(caller, read_set, service.settings, caller.key, name)
    return CampaignsReply(found)


def read_set(settings: Settings, key: AccessKey, name: CampaignName | None) -> list[CampaignReply]:
    """Reads one campaign, or all for which something is set, as far as a key reaches."""
    with open_ledger(settings) as clients:
        if name is not None:
            return _read_campaigns(clients, [name])
        tables = LedgerReader(*clients).ask(read_campaigns())
        names = sorted(each for each in tables.campaigns if may_see(key, *each))
        return _read_campaigns(clients, names, tables)


def _read_campaigns(
    clients: Sequence[redis.Redis],
    names: Sequence[CampaignName],
    tables: CampaignTables | None = None,
) -> list[CampaignReply]:
    tables = tables or LedgerReader(*clients).ask(read_campaigns())
    applied = Suppression(clients, "", begins=False).read_all_applied()
    caps = read_set_caps(Ledger(clients[0], Limits(), 0, len(clients)))
    found = [
        {
            **campaign_object(tables, each),
            "lists": applied.get(each.key, []),
            "caps": cap_objects(caps_of(caps, each)),
        }
        for each in names
    ]
    return msgspec.convert(found, list[CampaignReply])


CAMPAIGN_ROUTES = (post_campaigns, get_campaigns)
