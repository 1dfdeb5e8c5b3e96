"""How the settings stand, and where they come from."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from callspool_operators.doctor.finding import DoctorFinding, ok, problem, warning
from callspool_operators.lists.errors import READ_AS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from callspool.settings import Settings

PREFIX = "CALLSPOOL_"


def examine_settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[DoctorFinding]:
    """Settings that were loaded; their values are not told, since some are secrets."""
    names = sorted(name for name in environ if name.startswith(PREFIX) and environ[name])
    found = [f"{settings.config}"] if settings.config else []
    found += [f"the environment ({', '.join(names)})"] if names else []
    yield ok("settings", f"from {' and '.join(found)}" if found else "all as they are by default")
    if not settings.accounts:
        remedy = "set CALLSPOOL_API_TOKEN and CALLSPOOL_ORG_HANDLE, or add accounts to the file"
        yield problem("settings", "no account is set up: workers here could not send", remedy)
    for name, account in sorted(settings.accounts.items()):
        file = account.api_token_file
        if file is not None and file.exists() and file.stat().st_mode & stat.S_IROTH:
            said = f"account {name}: every user of this machine may read its token file"
            yield warning("settings", said, f"chmod o-r {file}")
        if urlsplit(account.api_url).scheme == "http" and not _is_here(account.api_url):
            said = f"account {name}: its token goes over the network unencrypted"
            yield warning("settings", said, "use https:// in its API URL")
    yield _countries(settings)
    if settings.on_doubt == "resend":
        yield warning(
            "settings",
            "CALLSPOOL_ON_DOUBT is resend: a person may be called twice where the API cannot be"
            " read back",
            "set it to hold, and decide with callspool doubts",
        )


def _countries(settings: Settings) -> DoctorFinding:
    """What becomes of numbers without a country code, and of those whose country is known."""
    if not settings.send_e164:
        said = "CALLSPOOL_SEND_E164 is off: numbers go out as they were written"
        return warning(
            "settings", f"{said}, and those without + are read {READ_AS}", "leave it out"
        )
    if settings.region is None:
        return ok(
            "settings", f"no CALLSPOOL_REGION: a number without a country code is read {READ_AS}"
        )
    return ok("settings", f"numbers without a country code are read as those of {settings.region}")


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")
