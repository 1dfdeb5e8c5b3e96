"""What TLS is verified against."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from callspool.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from callspool_worker.api.connection import Origin


def create_context(
    origins: Iterable[Origin], environ: Mapping[str, str] = os.environ
) -> ssl.SSLContext:
    """The TLS context for these origins: certifi's roots, or those that the environment names.

    Raises SettingsError where ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` names what cannot be used. An
    API over plain HTTP needs no certificates, and none are loaded for it.
    """
    if all(origin.scheme != "https" for origin in origins):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    folder = environ.get("SSL_CERT_DIR", "")
    if folder and not any(Path(part).is_dir() for part in folder.split(os.pathsep)):
        raise SettingsError(_sentence("SSL_CERT_DIR", folder, "it is no folder"))
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as wrong:
        file = environ.get("SSL_CERT_FILE", "")
        if not file:
            raise SettingsError(
                f"the root certificates cannot be loaded ({_say_reason(wrong)}): install certifi"
                " again"
            ) from wrong
        raise SettingsError(_sentence("SSL_CERT_FILE", file, _say_reason(wrong))) from wrong


def _sentence(name: str, value: str, fault: str) -> str:
    return (
        f"{name} is set to {value!r}, which cannot be used ({fault}):"
        " set it to certificates that exist, or unset it"
    )


def _say_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds no certificate"
    return (error.strerror or type(error).__name__).lower()
