"""How the API stands for an account, by a read that costs nothing: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_operators.doctor.finding import DoctorFinding, ok, problem, warning
from callspool_worker.decisions.answers import Answered, NoAnswer, NotSent, code_of
from callspool_worker.decisions.wording import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool_worker.decisions.answers import Answer

SKEW = 60.0
"""Seconds between the clocks of the API and of this machine that are worth a word."""

_KINDS = {
    "dns": "check the host's name in its API URL, and this machine's DNS",
    "tls": "check the API URL, and that this machine trusts its certificate (SSL_CERT_FILE)",
}
_NETWORK = "check the API URL, and that this machine may reach it"


def examine_api(name: str, answer: Answer, *, space: bool, now: float) -> Iterator[DoctorFinding]:
    """What a read said: of a known ``space``'s runs, else of the agents. ``now``: unix seconds."""
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
