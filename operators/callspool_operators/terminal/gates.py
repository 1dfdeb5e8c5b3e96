"""Gates, as operators read them: what is not sent now, and why."""

from collections.abc import Sequence

from callspool_ledger.reads.views import GateView
from callspool_ledger.selectors import Selector
from callspool_operators.terminal.wording import local, plain, shorten_token

Json = dict[str, object]


def gate_lines(gates: Sequence[GateView], where: str = "") -> list[str]:
    """A line for each gate. ``where``: the flags that lead other commands to the same ledger."""
    return [_line(gate, f" {where}" if where else "") for gate in gates]


def gate_object(gate: GateView) -> Json:
    """A gate as scripts read it."""
    return {
        "kind": gate.kind,
        "level": gate.selector.level,
        **selector_object(gate.selector),
        "reason": gate.reason,
        "code": gate.code,
        "since": gate.since,
        "by": gate.by,
    }


def selector_object(selector: Selector) -> Json:
    """A selector as scripts read it; null means every one."""
    return {name: getattr(selector, name) for name in Selector.__dataclass_fields__}


def describe_selector(selector: Selector) -> str:
    """What a selector means, in words."""
    words = {
        "space": selector.space_token and shorten_token(selector.space_token),
        "campaign": selector.campaign,
        "lane": selector.lane,
        "account": selector.account,
    }
    parts = [
        f"{word} {plain(part, 80) or '(none)'}" for word, part in words.items() if part is not None
    ]
    if words["space"] and words["account"] and len(parts) == 2:
        return " of ".join(parts)
    return ", ".join(parts) or "everything"


def why(gate: GateView) -> str:
    """Why a gate is closed: the API's words, or who paused it."""
    if gate.kind == "paused":
        return f"by {plain(gate.by, 80)}" if gate.by else "by an operator"
    return f"{plain(gate.reason) or 'no reason'}{f' ({plain(gate.code, 20)})' if gate.code else ''}"


def _line(gate: GateView, where: str) -> str:
    since, flags = local(gate.since), gate.selector.flags
    what = f"{gate.kind} since {since}: {describe_selector(gate.selector)}"
    if gate.kind == "paused":
        return f"{what}, {why(gate)} (callspool resume {flags}{where})"
    return f"{what}: {why(gate)}"
