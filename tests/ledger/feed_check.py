"""What the feed has to hold, told by how the documents of a ledger in plain Python change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from callspool_ledger.reads.feed import decode_cursor, join_page, read_feed
from callspool_ledger.reads.reader import LedgerReader
from tests.ledger.model import Document

SETTLED = {"x": "dead", "X": "dead", "k": "cancelled", "K": "cancelled", "e": "expired"}


class FeedCheck:
    """Reads the feed on and on, and compares it with what documents went through."""

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self._cursor = ""
        self._before: dict[Document, tuple[str, str, bool]] = {}
        self._expected: Counter[tuple[str, ...]] = Counter()
        self._found: Counter[tuple[str, ...]] = Counter()
        self._ids: set[str] = set()

    def check(self, documents: Iterable[Document]) -> None:
        """Each change of a document has exactly one event, and there are no others."""
        for document in documents:
            lane, name = document.lane, re.search(rb'"document_id":"([^"]*)', document.raw)
            assert name is not None
            for what in self._changes(document):
                key = (lane.account, lane.campaign, name[1].decode())
                self._expected[*key, what] += 1
        page = join_page(self._reader.ask(read_feed(decode_cursor(self._cursor, 1), 7)), 7)
        while page.events:
            for event in page.events:
                assert event.id not in self._ids
                assert (event.type == "created") <= (event.task_id is not None)
                self._ids.add(event.id)
                campaign = event.campaign or ""
                self._found[event.account, campaign, event.document_id, event.type] += 1
            self._cursor = page.cursor
            page = join_page(self._reader.ask(read_feed(decode_cursor(self._cursor, 1), 7)), 7)
        wrong = {k: (self._found[k], self._expected[k]) for k in self._found | self._expected}
        assert self._found == self._expected, {k: v for k, v in wrong.items() if v[0] != v[1]}

    def _changes(self, document: Document) -> Iterator[str]:
        letter, outcome, was_created = self._before.get(document, ("", "", False))
        is_created = bool(document.proofs) or document.letter == "c"
        self._before[document] = document.letter, document.outcome, is_created
        if is_created != was_created:
            yield "created" if is_created else "held"
        if SETTLED.get(document.letter) != SETTLED.get(letter) and document.letter in SETTLED:
            yield SETTLED[document.letter]
        if document.outcome != outcome and document.outcome not in {"", "open"}:
            if document.outcome == "lost_sight":
                yield "lost_sight"
            else:
                yield "ended" if outcome in {"", "open", "lost_sight"} else "evaluated"
