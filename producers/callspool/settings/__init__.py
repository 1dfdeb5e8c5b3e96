"""Settings: flags, then ``CALLSPOOL_…`` in the environment, then callspool.toml."""

from callspool.settings.kinds import Secret
from callspool.settings.load import load_settings
from callspool.settings.model import Account, Settings
from callspool.settings.table import SETTINGS, Setting, reference
from callspool.settings.urls import redis_url_without_password

__all__ = [
    "SETTINGS",
    "Account",
    "Secret",
    "Setting",
    "Settings",
    "load_settings",
    "redis_url_without_password",
    "reference",
]
