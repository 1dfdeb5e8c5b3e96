"""What operators do to the keys of the HTTP intake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from callspool_ledger import scripts
from callspool_ledger.access import MOST_KEYS
from callspool_ledger.errors import AccessKeyError
from callspool_ledger.keys import PartitionKeys
from callspool_ledger.steering.steps import Steps

if TYPE_CHECKING:
    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.access import AccessKey


class KeySteering(Steps):
    """Creates and revokes keys, in the first partition: it holds the keys of all."""

    def create(self, key: AccessKey) -> None:
        """Keeps a key; raises `AccessKeyError` if its name is taken, or there are too many."""
        bound = msgspec.json.encode(key.selector.as_object())
        record = msgspec.json.encode(key)
        done = self._run_first(
            _call("create_key", key.name, key.digest, record, self._by, bound, MOST_KEYS)
        )
        if done == 0:
            raise AccessKeyError(
                f"there is a key {key.name} already: revoke it first, or choose another name"
            )
        if done != 1:
            raise AccessKeyError(
                f"there are {MOST_KEYS} keys already: revoke one first (callspool keys list)"
            )

    def revoke(self, name: str) -> None:
        """Ends a key at once; raises `AccessKeyError` if there is none of that name."""
        if self._run_first(_call("revoke_key", name, self._by)) != 1:
            raise AccessKeyError(f"there is no key {name}: callspool keys list shows all")

    def _run_first(self, step: Call) -> object:
        return (self.parts or [self])[0]._run_any(step)


def _call(name: str, *args: Argument) -> Call:
    return scripts.load(f"steering/{name}").call([PartitionKeys().prefix], args)
