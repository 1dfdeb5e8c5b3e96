"""How the API stands for an account, and the ledger: workers, what is stuck, what slows it down."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from callspool.request.text import shorten_token
from callspool_ledger.errors import FREE_THE_DISK, describe_mismatch
from callspool_ledger.reads.lanes import ADVICE, OneDocumentLanes
from callspool_operators.doctor.server import DoctorFinding, ok, problem, warning
from callspool_operators.terminal.report import describe_selector, why
from callspool_operators.terminal.wording import format_count, how_to_start_workers
from callspool_worker.decisions.answers import Answered, NoAnswer, NotSent, code_of
from callspool_worker.decisions.wording import words_of
from callspool_worker.following.batch_look import read_other_kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from callspool_ledger.reads.snapshot import AccountLimit
    from callspool_ledger.reads.views import GateView, LedgerSummary
    from callspool_worker.decisions.answers import Answer


SKEW = 60.0
"""Seconds between the clocks of the API and of this machine that are worth a word."""

_KINDS = {
    "dns": "check the host's name in its API URL, and this machine's DNS",
    "tls": "check the API URL, and that this machine trusts its certificate (SSL_CERT_FILE)",
}
_NETWORK = "check the API URL, and that this machine may reach it"


def examine_api(name: str, answer: Answer, *, space: bool, now: float) -> Iterator[DoctorFinding]:
    """Yields what a read shows of a ``space``'s runs, else of agents. ``now``: unix seconds."""
    check = f"api {name}"
    match answer:
        case NotSent(reason, kind):
            remedy = _KINDS.get(kind, _NETWORK)
            yield problem(check, f"cannot be reached: {reason}", remedy, unreachable=True)
        case NoAnswer(reason):
            yield problem(check, f"does not answer: {reason}", _NETWORK, unreachable=True)
        case Answered():
            yield _judge_answer(check, answer, space)
            if answer.server_date is not None and abs(answer.server_date - now) >= SKEW:
                off = answer.server_date - now
                side = "ahead of" if off > 0 else "behind"
                said = f"its clock is {abs(off):.0f} s {side} this machine's"
                yield warning(check, said, "let this machine keep time (NTP)")


def examine_agents(name: str, answer: Answer, pilot: str) -> Iterator[DoctorFinding]:
    """Whether calls will ring: what the list of published agents says of one of them.

    The API answers a create-call with 200 also for an agent that is unknown or a draft, and for an
    unknown org handle; only this list tells (R). Nothing where it cannot be read.
    """
    check = f"agents {name}"
    if not isinstance(answer, Answered):
        return
    code = code_of(answer)
    body = answer.json if isinstance(answer.json, dict) else {}
    rows, count = body.get("data"), body.get("count")
    if code in {400, 404} and body:
        said = f"the org handle is not known ({code}: {words_of(answer)}): nothing would ring"
        yield problem(check, said, "set CALLSPOOL_ORG_HANDLE to the organisation's handle")
    elif code == 200 and pilot and isinstance(rows, list):
        handles = [row.get("handle") for row in rows if isinstance(row, dict)]
        if pilot in handles:
            yield ok(check, f"{pilot} is published")
        elif not isinstance(count, int) or len(rows) >= count:
            said = f"{pilot} is not among the {len(rows)} published agents: nothing would ring"
            yield warning(check, said, "publish it, or name another one (--pilot)")


def examine_tasks(name: str, answer: Answer, space: str = "") -> Iterator[DoctorFinding]:
    """Whether the tasks of a space are calls, as the first one that is read says.

    A space that is made for something else answers a create-call with 200, and nothing rings (R).
    """
    body = answer.json if isinstance(answer, Answered) and code_of(answer) == 200 else None
    rows = body.get("data") if isinstance(body, dict) else None
    kind = next(filter(None, map(read_other_kind, rows)), "") if isinstance(rows, list) else ""
    if kind:
        which = f"space {shorten_token(space)}" if space else "the space"
        said = f"the tasks of {which} are no calls (execution_type {kind}): nothing rings"
        yield problem(f"space {name}", said, "name a space that is made for calls (--space-token)")


def _judge_answer(check: str, answer: Answered, space: bool) -> DoctorFinding:
    code = code_of(answer)
    if answer.location:
        said = f"has moved to {answer.location} (HTTP {answer.status})"
        return problem(check, said, "set CALLSPOOL_API_URL, or its api_url, to the new address")
    said = f"{code}: {words_of(answer)}"
    if code == 200:
        what = "a space can be read back" if space else "no space is known yet to be read back"
        return ok(check, f"answers, the token is accepted, {what}")
    if code == 401:
        remedy = "set a token that is valid, or let its file hold one"
        return problem(check, f"the token is refused ({said})", remedy)
    if 500 <= code < 600:
        remedy = "wait, or ask the API's operator"
        return problem(check, f"is down ({said})", remedy, unreachable=True)
    if code == 429:
        return warning(check, f"asks to slow down ({said})", "wait: workers do so by themselves")
    return _judge_refusal(check, said, code, space)


def _judge_refusal(check: str, said: str, code: int, space: bool) -> DoctorFinding:
    """A read that was refused, though the token was not."""
    if space:
        return warning(
            check,
            f"a space cannot be read back ({said}): documents in doubt cannot be proven",
            "let this account read runs and tasks, or decide with callspool doubts",
        )
    if code == 404:
        return warning(check, f"answers, and does not know this read ({said})", "check its API URL")
    remedy = "check its org handle, and what its token may do"
    return problem(check, f"refuses to be read ({said})", remedy)


GATES_SHOWN = 10
ACCOUNTS_SHOWN = 10

LONG_REST = 60.0
"""Seconds of rest from which on it is worth telling."""


class LedgerStanding(NamedTuple):
    """What was read of the ledger.

    ``rules``: its format, identity rules and partitions, None if there is no ledger yet.
    ``dead``: documents that wait for somebody to decide, those that were given up or accepted
    anew left out. ``where``: the flags that lead other commands to it.
    """

    rules: list[int] | None
    summary: LedgerSummary
    one_document_lanes: OneDocumentLanes
    dead: int
    where: str = ""
    limits: Sequence[AccountLimit] = ()
    lists: Mapping[str, int] = {}
    """Lists of numbers that must not be called, and how many each holds."""


def examine_ledger(
    found: LedgerStanding, ours: Sequence[int], accounts: Collection[str]
) -> Iterator[DoctorFinding]:
    """Yields a finding a part. ``ours``: this release's rules; ``accounts``: those set up here."""
    yield _rules(found.rules, ours)
    yield _workers(found)
    if found.lists:
        numbers = format_count(sum(found.lists.values()), "number")
        said = f"{numbers} on {format_count(len(found.lists), 'list')} must not be called"
        yield ok("suppression", f"{said}; a restored Redis forgets those since (suppress export)")
    yield from _accounts(sorted(found.summary.waiting_accounts - {*accounts}))
    yield from _rests(found)
    yield from _stuck(found)
    if found.one_document_lanes.is_usual:
        lanes = found.one_document_lanes
        some = f"{lanes.alone} of {lanes.seen} lanes hold one document each"
        yield warning("lanes", f"{some} ({lanes.lanes:,} lanes in all)", ADVICE)
    else:
        yield ok("lanes", f"{format_count(found.one_document_lanes.lanes, 'lane')}")


def _accounts(strange: Sequence[str]) -> Iterator[DoctorFinding]:
    """Accounts that are not set up here: any producer may name as many as it likes."""
    for name in strange[:ACCOUNTS_SHOWN]:
        remedy = "set it up where workers run, or callspool cancel --account " + name
        yield warning("accounts", f"documents wait for {name}, not set up here", remedy)
    if len(strange) > ACCOUNTS_SHOWN:
        said = f"documents wait for {len(strange) - ACCOUNTS_SHOWN:,} more such accounts"
        yield warning("accounts", said, "see which producer names them: callspool lanes")


def _rests(found: LedgerStanding) -> Iterator[DoctorFinding]:
    resting = [each for each in found.limits if each.rests_seconds >= LONG_REST]
    for each in resting[:ACCOUNTS_SHOWN]:
        said = f"the API asked {each.account} to rest for {each.rests_seconds:.0f} s more"
        yield warning("rests", said, f"callspool resume --account {each.account} ends it")
    if len(resting) > ACCOUNTS_SHOWN:
        said = f"{len(resting) - ACCOUNTS_SHOWN:,} more accounts rest"
        yield warning("rests", said, "callspool resume --all ends it")


def _rules(theirs: list[int] | None, ours: Sequence[int]) -> DoctorFinding:
    if theirs is None:
        return ok("ledger", "there is none yet: a worker begins it")
    if theirs[:-1] == list(ours[:-1]) and theirs != list(ours):
        said, remedy = describe_mismatch(theirs[-1], ours[-1]).split(": ", 1)
        return problem("ledger", said, remedy)
    if theirs != list(ours):
        return problem(
            "ledger",
            f"its format, identity rules and partitions are {theirs}, this release's {list(ours)}",
            "run the release that wrote it, or use another Redis database",
        )
    return ok("ledger", f"format {theirs[0]}, read and written by this release")


def _workers(found: LedgerStanding) -> DoctorFinding:
    alive = len(found.summary.workers)
    if alive:
        return ok("workers", f"{format_count(alive, 'worker process', 'worker processes')}")
    if found.summary.writes_refused:
        said = "unknown, since Redis refuses every write, and so their heartbeats"
        return warning("workers", said, FREE_THE_DISK)
    remedy = how_to_start_workers(found.where)
    waiting = found.summary.documents.get("waiting", 0) + found.summary.spooled
    if waiting:
        return problem(
            "workers", f"none runs, and {format_count(waiting, 'document')} wait", remedy
        )
    return warning("workers", "none runs", remedy)


def _stuck(found: LedgerStanding) -> Iterator[DoctorFinding]:
    where = f" {found.where}" if found.where else ""
    summary = found.summary
    for gate in summary.gates[:GATES_SHOWN]:
        yield _gate(gate, where)
    if len(summary.gates) > GATES_SHOWN:
        said = f"{len(summary.gates) - GATES_SHOWN} more are parked or paused"
        yield warning("gates", said, f"callspool lanes{where}")
    if found.dead:
        remedy = f"callspool dead list{where}"
        yield warning("dead", f"{format_count(found.dead, 'document')} cannot be sent", remedy)
    if doubt := summary.documents.get("in_doubt", 0):
        remedy = f"callspool doubts list{where} tells which need a decision"
        yield warning("in doubt", f"{format_count(doubt, 'document')} in doubt", remedy)
    if summary.unreadable:
        remedy = f"callspool invalid{where} tells why"
        yield warning("messages", f"{summary.unreadable} could be read by no worker", remedy)


def _gate(gate: GateView, where: str) -> DoctorFinding:
    flags = gate.selector.flags
    remedy = f"callspool resume {flags}{where}, once the reason is gone"
    judge = warning if gate.kind == "paused" else problem  # a pause is an operator's own wish
    return judge(gate.kind, f"{describe_selector(gate.selector)}: {why(gate)}", remedy)
