"""What a worker needs of its accounts before it can start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspool_worker.api.accounts import Access
from callspool_worker.api.tls import create_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callspool_worker.api.accounts import Credentials


def check_start(accounts: Mapping[str, Credentials]) -> None:
    """Tries what each worker process will do with these accounts; no request is made.

    Raises SettingsError, in one line, where a URL, a token, an org handle or the certificates
    cannot be used.
    """
    accesses = [Access(name, account) for name, account in accounts.items()]
    create_context([access.origin for access in accesses])
