"""The outbox as an app of Django."""

from django.apps import AppConfig, apps
from django.core import checks
from django.db import connections, router

LABEL = "callspool"


class OutboxConfig(AppConfig):  # type: ignore[misc]
    """The app ``callspool``; it warns where its database is not PostgreSQL."""

    name = "callspool.contrib.django"
    label = LABEL
    verbose_name = "callspool outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the check."""
        checks.register(check_database)


def check_database(**_: object) -> list[checks.CheckMessage]:
    """Warns where the outbox's database is not PostgreSQL."""
    database = router.db_for_write(apps.get_model(LABEL, "OutboxRequest"))
    vendor = connections[database].vendor
    if vendor == "postgresql":
        return []
    return [
        checks.Warning(
            f"The outbox needs PostgreSQL, and the database {database!r} is {vendor}.",
            hint="No table is made there, and enqueue_later raises SettingsError.",
            id="callspool.W001",
        )
    ]
