"""The workers of one run, the check that the API is there, and the sandbox of a rehearsal."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from callspool.errors import ApiUnreachable, CallspoolError
from callspool.request.identity import partition_of
from callspool.settings import Account, Secret
from callspool_ledger.reads.gates import UNREAD, read_gates
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.writes import account_ledgers
from callspool_operators.local.state import make_private
from callspool_operators.local.tracking import ask_until_answered
from callspool_sandbox import protocol
from callspool_sandbox.process import SandboxProcess
from callspool_worker import events
from callspool_worker.decisions.leases import longest_stop
from callspool_worker.events.event import emit
from callspool_worker.ledgers import connect_all, open_ledgers
from callspool_worker.permits import give_up
from callspool_worker.processes.child import configuration
from callspool_worker.processes.supervisor import Supervisor
from callspool_worker.sweeping import lapse_all, reopen

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from callspool.request.call_request import CheckedEnvelope
    from callspool.settings import Settings
    from callspool_operators.local.ledger import LocalLedger


SANDBOX = "sandbox"
"""The account of rehearsals: its scope is its own, so that none counts as the real call."""

CALL_SPEED = 6000.0
"""How much faster than real ones the calls of a rehearsal are."""

SANDBOX_READS = 20.0
"""Reads a second that follow the calls of a rehearsal."""

STAND_INS = {
    "account": SANDBOX,
    "space_token": protocol.SPACE_TOKEN,
    "pilot": protocol.PILOT,
    "context": protocol.CONTEXT,
}


def start_sandbox(stack: ExitStack, state_dir: Path) -> str:
    """Starts a sandbox that ends with the stack; its log lies in the state directory."""
    make_private(state_dir)
    process = SandboxProcess(log=state_dir / "sandbox.jsonl", call_speed=CALL_SPEED)
    return stack.enter_context(process).url


def sandbox_settings(settings: Settings, url: str) -> Settings:
    """Returns the settings with the sandbox's account alone, whose calls are followed as fast."""
    account = Account(
        name=SANDBOX,
        api_token=Secret(protocol.API_TOKEN),
        org_handle=protocol.ORG_HANDLE,
        api_url=url,
    )
    return replace(
        settings,
        accounts={SANDBOX: account},
        follow_gap=settings.follow_gap / CALL_SPEED,
        follow_max_rate=max(settings.follow_max_rate, SANDBOX_READS),
    )


PATIENCE = 5.0
"""Seconds until a server that does not answer counts as not being there."""


def check_api(url: str) -> None:
    """Raises `ApiUnreachable` unless something accepts connections at the URL. Sends nothing."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except (OSError, UnicodeError) as fault:
        said = fault.strerror if isinstance(fault, OSError) else None
        reason = said or str(fault) or type(fault).__name__
        raise ApiUnreachable(
            f"the API at {host}:{port} cannot be reached ({reason.lower()}):"
            " check CALLSPOOL_API_URL and the network; nothing was sent"
        ) from None


QUIET = "error"
"""What workers of a run say: the report tells the rest."""

START_PATIENCE = 120.0
"""Seconds that worker processes may take until they work."""

_log = logging.getLogger(__name__)


class Workforce:
    """A context manager. With an embedded ledger nobody else can hold a batch when it begins, so
    what an earlier run's workers had taken is in doubt at once. Raises `CallspoolError`.
    """

    def __init__(self, settings: Settings, local: LocalLedger | None) -> None:
        self.clients = connect_all(settings)
        self._local = local
        self._accounts = list(settings.accounts)
        self._ledgers = ask_until_answered(
            lambda: open_ledgers(settings, self.clients), self.keep_server
        )
        if local is not None:
            self._lapse("")
        self._supervisor = Supervisor(
            # Endpoints are for what workers send: a run ends before an endpoint may be back.
            config=configuration(
                replace(settings, webhooks={}), log_level=QUIET, log_format="console"
            ),
            processes=settings.processes,
            pass_fds=local.inherit_fds() if local else (),
            stop_timeout=longest_stop(settings.request_timeout),
            on_child_death=self._bury_the_dead,
        )
        self._running = False
        self._told_of_leases = False
        self._started_at = 0.0

    def reader(self, envelope: CheckedEnvelope) -> LedgerReader:
        """Returns what the partition says that keeps the envelope's space."""
        ledgers = len(self._ledgers)
        partition = partition_of(envelope.account, envelope.space_token, ledgers)
        return LedgerReader(self.clients[partition], partition=partition)

    def start(self) -> None:
        """Starts the workers and returns at once.

        A run that is started should try: what an earlier one found parked is tried again.
        What an operator paused stays paused.
        """
        if self._local is not None:
            for gate in LedgerReader(self.clients[0]).ask(read_gates()):
                # What Redis may have forgotten is read back first, in a new run as well.
                if gate.kind == "parked" and not gate.name.startswith(UNREAD):
                    reopen(self._ledgers[0], gate.name)
        self._running = True
        self._started_at = time.monotonic()
        self._supervisor.start()

    def stop(self) -> None:
        """Lets the workers finish what they sent and give the rest back."""
        if self._running:
            self._running = False
            self._supervisor.stop()

    def check(self) -> None:
        """Raises what keeps the workers from working; starts a killed server again."""
        if self._supervisor.failure is not None:
            raise self._supervisor.failure
        if self._running and not self._supervisor.wait_ready(0) and self._overdue():
            raise CallspoolError(
                f"no worker process could begin within {START_PATIENCE:.0f} s: see the messages"
                " above; what was enqueued is kept for the next run"
            )
        self.keep_server()

    def keep_server(self) -> None:
        """Starts the embedded server again if it was killed."""
        if self._local is not None and self._local.ensure_running():
            _log.warning("the embedded server was gone and has been started again")

    def _overdue(self) -> bool:
        return time.monotonic() - self._started_at > START_PATIENCE

    def _bury_the_dead(self, incarnation: str) -> None:
        try:
            self._lapse(incarnation)
            give_up(account_ledgers(self._ledgers[0], self._accounts), incarnation)
        except CallspoolError as error:
            # Told once: what keeps several from being recorded is the same, as a full disk.
            if not self._told_of_leases:
                emit(events.Left(why=f"what a dead worker held waits for its lease: {error}"))
            self._told_of_leases = True

    def _lapse(self, incarnation: str) -> None:
        for ledger in self._ledgers:
            lapse_all(ledger, "the worker was killed while it held this batch", incarnation)

    def __enter__(self) -> Workforce:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for client in self.clients:
            client.close()
