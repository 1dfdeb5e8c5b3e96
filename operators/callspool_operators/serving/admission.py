"""Who is let in: the key that a caller shows, what it may do, and how fast."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from callspool.errors import InvalidCallRequest, QueueUnavailable
from callspool.redis_io.errors import TRANSPORT_ERRORS, describe
from callspool_ledger.access import AccessKey, Right, admit
from callspool_ledger.reads.reader import AsyncLedgerReader
from callspool_operators.serving.bodies import Problem

if TYPE_CHECKING:
    import redis.asyncio

    from callspool.request.identity import Scope
    from callspool_ledger.access import Admission
    from callspool_operators.serving.bodies import DocumentsQuery, PostedRequest

LOOK_KEPT: Final = 1.0
"""Seconds for which a key that was let in is not asked for again: a revocation takes so long."""
LOOKS_KEPT: Final = 1_000
PATIENCE: Final = 5.0
_SCHEME: Final = "bearer "
_LONGEST_SECRET: Final = 200


class Caller(NamedTuple):
    """A caller that showed a key: the key, and the secret to charge it with."""

    key: AccessKey
    secret: str


class _RememberedKey(NamedTuple):
    key: AccessKey
    until: float


class Gatekeeper:
    """Lets callers in by the keys that Redis holds; ``client`` is that of the first partition."""

    def __init__(self, client: redis.asyncio.Redis, where: str) -> None:
        self._reader = AsyncLedgerReader(client)
        self._where = where
        self._looks: dict[str, _RememberedKey] = {}

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

    async def is_there(self) -> bool:
        """Whether Redis answers."""
        try:
            await self._ask("", 0)
        except QueueUnavailable:
            return False
        return True

    async def _ask(self, secret: str, documents: int) -> Admission | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._reader.ask(admit(secret, documents))
        except TRANSPORT_ERRORS as error:
            raise QueueUnavailable(describe(error, self._where)) from None

    def _keep(self, secret: str, key: AccessKey) -> _RememberedKey:
        if len(self._looks) >= LOOKS_KEPT:
            self._looks.clear()
        look = self._looks[secret] = _RememberedKey(key, time.monotonic() + LOOK_KEPT)
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


def fill_in(asked: PostedRequest | DocumentsQuery, key: AccessKey) -> None:
    """Puts what the key is bound to in the place of what a caller left out."""
    for field in ("account", "space_token", "campaign"):
        if not getattr(asked, field):
            setattr(asked, field, getattr(key, field))


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
