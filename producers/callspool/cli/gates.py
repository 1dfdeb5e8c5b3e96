"""Gates, as operators read them: what is not sent now, and why."""

from collections.abc import Sequence

from callspool.cli.times import local
from callspool.cli.wording import plain, shortened
from callspool.ledger.views import GateView


def gate_lines(gates: Sequence[GateView]) -> list[str]:
    """A line for each gate."""
    return [
        f"{gate.kind} since {local(gate.since)}: {_what(gate)}: {plain(gate.reason) or 'no reason'}"
        f"{f' ({plain(gate.code, 20)})' if gate.code else ''}"
        for gate in gates
    ]


def _what(gate: GateView) -> str:
    if gate.level == "space":
        account, _, token = gate.name.rpartition("|")
        return f"space {plain(shortened(token))} of account {plain(account)}"
    return f"{gate.level} {plain(gate.name)}"
