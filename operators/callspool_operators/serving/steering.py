"""What a key may steer: documents that wait, and numbers that must not be called.

Each is done as its command does it, with the same checks; the journal names the key.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import click
import redis
from litestar import get, post

from callspool.redis_io.servers import server_of
from callspool.request.identity import Scope
from callspool.settings import Settings
from callspool_ledger import keys
from callspool_ledger.access import AccessKey, Right
from callspool_ledger.guard import ListSource, Suppression
from callspool_ledger.reads.campaigns import CampaignName
from callspool_ledger.reads.entries import STATES
from callspool_ledger.reads.servers import connect_partitions
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering
from callspool_operators.lists.number_lists import fault_of_number
from callspool_operators.options import parsing
from callspool_operators.serving import openapi
from callspool_operators.serving.admission import (
    Caller,
    check_campaign,
    may_change,
    read_campaign_name,
    read_own_list,
    read_region,
)
from callspool_operators.serving.bodies import (
    CancelledDocument,
    CancelQuery,
    CancelReply,
    ListReply,
    ListsReply,
    NewSuppression,
    NumbersQuery,
    RefusedNumber,
    SentDocument,
    SuppressedNumber,
    SuppressedReply,
    SuppressionReply,
)
from callspool_operators.serving.documents import TIMEOUT, check_query
from callspool_operators.serving.problems import Problem
from callspool_operators.serving.service import HttpRequest, IntakeService, service_of
from callspool_operators.terminal.wording import plain

_LONGEST_SOURCE = 100

Asked = TypeVar("Asked", NewSuppression, NumbersQuery)
Name = TypeVar("Name")
Reply = TypeVar("Reply")


@contextmanager
def open_ledger(settings: Settings) -> Iterator[list[redis.Redis]]:
    """Connects to every partition for a while."""
    server = server_of(settings.redis_url, TIMEOUT).at(keys.prefix())
    clients = connect_partitions(server, settings.partitions)
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def name_in_journal(key: AccessKey) -> str:
    """Returns what the journal calls a key."""
    return f"key {key.name}"


@post("/v1/documents/cancel", status_code=200, responses=openapi.PROBLEMS)
async def post_cancel(request: HttpRequest) -> CancelReply:
    """Take back documents that wait; what is being sent, or was, stays as it is."""
    service = service_of(request)
    caller, asked = await service.take(request, CancelQuery, Right.OPERATE)
    scope = check_query(asked, caller.key)
    await service.gate.charge(caller, len(asked.document_ids))
    ids = asked.document_ids
    return CancelReply(
        await service.steer(caller, cancel_documents, service.settings, caller.key, scope, ids)
    )


def cancel_documents(
    settings: Settings, key: AccessKey, scope: Scope, ids: Sequence[str]
) -> list[CancelledDocument]:
    """Takes back documents that wait; raises `QueueUnavailable`."""
    with open_ledger(settings) as clients:
        steering = Steering(clients, name_in_journal(key))
        selector = Selector(scope.account, scope.space_token, scope.campaign)
        return [_cancel_one(steering, each, selector) for each in ids]


def _cancel_one(steering: Steering, document_id: str, selector: Selector) -> CancelledDocument:
    found = steering.cancel_one(document_id, selector)
    if not found:
        return CancelledDocument(document_id, cancelled=False, state=None)
    one = found[0]
    return CancelledDocument(
        document_id,
        cancelled=one.done,
        state="cancelled" if one.done else STATES.get(one.letter),
    )


@post("/v1/suppressions", status_code=200, responses=openapi.PROBLEMS)
async def post_suppressions(request: HttpRequest) -> SuppressionReply:
    """Put numbers on a list: once this is answered, no create-call that holds one begins.

    What was being sent at that moment is waited for, 10 seconds at most, and named.
    """
    service = service_of(request)
    caller, asked = await service.take(request, NewSuppression, Right.OPERATE)
    key = caller.key
    if asked.list_name is None and asked.account is None:
        asked.account = key.account
    name = read_own_list(key, asked.list_name, asked.account)
    return await _steer_numbers(service, caller, suppress_numbers, asked, name)


def suppress_numbers(
    settings: Settings, key: AccessKey, asked: NewSuppression, name: str
) -> SuppressionReply:
    """Puts numbers on a list; raises `Problem`, `QueueUnavailable`."""
    region = asked.region
    refused, good = [], []
    for place, number in enumerate(asked.numbers):
        fault = fault_of_number(number, region, takes_all=asked.numbers_as_they_are)
        if fault:
            refused.append(RefusedNumber(place, _without_option(fault)))
        else:
            good.append(number)
    source = plain(" ".join(asked.source.split()), _LONGEST_SOURCE)
    with open_ledger(settings) as clients:
        lists = Suppression(clients, name_in_journal(key), region=region)
        till_ms = _read_until(asked.until, lists)
        added = lists.add(good, name, till_ms=till_ms, source=source)
    sent = [
        SentDocument(each.document_id, each.space_token, each.state)
        for each in added.being_sent
        if key.account in (None, each.account)
    ]
    return SuppressionReply(name, added.added, added.known, refused, sent, added.is_on_disk)


@post("/v1/suppressions/check", status_code=200, responses=openapi.PROBLEMS)
async def post_suppressions_check(request: HttpRequest) -> SuppressedReply:
    """Say which numbers would not be called now in an account and a campaign, and why."""
    service = service_of(request)
    caller, asked = await service.take(request, NumbersQuery, Right.READ)
    key = caller.key
    name = read_campaign_name(key, asked.account, asked.campaign)
    check_campaign(key, name, bound_to_space=True)
    return await _steer_numbers(service, caller, check_numbers, asked, name)


async def _steer_numbers(
    service: IntakeService,
    caller: Caller,
    step: Callable[[Settings, AccessKey, Asked, Name], Reply],
    asked: Asked,
    name: Name,
) -> Reply:
    asked.region = read_region(asked.region) or service.settings.region
    await service.gate.charge(caller, len(asked.numbers))
    return await service.steer(caller, step, service.settings, caller.key, asked, name)


def check_numbers(
    settings: Settings, key: AccessKey, asked: NumbersQuery, name: CampaignName
) -> SuppressedReply:
    """Says which numbers are on a list that holds for a campaign; raises `QueueUnavailable`."""
    region = asked.region
    with open_ledger(settings) as clients:
        lists = Suppression(clients, name_in_journal(key), region=region, begins=False)
        found = lists.check(asked.numbers, account=name.account, campaign=name.campaign)
    as_they_are = asked.numbers_as_they_are
    return SuppressedReply(
        [
            _describe_number(key, source, fault_of_number(each, region, takes_all=as_they_are))
            for each, source in zip(asked.numbers, found, strict=True)
        ]
    )


def _describe_number(key: AccessKey, source: ListSource | None, fault: str) -> SuppressedNumber:
    if source is None:
        reason = _without_option(fault) or None
        return SuppressedNumber(suppressed=None if fault else False, reason=reason)
    return SuppressedNumber(
        suppressed=True,
        list_name=source.list,
        since=_moment(source.since),
        until=_moment(source.till) if source.till else None,
        source=source.source if may_change(key, source.list) else None,
    )


@get("/v1/suppressions", responses=openapi.PROBLEMS)
async def get_suppressions(request: HttpRequest) -> ListsReply:
    """List the lists that the key reaches, and how many numbers each holds."""
    service = service_of(request)
    caller = await service.let_in(request, Right.READ)
    await service.gate.charge(caller, 1)
    return await service.steer(caller, read_lists, service.settings, caller.key)


def read_lists(settings: Settings, key: AccessKey) -> ListsReply:
    """Reads the lists that a key reaches; raises `QueueUnavailable`."""
    with open_ledger(settings) as clients:
        found = Suppression(clients, name_in_journal(key), begins=False).lists()
    return ListsReply(
        [ListReply(each.name, each.numbers) for each in found if may_change(key, each.name)]
    )


def _read_until(until: str | None, lists: Suppression) -> int:
    """The end in ms, rounded up to the hour, as the command does; raises `Problem`."""
    if until is None:
        return 0
    now = lists.read_clock()
    try:
        ends = parsing.read_later(until).at(now)
    except click.BadParameter:
        ends = 0.0
    if ends <= now:
        raise Problem("wrong-shape", "until: is neither a span (90d) nor a time to come (ISO 8601)")
    return math.ceil(ends / 3600) * 3_600_000


def _without_option(fault: str) -> str:
    return fault.replace("say --region US", 'name its "region"')


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


STEERING_ROUTES = (
    post_cancel,
    post_suppressions,
    post_suppressions_check,
    get_suppressions,
)
