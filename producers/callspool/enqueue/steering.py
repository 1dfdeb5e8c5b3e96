"""What a service may change of what it enqueued: the same steps as the operators' commands.

It needs a user of Redis that may steer, as `operator` in docs/security.md.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from callspool.request.schedule import check_until
from callspool_ledger.reads.servers import connect_partitions
from callspool_ledger.selectors import Selector
from callspool_ledger.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from callspool.redis_io.servers import RedisEndpoint
    from callspool.request.identity import Scope


class QueueSteering:
    """Cancels, pauses and resumes, with connections for each call. Raises `QueueUnavailable`.

    The journal names this machine.
    """

    def __init__(self, server: RedisEndpoint, partitions: int) -> None:
        self._server = server
        self._partitions = partitions
        self._by = f"service@{socket.gethostname()}"

    def cancel(self, document_id: str, scope: Scope) -> None:
        """Takes back a document if it waits."""
        with self._steering() as steer:
            steer.cancel_one(document_id, Selector(*scope))

    def pause(
        self,
        account: str | None,
        space_token: str | None,
        campaign: str | None,
        note: str,
        until: datetime | None,
    ) -> int:
        """Stops sending what the arguments mean; returns how many documents wait behind it."""
        until_ms = round((check_until(until) or 0) * 1000)
        with self._steering() as steer:
            return steer.pause(Selector(account, space_token, campaign), note, until_ms).documents

    def resume(self, account: str | None, space_token: str | None, campaign: str | None) -> int:
        """Sends again what the arguments mean; returns how many documents waited."""
        with self._steering() as steer:
            return steer.resume(Selector(account, space_token, campaign)).documents

    @contextmanager
    def _steering(self) -> Iterator[Steering]:
        with ExitStack() as stack:
            clients = connect_partitions(self._server, self._partitions)
            for client in clients:
                stack.callback(client.close)
            yield Steering(clients, self._by)
