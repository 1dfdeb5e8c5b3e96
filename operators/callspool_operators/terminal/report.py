"""What commands report: the closed gates, and what became of the documents of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from callspool_ledger.reads.campaigns import CampaignName
from callspool_ledger.reads.held import HeldLanes
from callspool_ledger.reads.summary import OUTCOMES
from callspool_ledger.reads.views import OUTCOMES as CALL_OUTCOMES
from callspool_ledger.reads.views import GateView
from callspool_ledger.selectors import Selector
from callspool_operators.terminal.exits import Exit
from callspool_operators.terminal.wording import (
    CONFLICT_REMEDY,
    format_count,
    format_counts,
    local,
    plain,
    shorten_token,
    span,
)

Json = dict[str, object]


MOST_GATES = 50  # that are named


def gate_lines(gates: Sequence[GateView], where: str = "") -> list[str]:
    """Returns a line a gate, one for those too many. ``where``: flags that lead to the ledger."""
    flags = f" {where}" if where else ""
    more = len(gates) - MOST_GATES
    rest = [f"{more:,} more are parked or paused: callspool lanes{flags}"] if more > 0 else []
    return [_line(gate, flags) for gate in gates[:MOST_GATES]] + rest


def gate_object(gate: GateView) -> Json:
    """Returns a gate as scripts read it."""
    return {
        "kind": gate.kind,
        "level": gate.selector.level,
        **selector_object(gate.selector),
        "reason": gate.reason,
        "code": gate.code,
        "since": gate.since,
        "by": gate.by,
        "note": gate.note or None,
        "until": gate.until,
    }


def selector_object(selector: Selector) -> Json:
    """Returns a selector as scripts read it; null means every one."""
    return {name: getattr(selector, name) for name in Selector.__dataclass_fields__}


def describe_selector(selector: Selector) -> str:
    """Returns what a selector means, in words."""
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
    """Returns why a gate is closed: the API's words, or who paused it."""
    if gate.kind == "paused":
        who = f"by {plain(gate.by, 80)}" if gate.by else "by an operator"
        note = f": {plain(gate.note, 200)}" if gate.note else ""
        return f"{who}{f' until {local(gate.until)}' if gate.until else ''}{note}"
    return f"{plain(gate.reason) or 'no reason'}{f' ({plain(gate.code, 20)})' if gate.code else ''}"


def _line(gate: GateView, where: str) -> str:
    since, flags = local(gate.since), gate.selector.flags
    what = f"{gate.kind} since {since}: {describe_selector(gate.selector)}"
    if gate.kind == "paused":
        return f"{what}, {why(gate)} (callspool resume {flags}{where})"
    return f"{what}: {why(gate)}"


def held_object(held: HeldLanes) -> Json:
    """Returns lanes that wait because of their campaign, as scripts read them."""
    return {
        **held.name._asdict(),
        "reason": held.bar.kind,
        "zones": held.bar.zones or None,
        "opens_at": held.bar.opens,
        "platform_zone": held.bar.platform or None,
        "lanes": held.lanes,
        "documents": held.documents,
    }


def held_lines(held: Sequence[HeldLanes]) -> list[str]:
    """Returns what waits because of its campaign: a line for each campaign and reason."""
    found: dict[tuple[CampaignName, str], list[HeldLanes]] = {}
    for each in held:
        by = _HELD_BY.get(each.bar.kind, each.bar.kind)
        by = "the platform's hours" if each.bar.platform else by
        found.setdefault((each.name, by), []).append(each)
    return [_held_line(name, by, group) for (name, by), group in found.items()]


_HELD_BY = {
    "hours": "its calling hours",
    "computing": "its calling hours",
    "sorting": "its calling hours",
    "pace": "its pace",
    "cap": "caps",
    "starts": "its start",
}


def _held_line(name: CampaignName, held_by: str, group: Sequence[HeldLanes]) -> str:
    counts = [each.documents for each in group]
    lanes = format_count(sum(each.lanes for each in group), "lane")
    documents = sum(count for count in counts if count is not None)
    number = lanes if None in counts else f"{format_count(documents, 'document')} in {lanes}"
    opens = min((each.bar.opens for each in group if each.bar.opens), default=None)
    called = f"campaign {plain(name.campaign, 80)}" if name.campaign else "no campaign"
    word = "frees" if group[0].bar.kind == "cap" else "opens"
    when = f"; the next {word} {local(opens)}" if opens else ""
    return f"held by {held_by}: {called}, account {name.account}: {number}{when}"


STATES = ("waiting", "sending", "in_doubt", "created", "dead", "cancelled", "expired")
COUNTS = ("read", "accepted", "earlier", "duplicate", "invalid", "conflict", "suppressed", *STATES)
MOST_REASONS = 10


def outcome_lines(outcomes: Mapping[str, int]) -> list[str]:
    """Returns a line with what became of calls; none where no document was created."""
    words = format_counts({name: outcomes.get(name, 0) for name in CALL_OUTCOMES})
    return [f"calls: {words}"] if words else []


@dataclass(frozen=True, slots=True)
class NotCreated:
    """Documents that are in one state for one reason."""

    state: str
    reason: str
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `run` did with its files.

    ``documents``: `COUNTS`, of these files; what is absent is 0 (``earlier``: accepted ones that
    waited from an earlier run). ``submissions``: answers to create-calls by outcome. ``outcomes``:
    what became of the calls of created ones. ``invalid_reasons``: refused rows by reason.

    Of the duplicates, the ledger knew ``handed_over`` already, the first since
    ``handed_over_since``, and an operator had cancelled ``cancelled_before``. ``row_notes``: lines
    about rows that do not go on. ``waiting_elsewhere``: documents that wait with the pilot, context
    or schedule of an earlier request.

    ``gates``: all that are closed; ``paused``: those by which an operator holds these documents
    back. ``where``: the flags that lead other commands to the same ledger. ``again``: the command
    that goes on with the rest.
    """

    documents: Mapping[str, int]
    submissions: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    runs: int = 0
    seconds: float = 0.0
    invalid_reasons: Mapping[str, int] = field(default_factory=dict)
    not_created: Sequence[NotCreated] = ()
    gates: Sequence[GateView] = ()
    paused: Sequence[GateView] = ()
    handed_over: int = 0
    handed_over_since: datetime | None = None
    cancelled_before: int = 0
    row_notes: Sequence[str] = ()
    waiting_elsewhere: int = 0
    where: str = ""
    again: str = ""

    def count(self, name: str) -> int:
        return self.documents.get(name, 0)

    @property
    def documents_per_second(self) -> float:
        """Documents created in a second of the run."""
        return self.count("created") / self.seconds if self.seconds > 0 else 0.0

    def exit_code(self, *, strict: bool = False) -> Exit:
        """Returns 0, or 1 where an accepted document is not created, an id belongs to another
        number, no row at all could be accepted, or, if strict, a row was invalid."""
        if self.count("created") < self.count("accepted") or self.count("conflict"):
            return Exit.NOT_ALL
        sound = sum(map(self.count, ("accepted", "duplicate", "suppressed")))
        if self.count("read") and not sound:
            return Exit.NOT_ALL
        return Exit.NOT_ALL if strict and self.count("invalid") else Exit.DONE

    def to_json(self) -> Json:
        """Returns the report as scripts read it."""
        return {
            "documents": {name: self.count(name) for name in COUNTS},
            "submissions": submissions_in_order(self.submissions),
            "outcomes": {name: self.outcomes.get(name, 0) for name in CALL_OUTCOMES},
            "runs": self.runs,
            "seconds": round(self.seconds, 3),
            "documents_per_second": round(self.documents_per_second, 1),
        }

    def lines(self) -> list[str]:
        """Returns the report as people read it."""
        return [
            *self._row_lines(),
            *self._document_lines(),
            *self._reason_lines(),
            *gate_lines(self.gates, self.where),
            *self._elsewhere_lines(),
            *self._next_lines(),
        ]

    def _row_lines(self) -> list[str]:
        kinds = {
            name: self.count(name)
            for name in ("accepted", "duplicate", "invalid", "conflict", "suppressed")
        }
        rows = format_count(self.count("read"), "row")
        lines = [f"{rows}: {format_counts(kinds, always=['accepted'])}"]
        lines += self.conflict_lines()
        lines += self._earlier_lines()
        most = sorted(self.invalid_reasons.items(), key=lambda item: -item[1])
        lines += [f"  {n:,} invalid: {plain(reason)}" for reason, n in most[:MOST_REASONS]]
        return [*lines, *self.row_notes]

    def conflict_lines(self) -> list[str]:
        """Returns what to do about rows whose ids belong to other people."""
        if not self.count("conflict"):
            return []
        rows = format_count(self.count("conflict"), "row")
        said = f"  {rows} not called: the ledger knows the id with another number (conflict);"
        return [f"{said} {CONFLICT_REMEDY}"]

    def _earlier_lines(self) -> list[str]:
        """What earlier runs did with these contacts."""
        lines = []
        if earlier := self.count("earlier"):
            new = self.count("accepted") - earlier
            lines.append(f"  {earlier:,} waited from an earlier run, taken up now; {new:,} new")
        if self.handed_over:
            since = self.handed_over_since
            first = f" (the first {local(since)})" if since else ""
            lines.append(
                f"  {self.handed_over:,} handed over before{first}, so not called again;"
                " another --campaign calls them again"
            )
        if cancelled := self.cancelled_before:
            lines.append(
                f"  {cancelled:,} cancelled by an operator before, which is final for this"
                " campaign; --again calls them"
            )
        if others := self.count("duplicate") - self.handed_over - self.cancelled_before:
            lines.append(f"  {others:,} duplicate in the files: each contact is called once")
        return lines

    def _document_lines(self) -> list[str]:
        if not self.count("accepted"):
            return ["Nothing new to send."]
        states = {name: self.count(name) for name in ("created", *STATES)}
        answers = format_counts(submissions_in_order(self.submissions))
        rate = f"{self.documents_per_second:,.0f} a second"
        documents = format_count(self.count("accepted"), "document")
        stand = f"{documents}: {format_counts(states, always=['created'])}"
        return [
            f"{stand} in {span(self.seconds)} ({rate})",
            f"create-calls: {answers or 'none'}; {format_count(self.runs, 'run')}",
            *outcome_lines(self.outcomes),
        ]

    def _reason_lines(self) -> list[str]:
        """Why documents are not created, the most frequent reasons first."""
        most = sorted(self.not_created, key=lambda each: -each.documents)
        lines = [
            f"  {each.documents:,} {each.state.replace('_', ' ')}: {plain(each.reason)}"
            for each in most[:MOST_REASONS]
        ]
        more = sum(each.documents for each in most[MOST_REASONS:])
        return lines + ([f"  {more:,} for other reasons"] if more else [])

    def _elsewhere_lines(self) -> list[str]:
        if not self.waiting_elsewhere:
            return []
        waiting = format_count(self.waiting_elsewhere, "document waits", "documents wait")
        return [
            f"{waiting} with another pilot, context or schedule, from an earlier run:",
            "  to send them with the new one, cancel them (callspool cancel) and run this",
            "  with --again",
        ]

    def paused_lines(self) -> list[str]:
        """Returns a line where an operator holds documents back, with the way to let them go."""
        if not self.paused or not self.count("waiting"):
            return []
        where = f" {self.where}" if self.where else ""
        commands = " and ".join(
            f"callspool resume {gate.selector.flags}{where}" for gate in self.paused
        )
        return [
            (
                f"{format_count(self.count('waiting'), 'document is', 'documents are')} paused by"
                f" an operator and not sent until they are resumed: {commands}"
            )
        ]

    def _next_lines(self) -> list[str]:
        where = f" {self.where}" if self.where else ""
        lines = [
            f"Next: callspool status{where}",
            f"  one contact's story: callspool show DOCUMENT_ID{where}",
            f"  the list with answers: callspool results FILE -o OUT.csv{where}",
        ]
        if self.outcomes.get("open"):
            lines.append(f"  what becomes of the calls: callspool follow --until-done{where}")
        if self.count("in_doubt"):
            lines.append(f"  what is in doubt, and what to do: callspool doubts list{where}")
        if self.count("dead"):
            lines.append(f"  what cannot be sent, and why: callspool dead list{where}")
        unfinished = self.count("waiting") + self.count("sending")
        lines += self.paused_lines()
        if unfinished and self.again:
            then = ", after that" if self.paused else ""
            lines.append(
                f"To go on with {format_count(unfinished, 'document')}{then}: {self.again}"
            )
        return lines


def submissions_in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Returns every outcome of create-calls, in the order in which it is always listed."""
    return {name: counts.get(name, 0) for name in OUTCOMES}
