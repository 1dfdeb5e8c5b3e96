"""What doctor finds: how the settings stand, and how Redis does by what it says of itself: pure."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from callspool_operators.lists import READ_AS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from callspool.settings import Settings
    from callspool_ledger.reads.servers import ServerFacts


Health = Literal["ok", "warning", "problem"]

WRONG, UNREACHABLE = 2, 3
"""Exit codes."""


class DoctorFinding(NamedTuple):
    """One thing that was looked at; ``unreachable``: a server that does not answer."""

    check: str
    health: Health
    said: str
    remedy: str = ""
    unreachable: bool = False


def ok(check: str, said: str) -> DoctorFinding:
    """Returns a finding about something that is as it should be."""
    return DoctorFinding(check, "ok", said)


def warning(check: str, said: str, remedy: str) -> DoctorFinding:
    """Returns a finding about something that works, but may not for long."""
    return DoctorFinding(check, "warning", said, remedy)


def problem(check: str, said: str, remedy: str, *, unreachable: bool = False) -> DoctorFinding:
    """Returns a finding about what keeps contacts from being called, or endangers the ledger."""
    return DoctorFinding(check, "problem", said, remedy, unreachable)


def worst(findings: Iterable[DoctorFinding]) -> int:
    """Returns the exit code: 0 without a problem, 3 if a server does not answer, else 2."""
    problems = [each for each in findings if each.health == "problem"]
    if any(each.unreachable for each in problems):
        return UNREACHABLE
    return WRONG if problems else 0


PREFIX = "CALLSPOOL_"
RINGING_WELL = 100
"""Documents of a batch that the platform rings within ten calls, one after the other."""


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
    if settings.batch_size > RINGING_WELL:
        yield warning(
            "settings",
            f"CALLSPOOL_BATCH_SIZE is {settings.batch_size}: at most 10 calls of one run ring at"
            f" once, so the last contact of a run waits for {settings.batch_size // 10} calls, one"
            " after the other",
            f"leave it at {RINGING_WELL}, unless the API limits create-calls (docs/settings.md)",
        )
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


OLDEST = (7, 0)
FULL = 0.8
"""Share of maxmemory beyond which producers are refused."""

SKEW = 2.0
"""Seconds between two clocks that are worth a word; beyond `MUCH` something is wrong."""

MUCH = 60.0


MOST_LAG, MOST_BEHIND = 10, 10 * 2**20
"""Seconds without a word of a replica, and bytes that it has not taken yet, from which on it is
told. A replica says once a second that it lives."""

_REPLICA = re.compile(r"slave\d+").fullmatch


def examine_server(found: ServerFacts) -> Iterator[DoctorFinding]:
    """Yields a finding for everything that Redis told."""
    if found.info:
        yield _version(found)
        yield _role(found)
        yield from _replicas(found.info)
        yield from _persistence(found)
        yield _eviction(found)
        yield _memory(found)
        yield from _clients(found)
    else:
        remedy = "allow it +info (docs/security.md)"
        yield warning("redis", "this user may not ask Redis how it stands (INFO)", remedy)
    yield _clock(found)
    yield _rights(found)


def _version(found: ServerFacts) -> DoctorFinding:
    version = str(found.info.get("redis_version", "0"))
    name = f"Valkey {found.info['valkey_version']}" if "valkey_version" in found.info else ""
    name = name or f"Redis {version}"
    parts = version.split(".")
    known = tuple(int(part) for part in parts[:2] if part.isdigit())
    if known < OLDEST:
        return problem("version", f"{name} is too old", "install Redis 7.0 or later, or Valkey")
    return ok("version", name)


def _role(found: ServerFacts) -> DoctorFinding:
    role = str(found.info.get("role", "master"))
    if role != "master":
        return problem("role", "this Redis is a replica", "set CALLSPOOL_REDIS_URL to its primary")
    replicas = int(found.info.get("connected_slaves", 0))
    words = f"primary, {replicas} replica{'' if replicas == 1 else 's'} connected"
    # INFO tells of good replicas only where min-replicas-to-write asks for some.
    if replicas and "min_slaves_good_slaves" not in found.info:
        return warning(
            "role",
            f"{words}; cut off from them, it goes on alone while one is promoted",
            "CONFIG SET min-replicas-to-write 1, or people may be called twice",
        )
    return ok("role", words)


def _replicas(info: Mapping[str, Any]) -> Iterator[DoctorFinding]:
    """Tells of replicas that would lack much of the ledger if they were promoted now."""
    listed = [each for name, each in info.items() if _REPLICA(name) and isinstance(each, dict)]
    for each in listed:
        behind = int(info.get("master_repl_offset", 0)) - int(each.get("offset", 0))
        lag = int(each.get("lag", 0))
        if each.get("state") != "online":
            said = "is being filled, and is none yet"
        elif lag > MOST_LAG:
            said = f"has been silent for {lag} s"
        elif behind > MOST_BEHIND:
            said = f"is {behind // 2**20} MiB behind"
        else:
            continue
        where = f"{each.get('ip', '')}:{each.get('port', '')}"
        remedy = "see that it runs, and the way to it; what it lacks is forgotten if it is promoted"
        yield warning("role", f"replica {where} {said}", remedy)


def _persistence(found: ServerFacts) -> Iterator[DoctorFinding]:
    info = found.info
    if str(info.get("aof_enabled")) == "0":
        yield problem(
            "persistence",
            "Redis keeps no append-only file: a restart forgets who was called",
            "set appendonly yes",
        )
    elif str(info.get("aof_last_write_status", "ok")) != "ok":
        yield problem(
            "persistence", "the last write to the append-only file failed", "see to Redis' disk"
        )
    else:
        yield _fsync(found.config.get("appendfsync", ""))
    if str(info.get("aof_last_bgrewrite_status", "ok")) != "ok":
        yield warning(
            "persistence", "the last rewrite of the append-only file failed", "see Redis' log"
        )
    stops = found.config.get("stop-writes-on-bgsave-error", "yes") == "yes"
    if str(info.get("rdb_last_bgsave_status", "ok")) != "ok" and stops:
        yield problem(
            "persistence", "Redis refuses writes: its last snapshot failed", "see its log"
        )


def _fsync(policy: str) -> DoctorFinding:
    if policy == "no":
        return warning(
            "persistence",
            "append-only file, written to disk when the system likes (appendfsync no)",
            "set appendfsync everysec or always",
        )
    said = {
        "always": "append-only file, on disk before each answer",
        "everysec": "append-only file, on disk within a second",
    }
    return ok("persistence", said.get(policy, "append-only file (this user may not ask CONFIG)"))


def _eviction(found: ServerFacts) -> DoctorFinding:
    policy = str(found.info.get("maxmemory_policy", "noeviction"))
    if policy == "noeviction":
        return ok("eviction", "noeviction")
    said = f"Redis may drop keys (maxmemory-policy {policy}): somebody may be called again"
    remedy = "set maxmemory-policy noeviction"
    if int(found.info.get("maxmemory", 0)) == 0:
        return warning("eviction", f"{said}, once it has a maxmemory", remedy)
    return problem("eviction", said, remedy)


def _memory(found: ServerFacts) -> DoctorFinding:
    used, limit = int(found.info.get("used_memory", 0)), int(found.info.get("maxmemory", 0))
    if not limit:
        return warning(
            "memory",
            f"{_size(used)} used, without a limit: the system may kill Redis when it is short",
            "set maxmemory to what this machine can spare",
        )
    said = f"{_size(used)} of {_size(limit)} used ({used / limit:.0%})"
    remedy = "raise maxmemory, or let workers send first"
    if used >= FULL * limit:
        return problem("memory", f"{said}: producers are refused", remedy)
    if used >= FULL * 0.75 * limit:
        return warning("memory", f"{said}: producers are refused from {FULL:.0%} on", remedy)
    return ok("memory", said)


def _clients(found: ServerFacts) -> Iterator[DoctorFinding]:
    now, most = int(found.info.get("connected_clients", 0)), int(found.info.get("maxclients", 0))
    if most and now >= 0.8 * most:
        yield warning("clients", f"{now:,} of {most:,} connections are in use", "raise maxclients")


def _clock(found: ServerFacts) -> DoctorFinding:
    off = max(0.0, abs(found.ahead) - found.unsure)
    side = "ahead of" if found.ahead > 0 else "behind"
    said = f"Redis' clock is {off:.1f} s {side} this machine's"
    remedy = "let both machines keep time (NTP): expiry and retries follow Redis' clock"
    if off >= MUCH:
        return problem("clock", said, remedy)
    if off >= SKEW:
        return warning("clock", said, remedy)
    return ok("clock", "this machine and Redis agree")


def _rights(found: ServerFacts) -> DoctorFinding:
    if not found.refused:
        return ok("rights", "this user may do a worker's work")
    said = f"this user may not use {', '.join(found.refused)}, which workers need"
    return warning("rights", said, "give workers the rights of docs/security.md")


def _size(number: int) -> str:
    value, units = float(number), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
