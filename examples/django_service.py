"""A service with Django that has its new customers called; docs/producers.md tells of it.

A call is enqueued once its transaction has committed. Whatever happens to the queue then, the row
is there and the request succeeds; `enqueue_late` closes the gap.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import transaction

from callspool import CallQueue, CallRequest, CallspoolError, Document, InvalidCallRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callspool.enqueue.receipts import InvalidRequestInMany

logger = logging.getLogger(__name__)
queue = CallQueue.from_env()


def register(customer: Any) -> None:
    """Saves a customer, and has them called once that is certain."""
    with transaction.atomic():
        customer.save()
        # Not a partial: where it raises, Django asks for its name.
        transaction.on_commit(lambda: call(customer), robust=True)


def call(customer: Any) -> None:
    """Enqueues the call. The row is committed: no error may reach the client any more."""
    try:
        queue.enqueue(request_for(customer))
    except InvalidCallRequest as fault:
        logger.warning("customer %s cannot be called: %s", customer.pk, fault.reason)
        mark(customer, "refused")
    except CallspoolError as fault:
        logger.warning("customer %s is not enqueued yet: %s", customer.pk, fault)
    else:
        mark(customer, "enqueued")


def enqueue_late(model: Any) -> int:
    """Enqueues what was committed and not enqueued; a job runs it every few minutes.

    A bad row is marked and passed by. What is in the queue already is a duplicate, and calls nobody
    twice. Returns how many were marked as enqueued.
    """
    given: list[Any] = []
    refused: set[int] = set()

    def requests() -> Iterator[CallRequest]:
        for customer in model.objects.filter(call_state="").order_by("pk").iterator():
            given.append(customer)
            yield request_for(customer)

    def refuse(fault: InvalidRequestInMany) -> None:
        refused.add(fault.request)
        mark(given[fault.request], "refused")

    queue.enqueue_many(requests(), on_invalid=refuse)
    enqueued = [each.pk for place, each in enumerate(given) if place not in refused]
    model.objects.filter(pk__in=enqueued).update(call_state="enqueued")
    return len(enqueued)


def request_for(customer: Any) -> CallRequest:
    """Makes the call request; the id makes it safe to enqueue it again."""
    contact = Document(customer.name, customer.phone, document_id=f"customer-{customer.pk}")
    return CallRequest("8KZ-WELCOME", "space-agent-welcome", [contact], context="Welcome")


def mark(customer: Any, state: str) -> None:
    """Writes down what became of the row's call."""
    type(customer).objects.filter(pk=customer.pk).update(call_state=state)
