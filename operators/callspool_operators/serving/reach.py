"""What a key reaches: its account, space and campaign, and which lists of numbers it may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from callspool.request.call_request import is_region
from callspool.request.identity import DEFAULT_ACCOUNT, Scope, is_account_name
from callspool.request.text import fault_of_word
from callspool_ledger.guard import ListNameError, list_name
from callspool_ledger.reads.campaigns import CampaignName
from callspool_operators.serving.problems import Problem

if TYPE_CHECKING:
    from callspool.errors import InvalidCallRequest
    from callspool_ledger.access import AccessKey
    from callspool_operators.serving.bodies import DocumentsQuery, PostedRequest

_ACCOUNT_LIST = "account:"


def fill_in(asked: PostedRequest | DocumentsQuery, key: AccessKey) -> None:
    """Puts what the key is bound to in the place of what a caller left out."""
    for field in ("account", "space_token", "campaign"):
        if not getattr(asked, field):
            setattr(asked, field, getattr(key, field))


def check_reach(key: AccessKey, account: str, campaign: str | None) -> None:
    """Raises `Problem` if what holds for all spaces is not the key's business.

    ``campaign``: None is all of the account's.
    """
    if key.space_token is not None:
        raise Problem("out-of-scope", f"the key {key.name} is bound to a space, and this is not")
    if key.campaign is not None and campaign is None:
        raise Problem("out-of-scope", f"the key {key.name} is bound to a campaign, and this is not")
    check_scope(key, Scope(account, "", campaign or ""))


def check_scope(key: AccessKey, scope: Scope) -> None:
    """Raises `Problem` if documents of this scope are not the key's business."""
    if key.covers(scope):
        return
    wrong = next(
        word
        for word, allowed, asked in zip(
            ("account", "space", "campaign"),
            (key.account, key.space_token, key.campaign),
            scope,
            strict=True,
        )
        if allowed is not None and allowed != asked
    )
    raise Problem("out-of-scope", f"the key {key.name} is bound to another {wrong}")


def wrong_shape(fault: InvalidCallRequest) -> Problem:
    """Returns the problem of a field that is not as it has to be."""
    return Problem("wrong-shape", f"{fault.field}: {fault.reason}")


def may_see(key: AccessKey, account: str, campaign: str) -> bool:
    """Whether a campaign is within what a key is bound to."""
    return key.account in (None, account) and key.campaign in (None, campaign)


def read_campaign_name(key: AccessKey, account: str | None, campaign: str | None) -> CampaignName:
    """Returns the campaign that a caller names, else the key's; raises `Problem`."""
    account = account or key.account or DEFAULT_ACCOUNT
    if not is_account_name(account):
        raise Problem("wrong-shape", "account: is no name of an account")
    campaign = (key.campaign or "") if campaign is None else campaign
    if campaign and (fault := fault_of_word(campaign)):
        raise Problem("wrong-shape", f"campaign: {fault}")
    return CampaignName(account, campaign)


def check_campaign(key: AccessKey, name: CampaignName, *, bound_to_space: bool = False) -> None:
    """Raises `Problem` unless it is the key's; one ``bound_to_space`` may look at it."""
    if bound_to_space:
        key = msgspec.structs.replace(key, space_token=None)
    check_reach(key, name.account, name.campaign)


def read_own_list(key: AccessKey, name: str | None, account: str | None = None) -> str:
    """Returns a list's own name; raises `Problem` unless a key may change it."""
    found = read_list_name(name, account)
    if found.startswith(_ACCOUNT_LIST):
        check_reach(key, found.removeprefix(_ACCOUNT_LIST), None)
        return found
    if key.account is not None:
        raise Problem("out-of-scope", f"the key {key.name} is bound to an account, and this is not")
    check_reach(key, "", None)
    return found


def read_list_name(name: str | None, account: str | None = None) -> str:
    """Returns the name that the ledger has for a list; raises `Problem`."""
    try:
        return list_name(name, account)
    except ListNameError as wrong:
        raise Problem("wrong-shape", f"list: {wrong}") from None


def may_change(key: AccessKey, name: str) -> bool:
    """Whether a key may put numbers on a list."""
    try:
        read_own_list(key, name)
    except Problem:
        return False
    return True


def read_region(region: str | None) -> str | None:
    """Returns a region in capitals; raises `Problem`."""
    if not region:
        return None
    if not is_region(region.upper()):
        raise Problem("wrong-shape", "region: must be a region such as IN, US or GB")
    return region.upper()
