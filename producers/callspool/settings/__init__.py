"""Settings: flags, then ``CALLSPOOL_…`` in the environment, then callspool.toml."""

from callspool.settings.account import Account
from callspool.settings.load import load_settings
from callspool.settings.model import Settings
from callspool.settings.secret import Secret
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
