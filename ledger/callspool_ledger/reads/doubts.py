"""Documents in doubt: what is known of them, and whether a look at the API may settle them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from callspool_ledger import keys
from callspool_ledger.selectors import Selector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.redis_io.scripts import Command
    from callspool_ledger.reads.driving import Reading

BATCHES = 1000
"""Batches of a space that are looked through."""


def read_is_proving(partition: int, accounts: Sequence[str]) -> Reading[bool]:
    """The round trips that tell whether batches of these accounts may still be proven."""
    numbers = yield from read_doubtful(partition, accounts)
    base = keys.prefix(partition)
    asked: list[Command] = [("HMGET", f"{base}:b{number}", "phase", "held") for number in numbers]
    replies: list[Any] = (yield asked) if asked else []
    return any(phase == b"doubt" and not held for phase, held in replies)


def doubtful_spaces(partition: int, selector: Selector) -> Reading[list[str]]:
    """The round trip that lists the spaces with documents in doubt that a selector may mean."""
    (spaces,) = yield [("ZRANGE", f"{keys.prefix(partition)}:proofs", 0, -1)]
    names = [space.decode() for space in spaces] if isinstance(spaces, list) else []
    return [name for name in names if _may_mean(selector, *name.split("|", 1))]


def _may_mean(selector: Selector, account: str, space_token: str = "") -> bool:
    return selector.account in {None, account} and selector.space_token in {None, space_token}


def read_doubtful(partition: int, accounts: Sequence[str]) -> Reading[list[int]]:
    """The round trips that list the batches in doubt of these accounts, space by space."""
    base = keys.prefix(partition)
    names = yield from doubtful_spaces(partition, Selector())
    wanted = [name for name in names if name.partition("|")[0] in accounts]
    asked: list[Command] = [("ZRANGE", f"{base}:doubts:{name}", 0, BATCHES - 1) for name in wanted]
    replies: list[Any] = (yield asked) if asked else []
    return [int(number) for number in chain.from_iterable(replies)]
