"""The scripts of looks and proofs, one typed method each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from callspool_ledger import scripts
from callspool_ledger.reads.entries import pack_task_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from callspool.redis_io.scripts import Argument, Call
    from callspool_ledger.keys import PartitionKeys
    from callspool_ledger.writes.records import Look

WAKE_UPS_AT_MOST = 256
"""Wake-ups that may lie in their stream: enough for every submitter of a large installation."""

LOOK_LEASE_MS = 10_000
"""Milliseconds between two signs of life of a looker, before another may look at its space."""

LOOK_GOOD_MS = 30_000
"""Milliseconds after its beginning in which a look may still say that documents are missing."""

BATCHES_A_LOOK = 500

Readable = Literal["read", "partly", "not"]
"""How much of a space a look could read: all that it needed, not all of its runs, or nothing."""


def count_from_1(places: Sequence[int]) -> str:
    """Places as scripts look for them in a text."""
    return "".join(f",{place + 1}" for place in places) + "," if places else ""


class ProofCalls:
    """The calls of a partition that looks and proofs make."""

    def __init__(self, keys: PartitionKeys) -> None:
        self._keys = keys

    def _call(self, name: str, *args: Argument) -> Call:
        return scripts.load(f"writes/{name}").call([self._keys.prefix], args)

    def resend(
        self,
        batch: int,
        attempt: int,
        *,
        delay_ms: int,
        size: int,
        tries: int,
        look: Look | None = None,
        places: str = "",
        alone: Sequence[int] = (),
    ) -> Call:
        """Lets documents in doubt wait again, in batches of at most ``size``.

        ``look``: the look that found them missing; None: they are sent again without proof.
        ``places``: a mask of the documents meant, empty for all. ``alone``: places of documents
        that get a batch each.
        """
        proof: list[Argument] = [look.at_ms, look.found] if look else ["", ""]
        again = (batch, attempt, delay_ms, size, tries, WAKE_UPS_AT_MOST)
        return self._call("resend", *again, *proof, LOOK_GOOD_MS, places, count_from_1(alone))

    def look(self, looker: str, accounts: Sequence[str]) -> Call:
        """Gives the looker the space that is to be read back next."""
        return self._call("look", looker, LOOK_LEASE_MS, BATCHES_A_LOOK, *accounts)

    def keep_looking(self, looker: str, space: str) -> Call:
        """Renews the lease of a look that goes on."""
        return self._call("keep_looking", looker, space, LOOK_LEASE_MS)

    def end_look(
        self, looker: str, space: str, delay_ms: int, *, read: Readable, stuck: str = ""
    ) -> Call:
        """Ends a look, at a space that could be ``read`` or not; it is looked at again after that.

        ``stuck``: why it cannot be read for now.
        """
        return self._call("end_look", looker, space, delay_ms, read, stuck)

    def observe(
        self,
        batch: int,
        attempt: int,
        *,
        found: str,
        held: str,
        began_ms: int = 0,
        gap_ms: int = 0,
    ) -> Call:
        """Keeps what a look found of an attempt in doubt, or why it cannot be proven.

        ``began_ms``: when the look began. ``gap_ms``: looks further apart leave a gap.
        """
        return self._call("observe", batch, attempt, found, held, began_ms, gap_ms)

    def record_proven(
        self,
        batch: int,
        attempt: int,
        seal: str,
        *,
        run_id: str,
        ids: Sequence[str],
        places: str,
        claim: bool,
    ) -> Call:
        """Records that documents of an attempt were found at the API, in a run.

        With ``claim`` nothing in the run says whose it is: it is taken unless another has it.
        """
        packed = pack_task_ids(ids)
        return self._call("record_proven", batch, attempt, seal, run_id, packed, places, int(claim))

    def recall(
        self,
        batch: int,
        attempt: int,
        *,
        run_id: str,
        ids: Sequence[str],
        places: str,
        is_whole: bool = True,
    ) -> Call:
        """Records documents that the API has from an attempt which Redis forgot.

        ``is_whole``: nothing more will appear in the run.
        """
        packed = pack_task_ids(ids)
        return self._call("recall", batch, attempt, run_id, packed, places, int(is_whole))

    def keep_strays(self, space: str, strays: Mapping[str, str], window_ms: int) -> Call:
        """Keeps documents that the API has and the ledger does not know, in case they return."""
        pairs = [part for pair in strays.items() for part in pair]
        return self._call("keep_strays", space, window_ms, *pairs)

    def read_back(
        self,
        space: str,
        epoch: int,
        *,
        began_ms: int,
        found: str,
        gap_ms: int,
        quiet_ms: int = 0,
        lanes: int = 500,
    ) -> Call:
        """Lets a space send again that was read back after Redis restarted, once it may.

        ``found``: what the look found, in a word; looks further apart than ``gap_ms`` leave a gap.
        """
        sizes = lanes, WAKE_UPS_AT_MOST
        return self._call("read_back", space, epoch, *sizes, began_ms, found, gap_ms, quiet_ms)
