"""The outbox's rows as a model, to look at them and to mend those that were refused."""

from django.db import models
from django.db.models.functions import Now

from callspool.contrib.outbox import TABLE


class OutboxRequest(models.Model):  # type: ignore[misc]
    """A call request that waits for `callspool relay`; ``refused`` says why it cannot go on.

    Rows are written by `enqueue_later`, which checks them. Once a row was mended, None in
    ``refused`` lets the relay look at it again.
    """

    request = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    refused = models.TextField(null=True, blank=True)

    class Meta:
        db_table = TABLE
        indexes = (
            models.Index(
                fields=["id"],
                condition=models.Q(refused__isnull=True),
                name="callspool_outbox_waiting",
            ),
        )

    def __str__(self) -> str:
        return f"outbox row {self.pk}"
