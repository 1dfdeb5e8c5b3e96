"""Enqueues call requests in a Django project's own transactions; `callspool relay` takes them on.

``INSTALLED_APPS`` names this package, ``migrate`` makes the table `callspool_outbox`.
"""

from callspool.contrib.django.enqueueing import enqueue_later

__all__ = ["enqueue_later"]
