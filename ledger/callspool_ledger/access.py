"""Keys of the HTTP intake: what each may do, and whether a caller that shows one is let in."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from enum import Enum
from typing import TYPE_CHECKING, Final

import msgspec

from callspool.request.identity import is_account_name
from callspool_ledger.reads.reading import of_ledger
from callspool_ledger.scripts import load
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Reply
    from callspool.request.identity import Scope
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.reads.reading import Trips

SECRET_BYTES: Final = 32
MOST_KEYS: Final = 500
"""Keys that there may be at a time, so that metrics by key stay bounded."""
PREFIX: Final = "csp_"
"""Begins every secret, so that people and scanners of repositories know one when they see it."""


class Right(Enum):
    """What a key may do."""

    ENQUEUE = "enqueue"
    READ = "read"
    OPERATE = "operate"


class AccessKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key of the HTTP intake, as the ledger keeps it: its secret only as a digest.

    ``account``, ``space_token``, ``campaign``: what it is bound to; None binds it to none.
    ``per_minute``, ``per_day``: documents, over all processes. ``expires_at``: unix seconds.
    """

    name: str
    digest: str
    rights: frozenset[Right]
    account: str | None = None
    space_token: str | None = None
    campaign: str | None = None
    per_minute: int | None = None
    per_day: int | None = None
    expires_at: float | None = None
    created_at: float = 0.0
    created_by: str = ""

    @property
    def selector(self) -> Selector:
        """The documents that it may concern."""
        return Selector(self.account, self.space_token, self.campaign)

    def covers(self, scope: Scope) -> bool:
        """Whether documents of this scope are its business."""
        return self.selector.covers(scope, "")


class Admission(msgspec.Struct, frozen=True):
    """The key that a caller showed, and whether its limits have room.

    ``wait``: the seconds until they have, 0 if it was let in, None if they never have room for so
    many documents at once.
    """

    key: AccessKey
    wait: float | None = 0.0


def is_key_name(text: str) -> bool:
    """Whether a key may have this name: it goes into logs and metrics."""
    return is_account_name(text)


def make_secret() -> str:
    """Makes what a caller shows: shown once, kept nowhere."""
    random = urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=")
    return PREFIX + random.decode("ascii")


def digest_of(secret: str) -> str:
    """Returns the SHA-256 of a secret, which is all that the ledger keeps of it.

    A secret of 32 random bytes cannot be guessed, so that a slow hash would protect nothing more.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@of_ledger
def read_access_keys(keys: PartitionKeys) -> Trips[list[AccessKey]]:
    """Reads every key, by name."""
    (reply,) = yield [("HGETALL", keys.access)]
    records = reply.values() if isinstance(reply, dict) else ()
    return sorted(map(_decode, records), key=lambda key: key.name)


@of_ledger
def admit(keys: PartitionKeys, secret: str, documents: int = 0) -> Trips[Admission | None]:
    """Charges the limits of the key that a caller showed; None if there is no such key."""
    (found,) = yield from admit_all([(secret, documents)]).trips(keys)
    return found


@of_ledger
def admit_all(
    keys: PartitionKeys, knocks: Sequence[tuple[str, int]]
) -> Trips[list[Admission | None]]:
    """As `admit`, of several secrets and their documents, one after the other in one round trip."""
    script = load("enqueue/admit")
    replies = yield [
        script.call([keys.prefix], [digest_of(secret), documents]) for secret, documents in knocks
    ]
    return [*map(_read_admission, replies)]


def _read_admission(reply: Reply) -> Admission | None:
    if not isinstance(reply, list):
        raise TypeError(f"admit answered {type(reply).__name__}, not a list")
    if not reply:
        return None
    record, wait_ms = reply
    return Admission(_decode(record), None if wait_ms < 0 else wait_ms / 1000)


_decode = msgspec.json.Decoder(AccessKey).decode
