"""`enqueue_later`: a call request becomes rows of the outbox, in the transaction at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from django.apps import apps
from django.db import DataError, ProgrammingError, connections, router, transaction

from callspool.contrib.outbox import TABLE
from callspool.errors import InvalidCallRequest, SettingsError
from callspool.request.call_request import Document
from callspool.request.checks import prepare
from callspool.request.message import encode
from callspool.request.raw_document import has_field
from callspool.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callspool.request.call_request import CallRequest, Rules

INSERT: Final = f"INSERT INTO {TABLE} (request) VALUES (%s)"  # noqa: S608 - no word of a caller


def enqueue_later(request: CallRequest, *, using: str | None = None) -> None:
    """Writes a call request into the outbox: it is enqueued if the transaction commits.

    Every document needs a ``document_id``. ``using``: the database, else the one that the routers
    name. The request is checked by the settings (``CALLSPOOL_REGION`` and the like) first. Raises
    `InvalidCallRequest`, or `SettingsError` for a database that has no outbox; the transaction goes
    on then, and holds nothing of the request.
    """
    database = using or _find_database()
    prepared = prepare(request, _rules())
    _check_ids(request.documents)
    # A message holds a call request in brackets; a large one comes as several.
    rows = [(message.requests[1:-1].decode(),) for message in encode(prepared)]
    _check_database(database)
    try:
        with transaction.atomic(database), connections[database].cursor() as cursor:
            cursor.executemany(INSERT, rows)
    except DataError:
        raise InvalidCallRequest(
            "request", "holds what jsonb cannot keep, such as \\u0000 or a number without end"
        ) from None
    except ProgrammingError:
        raise SettingsError(
            f"the table {TABLE} is missing, or may not be written: run manage.py migrate"
        ) from None


def _find_database() -> str:
    try:
        return str(router.db_for_write(apps.get_model("callspool", "OutboxRequest")))
    except LookupError:
        raise SettingsError(
            "add callspool.contrib.django to INSTALLED_APPS, and run manage.py migrate"
        ) from None


def _check_database(database: str) -> None:
    vendor = connections[database].vendor
    if vendor != "postgresql":
        raise SettingsError(
            f"an outbox needs PostgreSQL, and the database {database!r} is {vendor}: enqueue with"
            " CallQueue once the transaction has committed (transaction.on_commit)"
        )


def _check_ids(documents: Sequence[object]) -> None:
    for place, document in enumerate(documents):
        if isinstance(document, Document):
            is_named = document.document_id is not None
        elif isinstance(document, Mapping):
            is_named = document.get("document_id") is not None
        else:
            is_named = isinstance(document, bytes) and has_field(document, "document_id")
        if not is_named:
            raise InvalidCallRequest(
                "document_id", "is missing: in an outbox every document needs one", document=place
            )


@cache
def _rules() -> Rules:
    """The rules of this process: its environment does not change."""
    return load_settings(os.environ).rules
