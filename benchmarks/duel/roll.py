"""Whom to call: fictional people, one of whom the API refuses, some of whom are enqueued twice."""

from __future__ import annotations

import random
from dataclasses import dataclass

CHUNK = 100
"""Contacts in a batch, for everybody who makes batches."""

SPACE = "8KZDUELSPACE"
PILOT = "space-agent-duel"
CONTEXT = "Follow up on the proposal"

MOST = 80_000
"""There are no more fictional numbers than that."""

Document = dict[str, str]


@dataclass(frozen=True, slots=True)
class Roll:
    """``repeated`` is enqueued once more by a producer that saw no reply the first time."""

    documents: list[Document]
    repeated: list[Document]
    refused: frozenset[str]

    @property
    def repeated_ids(self) -> frozenset[str]:
        return frozenset(document["document_id"] for document in self.repeated)


def call_the_roll(contacts: int, seed: int) -> Roll:
    """Returns a list of ``contacts`` people; a twentieth of it, in one piece, is enqueued twice."""
    documents = [make_person(number) for number in range(contacts)]
    chance = random.Random(seed)
    refused = documents[chance.randrange(contacts)]
    refused["sandbox"] = "reject"
    repeats = contacts // 20
    first = chance.randrange(contacts - repeats + 1) // CHUNK * CHUNK
    return Roll(documents, documents[first : first + repeats], frozenset({refused["document_id"]}))


def chunks(documents: list[Document], size: int) -> list[list[Document]]:
    return [documents[start : start + size] for start in range(0, len(documents), size)]


def make_person(number: int) -> Document:
    area, line = 200 + number // 100, number % 100
    return {
        "document_id": f"duel-{number}",
        "name": f"Person {number}",
        "contact_number": f"+1{area}55501{line:02}",
    }
