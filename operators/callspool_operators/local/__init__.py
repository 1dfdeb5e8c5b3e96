"""The embedded server and the state directory of `callspool run`."""

from __future__ import annotations

from callspool_operators.local.ledger import LocalLedger, StateDirBusy, open_ledger
from callspool_operators.local.state import default_state_dir

__all__ = ["LocalLedger", "StateDirBusy", "default_state_dir", "open_ledger"]
