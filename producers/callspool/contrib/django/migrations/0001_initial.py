"""Makes the outbox's table as `callspool relay --sql` does; in PostgreSQL alone."""

from typing import Any

from django.db import migrations, models
from django.db.models.functions import Now

from callspool.contrib.outbox import DROP_SQL, TABLE, TABLE_SQL


def _make_table(_: Any, editor: Any) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(TABLE_SQL, None)


def _drop_table(_: Any, editor: Any) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(DROP_SQL, None)


class Migration(migrations.Migration):  # type: ignore[misc]
    """The table `callspool_outbox`, unless it is there already."""

    initial = True
    operations = (
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(_make_table, _drop_table)],
            state_operations=[
                migrations.CreateModel(
                    name="OutboxRequest",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("request", models.JSONField()),
                        ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                        ("refused", models.TextField(blank=True, null=True)),
                    ],
                    options={"db_table": TABLE},
                ),
                migrations.AddIndex(
                    model_name="OutboxRequest",
                    index=models.Index(
                        fields=["id"],
                        condition=models.Q(refused__isnull=True),
                        name="callspool_outbox_waiting",
                    ),
                ),
            ],
        ),
    )
