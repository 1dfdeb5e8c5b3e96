"""The embedded server and the state directory of `callspool run`."""

from __future__ import annotations

from callspool_operators.local.ledger import LocalLedger, StateDirBusy, open_ledger
from callspool_operators.local.state import default_state_dir, find_ledger_of_runs

__all__ = ["LocalLedger", "StateDirBusy", "default_state_dir", "find_ledger_of_runs", "open_ledger"]
