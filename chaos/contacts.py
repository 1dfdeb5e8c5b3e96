"""Whom a run calls: contacts in several spaces, campaigns and lanes, all from the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from callspool import CallRequest
from callspool.request.identity import Scope

if TYPE_CHECKING:
    from chaos.schedule import Plan

SPACES = ("8KZCHAOS0001", "8KZCHAOS0002", "8KZCHAOS0003")
CAMPAIGNS = ("", "spring")
PILOTS = ("space-agent-a", "space-agent-b")
CONTEXTS = ("Follow up on the proposal", "Remind of the appointment")

BAD_SHARE = 0.001
"""Contacts that the API refuses, each of which must end as dead and alone."""

AGAIN_SHARE = 0.05
"""Portions that are enqueued once more, later, as a service does that lost its receipt."""

BOTH_SHARE = 0.05
"""Portions whose contacts are called in the other campaign, too, under the same ids."""

_SIZES = (1, 1, 3, 10, 40, 120, 300)
_SENT_WITHIN = 0.9


class Key(NamedTuple):
    """One call that is asked for: a `document_id` within its scope."""

    scope: Scope
    document_id: str


@dataclass(frozen=True, slots=True)
class Portion:
    """The contacts ``first`` … of one call request, to be enqueued at ``at`` seconds."""

    at: float
    scope: Scope
    pilot: str
    context: str
    first: int
    count: int
    bad: frozenset[int]

    def members(self) -> list[Key]:
        """What is asked for, in the request's order."""
        return [Key(self.scope, document_id(number)) for number in self._numbers()]

    def bad_keys(self) -> set[Key]:
        """Those that the API refuses."""
        return {Key(self.scope, document_id(number)) for number in self.bad}

    def request(self) -> CallRequest:
        """The call request; fictional people and numbers."""
        documents: list[dict[str, object]] = []
        for number in self._numbers():
            contact: dict[str, object] = {
                "name": f"Person {number}",
                "contact_number": f"+141555501{number % 100:02}",
                "document_id": document_id(number),
            }
            if number in self.bad:
                contact["sandbox"] = "reject"
            documents.append(contact)
        account, space_token, campaign = self.scope
        return CallRequest(
            space_token=space_token,
            pilot=self.pilot,
            context=self.context,
            documents=documents,
            campaign=campaign or None,
            account=account,
        )

    def _numbers(self) -> range:
        return range(self.first, self.first + self.count)


def document_id(number: int) -> str:
    """The id of a contact."""
    return f"crm-{number}"


def portions(plan: Plan) -> list[Portion]:
    """What is enqueued and when, ordered by time; ``plan.documents`` in all, doubles apart."""
    chance = random.Random(f"{plan.seed} contacts")  # noqa: S311 - to be repeated, not secret
    found: list[Portion] = []
    number = left = plan.documents
    while left > 0:
        count = min(chance.choice(_SIZES), left)
        number, left = number - count, left - count
        portion = _portion(plan, chance, number, count, chance.choice(CAMPAIGNS))
        found.append(portion)
        if chance.random() < BOTH_SHARE and left >= count:
            left -= count
            number -= count  # those numbers stay unused
            other = CAMPAIGNS[1 - CAMPAIGNS.index(portion.scope.campaign)]
            at = chance.uniform(0, plan.seconds * _SENT_WITHIN)
            found.append(replace(portion, at=at, scope=portion.scope._replace(campaign=other)))
        if chance.random() < AGAIN_SHARE:
            late = chance.uniform(portion.at, plan.seconds * _SENT_WITHIN)
            found.append(replace(portion, at=late))
    return sorted(found, key=lambda each: each.at)


def _portion(plan: Plan, chance: random.Random, first: int, count: int, campaign: str) -> Portion:
    return Portion(
        at=chance.uniform(0, plan.seconds * _SENT_WITHIN),
        scope=Scope("default", chance.choice(SPACES), campaign),
        pilot=chance.choice(PILOTS),
        context=chance.choice(CONTEXTS),
        first=first,
        count=count,
        bad=frozenset(n for n in range(first, first + count) if chance.random() < BAD_SHARE),
    )
