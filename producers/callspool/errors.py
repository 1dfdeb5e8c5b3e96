"""The errors of callspool; each text says what to do next.

Every error that callspool raises on purpose is a `CallspoolError`, and its text is one line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LIKE_A_NUMBER = re.compile(r"\+?[\d\s().-]{7,}")
_NUMBER_WITHIN = re.compile(r"\+[\d\s().-]{4,}(\d{3})")


class CallspoolError(Exception):
    """The base class of every error that callspool raises on purpose."""


class InvalidCallRequest(CallspoolError, ValueError):  # noqa: N818 - a promised name
    """A call request that could not be sent as it is.

    Attributes: ``document`` (place in the request, from 0, or None for the request itself),
    ``document_id`` (where the document has one), ``field``, ``reason``, and ``faults``: this one
    and all others of the same request, at most 100.
    """

    def __init__(
        self,
        field: str,
        reason: str,
        *,
        document: int | None = None,
        document_id: str | None = None,
        others: Sequence[InvalidCallRequest] = (),
    ) -> None:
        self.field = field
        self.reason = reason
        self.document = document
        self.document_id = document_id
        self._others = tuple(others)
        super().__init__(self._sentence())

    @property
    def faults(self) -> tuple[InvalidCallRequest, ...]:
        """Every fault of the request, this one first."""
        return (self, *self._others)

    def among(self, faults: Iterable[InvalidCallRequest]) -> InvalidCallRequest:
        """Returns the same fault with all others that its request has."""
        own = self._key()
        others = [each for each in faults if each._key() != own]
        return InvalidCallRequest(
            self.field,
            self.reason,
            document=self.document,
            document_id=self.document_id,
            others=others,
        )

    def _key(self) -> tuple[object, ...]:
        return self.document, self.field, self.reason

    def at(self, document: int | None) -> InvalidCallRequest:
        """Returns the same fault for the document at that place of its request."""
        return InvalidCallRequest(
            self.field, self.reason, document=document, document_id=self.document_id
        )

    def _sentence(self) -> str:
        more = f" (and {len(self._others)} more: see faults)" if self._others else ""
        if self.document is None:
            return f"call request: {shown_name(self.field)}: {self.reason}{more}"
        name = f" ({shown_name(self.document_id)})" if self.document_id else ""
        return f"document {self.document}{name}: {shown_name(self.field)}: {self.reason}{more}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (self.field, self.reason, self.document, self.document_id, self._others)


def _rebuilt(
    field: str,
    reason: str,
    document: int | None,
    document_id: str | None,
    others: Sequence[InvalidCallRequest],
) -> InvalidCallRequest:
    return InvalidCallRequest(
        field, reason, document=document, document_id=document_id, others=others
    )


def shown_name(name: str) -> str:
    """Shortens an id or a field's name for an error's text: one line, never a whole number."""
    if _LIKE_A_NUMBER.fullmatch(name):
        return f"…{name[-3:]}"
    name = _NUMBER_WITHIN.sub(r"…\1", name)
    printable = "".join(letter if letter.isprintable() else "?" for letter in name[:65])
    return printable if len(printable) < 65 else f"{printable[:64]}…"


class MessageUnreadable(CallspoolError):  # noqa: N818 - says what is the matter
    """A message of the queue that this version cannot read; it is kept whole.

    Attribute ``reason``.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class QueueUnavailable(CallspoolError):  # noqa: N818 - a promised name
    """Redis could not be reached in time; nothing is known to be stored since.

    Attribute ``enqueued``: documents of this call that Redis certainly has. Enqueueing the same
    documents again is safe: they are recognised by their ids.
    """

    def __init__(self, message: str, *, enqueued: int = 0) -> None:
        self.enqueued = enqueued
        super().__init__(message)


class QueueFull(CallspoolError):  # noqa: N818 - a promised name
    """The queue is full; try again when workers have sent some of it.

    Attribute ``enqueued``: documents of this call that were taken before the queue was full.
    """

    def __init__(self, message: str, *, enqueued: int = 0) -> None:
        self.enqueued = enqueued
        super().__init__(message)


class InvalidCursor(CallspoolError, ValueError):  # noqa: N818 - says what is the matter
    """A word that is no cursor of this feed."""


class CursorTooOld(CallspoolError):  # noqa: N818 - says what is the matter
    """The feed dropped events that the reader of this cursor has not read.

    Attribute ``oldest``: the cursor before the oldest event that is kept.
    """

    def __init__(self, oldest: str) -> None:
        self.oldest = oldest
        super().__init__(
            f"the feed does not reach back to this cursor; the oldest one is {oldest}: go on there,"
            " and ask for the state of what you miss"
        )


class ApiUnreachable(CallspoolError):  # noqa: N818 - says what is the matter
    """The API cannot be reached; the text names its address."""


class SettingsError(CallspoolError):
    """A setting that is missing, unknown or out of its range; the text names it."""


class LedgerMismatch(CallspoolError):  # noqa: N818 - says what is the matter
    """The ledger in Redis was begun under other rules, such as another number of partitions.

    Attribute ``enqueued``: documents of this call that Redis certainly has.
    """

    def __init__(self, message: str, *, enqueued: int = 0) -> None:
        self.enqueued = enqueued
        super().__init__(message)
