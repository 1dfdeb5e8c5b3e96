"""Every setting: its name, allowed values, default and effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callspool.settings.kinds import (
    API_ADDRESS,
    DEFAULT_OUTCOMES,
    HOURS_OF_THE_DAY,
    LISTEN_ADDRESS,
    ONE_LINE,
    ZONES_BY_COUNTRY,
    CallOutcomes,
    Choice,
    Flag,
    HeaderWord,
    Kind,
    Number,
    RedisUrl,
    Region,
    SecretText,
    SecretWord,
    Text,
    Whole,
)

PREFIX = "CALLSPOOL_"


@dataclass(frozen=True)
class Setting:
    """One setting. ``key`` is its field of `Settings` and its name in callspool.toml.

    ``file``: a setting of the same name with ``_FILE`` at its end names a file to read it from.
    """

    key: str
    kind: Kind
    default: object
    effect: str
    unit: str = ""
    file: bool = False

    @property
    def name(self) -> str:
        return PREFIX + self.key.upper()


SETTINGS = (
    Setting(
        "redis_url",
        RedisUrl(),
        "redis://localhost:6379/0",
        "where the queue and the ledger are: Redis 7.0 or later, or Valkey",
        file=True,
    ),
    Setting(
        "redis_password",
        SecretText(),
        None,
        "used as the password if the Redis URL holds none",
        file=True,
    ),
    Setting(
        "partitions",
        Whole(1, 256),
        1,
        "the ledger is split into this many parts, each on one node of a Redis Cluster; it"
        " cannot be changed later",
        "partitions",
    ),
    Setting("api_url", API_ADDRESS, "https://unpod.ai", "requests go to the API at this URL"),
    Setting("api_token", SecretWord(), None, "the account default sends this API token", file=True),
    Setting(
        "org_handle",
        HeaderWord(),
        None,
        "the account default belongs to the organisation with this domain handle",
        file=True,
    ),
    Setting(
        "batch_size",
        Whole(1, 1000),
        100,
        "a create-call holds at most this many documents; at most 10 of them ring at once (below)",
        "documents",
    ),
    Setting(
        "batch_bytes",
        Whole(1_000, 50_000_000),
        900_000,
        "a request body holds at most this many bytes; a document that alone is larger"
        " becomes dead",
        "bytes",
    ),
    Setting(
        "linger",
        Number(0, 3600),
        1.0,
        "a document waits at most this long for others to share its create-call",
        "seconds",
    ),
    Setting(
        "dedupe_window",
        Whole(1, 315_360_000),
        2_592_000,
        "a settled document is remembered this long; after that, the same id is called again",
        "seconds",
    ),
    Setting(
        "request_timeout",
        Number(0.1, 3600),
        60.0,
        "a request to the API takes at most this long, from its first step to the last byte"
        " of the answer",
        "seconds",
    ),
    Setting(
        "max_in_flight",
        Whole(1, 10_000),
        None,
        "all workers together have at most this many requests of the account default in"
        " flight; without it, workers find the limit by trying",
        "requests",
    ),
    Setting(
        "max_rate",
        Number(0.01, 100_000),
        None,
        "all workers together begin at most this many requests of the account default a"
        " second; without it, there is no such limit",
        "requests a second",
    ),
    Setting(
        "max_attempts",
        Whole(1, 100),
        8,
        "after this many attempts a batch is split, and a document that stands alone becomes dead",
        "attempts",
    ),
    Setting(
        "proof_quiet",
        Number(0, 86_400),
        300.0,
        "where the API itself gave no answer, a document counts as missing only after nothing"
        " has changed for this long, counted from the request's limit",
        "seconds",
    ),
    Setting(
        "proof_quiet_answered",
        Number(0, 86_400),
        15.0,
        "the same for attempts that the API itself answered",
        "seconds",
    ),
    Setting(
        "mark_attempts",
        Flag(),
        True,
        "each document is sent with the word callspool_attempt, by which its task is recognised",
    ),
    Setting(
        "on_doubt",
        Choice(("hold", "resend")),
        "hold",
        "decides what happens to documents in doubt where the API cannot be read back",
    ),
    Setting(
        "durable_takes",
        Choice(("off", "local", "replica")),
        "off",
        "a batch is sent only after its take is on Redis' disk (`local`), or on the disks of"
        " all its replicas too (`replica`); spaces are read back after a restart of Redis in"
        " any case",
    ),
    Setting("follow", Flag(), True, "workers follow created calls to their end"),
    Setting(
        "follow_gap",
        Number(0.01, 86_400),
        900.0,
        "workers look at the calls of a run at most once in this time; the other times of"
        " following are multiples of it",
        "seconds",
    ),
    Setting(
        "follow_max_rate",
        Number(0.001, 10_000),
        1.0,
        "all workers together make at most this many reads a second for each account to"
        " follow calls",
        "reads a second",
    ),
    Setting(
        "follow_windows",
        Choice(("probe", "always", "never")),
        "probe",
        "where runs hold few contacts, tasks are read by windows of time once a `probe` in a small"
        " space showed that the API honours them; `always`: the probe is made in large ones too",
    ),
    Setting(
        "lost_sight_after",
        Number(0.1, 31_536_000),
        259_200.0,
        "a call that is still open this long after its creation counts as lost_sight",
        "seconds",
    ),
    Setting(
        "call_outcomes",
        CallOutcomes(),
        DEFAULT_OUTCOMES,
        "maps the status of a call that ended to an outcome; a status that is not named"
        " becomes `ended`, or `failed` if its task failed",
    ),
    Setting("events", Flag(), True, "workers write the feed of events (docs/events.md)"),
    Setting(
        "events_keep", Number(10, 31_536_000), 259_200.0, "an event is kept this long", "seconds"
    ),
    Setting(
        "events_max_bytes",
        Whole(1_000_000, 1_000_000_000_000),
        268_435_456,
        "the feed takes about this much of Redis at most; then the oldest events go early",
        "bytes",
    ),
    Setting(
        "region",
        Region(),
        None,
        "phone numbers without a country code are read as numbers of this region",
    ),
    Setting(
        "send_e164",
        Flag(),
        True,
        "numbers whose country is known are sent as E.164; what identifies them stays the same",
    ),
    Setting(
        "max_waiting",
        Whole(1, 1_000_000_000),
        10_000_000,
        "at most this many documents may wait in each partition; beyond that, producers get"
        " QueueFull",
        "documents",
    ),
    Setting(
        "space_token",
        ONE_LINE,
        None,
        "the command line uses this space for requests that name none",
    ),
    Setting(
        "pilot", ONE_LINE, None, "the command line uses this agent for requests that name none"
    ),
    Setting(
        "context", Text(), None, "requests without a context get this one; the API demands one"
    ),
    Setting(
        "close_early",
        Whole(0, 21_600),
        600,
        "nothing is sent any more this long before the end of a campaign's calling hours",
        "seconds",
    ),
    Setting(
        "platform_hours",
        HOURS_OF_THE_DAY,
        "09:00-20:00",
        "the platform itself lets calls ring at these hours: where a campaign has hours,"
        " nothing is sent outside them; `none` means at any time",
    ),
    Setting(
        "platform_zones",
        ZONES_BY_COUNTRY,
        "1=America/New_York, 61=Australia/Sydney, *=own",
        "names the zone in which the platform keeps these hours, by the country code of a"
        " number; * means every other country, own the contact's own zones",
    ),
    Setting(
        "operator",
        ONE_LINE,
        None,
        "the journal names this as the author of changes; by default, the login name and the"
        " machine's name",
    ),
    Setting(
        "log_level",
        Choice(("debug", "info", "warning", "error")),
        "info",
        "a worker's log holds lines of this level and above",
    ),
    Setting("processes", Whole(1, 64), 2, "callspool worker runs this many processes", "processes"),
    Setting(
        "threads",
        Whole(1, 256),
        8,
        "each worker process sends with this many threads to a fast API; for a slow one it begins"
        " more, up to 128. It accepts with at most 2 besides, or 4 where there are partitions",
        "threads",
    ),
    Setting(
        "metrics_port",
        Whole(0, 65_535),
        0,
        "callspool worker serves its own metrics and probes on this port; 0 serves none",
    ),
    Setting("metrics_host", LISTEN_ADDRESS, "127.0.0.1", "that port is opened on this address"),
    Setting(
        "serve_port",
        Whole(0, 65_535),
        8080,
        "callspool serve listens on this port; 0 takes a free one",
    ),
    Setting("serve_host", LISTEN_ADDRESS, "127.0.0.1", "that port is opened on this address"),
    Setting(
        "serve_upload_bytes",
        Whole(1_000, 1_000_000_000_000),
        2_000_000_000,
        "callspool serve takes lists up to this size in one body; they are kept on disk meanwhile",
        "bytes",
    ),
)

BY_KEY = {setting.key: setting for setting in SETTINGS}
DEFAULTS: Mapping[str, Any] = {setting.key: setting.default for setting in SETTINGS}
FILE_KEYS = {f"{setting.key}_file": setting for setting in SETTINGS if setting.file}
CONFIG_KEY = "config"


def reference() -> str:
    """Returns the settings as a Markdown table, for the documentation."""
    lines = ["| setting | default | allowed | effect |", "|---|---|---|---|"]
    for setting in SETTINGS:
        unit = f" {setting.unit}" if setting.unit else ""
        names = f"`{setting.name}`" + (f", `{setting.name}_FILE`" if setting.file else "")
        allowed = setting.kind.allowed + unit
        lines.append(
            f"| {names} | {_format_default(setting.default)} | {allowed} | {setting.effect} |"
        )
    lines.append(
        f"| `{PREFIX}CONFIG` | `callspool.toml`, if it is there | the path of a TOML file | "
        "more settings, by the same names, and further accounts |"
    )
    return "\n".join(lines) + "\n"


def _format_default(default: object) -> str:
    if default is None or default == ():
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
