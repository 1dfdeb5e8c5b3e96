"""Which caller is let in by its key, how fast, and what the key reaches: account, space, lists."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from callspool.errors import QueueFull, QueueUnavailable
from callspool.redis_io.errors import describe, transport_errors
from callspool.request.call_request import is_region
from callspool.request.identity import DEFAULT_ACCOUNT, Scope, is_account_name
from callspool.request.text import fault_of_word
from callspool_ledger.access import AccessKey, Right, admit_all
from callspool_ledger.guard import ListNameError, list_name
from callspool_ledger.reads.campaigns import CampaignName
from callspool_ledger.reads.reader import AsyncLedgerReader
from callspool_operators.serving.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import redis.asyncio

    from callspool.errors import InvalidCallRequest
    from callspool_ledger.access import Admission
    from callspool_operators.serving.bodies import DocumentsQuery, PostedRequest

LOOK_KEPT: Final = 1.0
"""Seconds for which a key that was let in is not asked for again: a revocation takes so long."""
LOOKS_KEPT: Final = 1_000
PATIENCE: Final = 5.0
MOST_KNOCKS: Final = 200
"""Callers that are asked about in one round trip."""
_SCHEME: Final = "bearer "
_LONGEST_SECRET: Final = 200


class Caller(NamedTuple):
    """A caller that showed a key: the key, and the secret to charge it with."""

    key: AccessKey
    secret: str


class _RememberedKey(NamedTuple):
    key: AccessKey
    until: float


class _Knock(NamedTuple):
    secret: str
    documents: int
    answer: asyncio.Future[Admission | None]


class Gatekeeper:
    """Lets callers in by the keys that Redis holds; ``client`` is that of the first partition.

    Callers that come while Redis is asked share the next round trip.
    """

    def __init__(self, client: redis.asyncio.Redis, where: str) -> None:
        self._reader = AsyncLedgerReader(client)
        self._where = where
        self._looks: dict[str, _RememberedKey] = {}
        self._knocks: list[_Knock] = []
        self._asking: asyncio.Task[None] | None = None

    async def let_in(self, authorization: str | None, right: Right) -> Caller:
        """Returns the caller; raises `Problem` unless its key is good for this."""
        secret = read_secret(authorization)
        look = self._looks.get(secret)
        if look is None or look.until < time.monotonic():
            found = await self._ask(secret, 0)
            if found is None:
                self._looks.pop(secret, None)
                raise Problem(
                    "key-unknown", "the key was never created, has expired, or was revoked"
                )
            look = self._keep(secret, found.key)
        if right not in look.key.rights:
            raise Problem("out-of-scope", f"the key {look.key.name} has no scope {right.value}")
        return Caller(look.key, secret)

    async def charge(self, caller: Caller, documents: int) -> None:
        """Charges the key's limits; raises `Problem` where they have no room."""
        key = caller.key
        if documents and (key.per_minute or key.per_day):
            check_room(await self._ask(caller.secret, documents), key.name)

    @asynccontextmanager
    async def charge_for(self, caller: Caller, documents: int) -> AsyncIterator[None]:
        """As `charge`; gives back what the block, which enqueues them, certainly did not use."""
        await self.charge(caller, documents)
        try:
            yield
        except (QueueFull, QueueUnavailable) as fault:
            left = documents - (fault.enqueued or 0)
            if left > 0 and (caller.key.per_minute or caller.key.per_day):
                with contextlib.suppress(QueueUnavailable):
                    await self._ask(caller.secret, -left)
            raise

    async def is_there(self) -> bool:
        """Whether Redis answers."""
        try:
            await self._ask("", 0)
        except QueueUnavailable:
            return False
        return True

    async def _ask(self, secret: str, documents: int) -> Admission | None:
        loop = asyncio.get_running_loop()
        knock = _Knock(secret, documents, loop.create_future())
        self._knocks.append(knock)
        if self._asking is None:
            self._asking = loop.create_task(self._ask_in_turn())
        return await knock.answer

    async def _ask_in_turn(self) -> None:
        try:
            while self._knocks:
                some, self._knocks = self._knocks[:MOST_KNOCKS], self._knocks[MOST_KNOCKS:]
                await self._ask_about(some)
        finally:
            self._asking = None

    async def _ask_about(self, knocks: Sequence[_Knock]) -> None:
        """Asks about some callers in one round trip, and answers each."""
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._reader.ask(
                    admit_all([(each.secret, each.documents) for each in knocks])
                )
        except Exception as error:  # noqa: BLE001 - each caller raises it
            fault: Exception = error
            if isinstance(error, transport_errors()):
                fault = QueueUnavailable(describe(error, self._where))
            for knock in knocks:
                if not knock.answer.done():
                    knock.answer.set_exception(fault)
            return
        for knock, admission in zip(knocks, found, strict=True):
            if not knock.answer.done():  # as it is where the caller is gone
                knock.answer.set_result(admission)

    def _keep(self, secret: str, key: AccessKey) -> _RememberedKey:
        if len(self._looks) >= LOOKS_KEPT:
            self._looks.clear()
        kept = LOOK_KEPT
        if key.expires_at is not None:
            kept = min(kept, key.expires_at - time.time())
        look = self._looks[secret] = _RememberedKey(key, time.monotonic() + kept)
        return look


def read_secret(authorization: str | None) -> str:
    """Returns what a caller shows in its header; raises `Problem` if that is no key."""
    if not authorization:
        raise Problem("key-missing", "send the header Authorization: Bearer and your key")
    if authorization[: len(_SCHEME)].lower() != _SCHEME or len(authorization) > _LONGEST_SECRET:
        raise Problem("key-missing", "the header Authorization has to be Bearer and your key")
    return authorization[len(_SCHEME) :].strip()


def check_room(admission: Admission | None, name: str) -> None:
    """Raises `Problem` unless the limits of the key had room."""
    if admission is None:
        raise Problem("key-unknown", "the key has expired, or was revoked, a moment ago")
    if admission.wait is None:
        raise Problem("too-large", f"the key {name} never takes so many documents at once")
    if admission.wait:
        raise Problem(
            "too-fast",
            f"the key {name} may send more documents later; repeating the request is safe",
            retry_after=admission.wait,
        )


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
