"""Every setting: its name, allowed values, default and effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callspool.settings.kinds import (
    DEFAULT_OUTCOMES,
    ApiUrl,
    CallOutcomes,
    Choice,
    Flag,
    HeaderWord,
    HoursOfTheDay,
    Kind,
    ListenAddress,
    Number,
    OneLine,
    RedisUrl,
    Region,
    SecretText,
    SecretWord,
    Text,
    Whole,
    ZonesByCountry,
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
        "password for a Redis URL that holds none",
        file=True,
    ),
    Setting(
        "partitions",
        Whole(1, 256),
        1,
        "parts of the ledger, each on one node of a Redis Cluster; what it began with stays",
        "partitions",
    ),
    Setting("api_url", ApiUrl(), "https://unpod.ai", "base URL of the API"),
    Setting("api_token", SecretWord(), None, "API token of the account default", file=True),
    Setting(
        "org_handle",
        HeaderWord(),
        None,
        "domain handle of the organisation of the account default",
        file=True,
    ),
    Setting("batch_size", Whole(1, 1000), 100, "most documents in a create-call", "documents"),
    Setting(
        "batch_bytes",
        Whole(1_000, 50_000_000),
        900_000,
        "most bytes in a request body; a document that alone is larger is dead",
        "bytes",
    ),
    Setting("linger", Number(0, 3600), 1.0, "longest that a document waits for company", "seconds"),
    Setting(
        "dedupe_window",
        Whole(1, 315_360_000),
        2_592_000,
        "how long a settled identity is remembered",
        "seconds",
    ),
    Setting(
        "request_timeout",
        Number(0.1, 3600),
        60.0,
        "longest that a request to the API takes, as a whole",
        "seconds",
    ),
    Setting(
        "max_in_flight",
        Whole(1, 10_000),
        None,
        "most requests in flight of the account default, over all workers; without it found by"
        " trying",
        "requests",
    ),
    Setting(
        "max_rate",
        Number(0.01, 100_000),
        None,
        "most requests a second of the account default, over all workers; without it any number",
        "requests a second",
    ),
    Setting(
        "max_attempts",
        Whole(1, 100),
        8,
        "attempts before a batch is split, and a document that stands alone is dead",
        "attempts",
    ),
    Setting(
        "proof_quiet",
        Number(0, 86_400),
        300.0,
        "how long nothing has to change, after the request's limit, before a document counts as "
        "missing, where no answer of the API itself came",
        "seconds",
    ),
    Setting(
        "proof_quiet_answered",
        Number(0, 86_400),
        15.0,
        "the same where the API itself answered",
        "seconds",
    ),
    Setting(
        "mark_attempts",
        Flag(),
        True,
        "send callspool_attempt in each document, so that its task can be told apart",
    ),
    Setting(
        "on_doubt",
        Choice(("hold", "resend")),
        "hold",
        "what becomes of documents in doubt where reading back is not possible",
    ),
    Setting(
        "durable_takes",
        Choice(("off", "local", "replica")),
        "off",
        "whether a take has to be on Redis' disk, or on that of all its replicas too, before it is"
        " sent; spaces are read back after Redis restarted all the same",
    ),
    Setting("follow", Flag(), True, "follow created calls to their end: docs/following.md"),
    Setting(
        "follow_gap",
        Number(0.01, 86_400),
        900.0,
        "shortest time between two looks at the calls of a run; the other times of following are"
        " multiples of it",
        "seconds",
    ),
    Setting(
        "follow_max_rate",
        Number(0.001, 10_000),
        1.0,
        "most reads a second that follow calls, of each account, over all workers",
        "reads a second",
    ),
    Setting(
        "lost_sight_after",
        Number(0.1, 31_536_000),
        259_200.0,
        "how long after its creation a call that is still open counts as lost_sight",
        "seconds",
    ),
    Setting(
        "call_outcomes",
        CallOutcomes(),
        DEFAULT_OUTCOMES,
        "what the status of a call that ended means; one that is not named is `ended`, or `failed`"
        " where its task failed",
    ),
    Setting("region", Region(), None, "region of phone numbers without a country code"),
    Setting(
        "send_e164",
        Flag(),
        True,
        "send numbers whose country is known as E.164; what identifies them stays the same",
    ),
    Setting(
        "max_waiting",
        Whole(1, 1_000_000_000),
        10_000_000,
        "documents that may wait in each partition; beyond it producers get QueueFull",
        "documents",
    ),
    Setting(
        "space_token", OneLine(), None, "space of requests that name none, on the command line"
    ),
    Setting("pilot", OneLine(), None, "agent of requests that name none, on the command line"),
    Setting("context", Text(), None, "context of requests that have none; the API demands one"),
    Setting(
        "close_early",
        Whole(0, 21_600),
        600,
        "how long before the end of a campaign's calling hours nothing is sent any more",
        "seconds",
    ),
    Setting(
        "platform_hours",
        HoursOfTheDay(),
        "09:00-20:00",
        "hours at which the platform itself lets calls ring: where a campaign has hours, nothing is"
        " sent outside them; none for any time",
    ),
    Setting(
        "platform_zones",
        ZonesByCountry(),
        "1=America/New_York, 61=Australia/Sydney, *=own",
        "by which zone the platform keeps these hours, by the country code of a number; * is every"
        " other country, own the contact's own zones",
    ),
    Setting(
        "operator",
        OneLine(),
        None,
        "who changes what, in the journal; else the login name and the machine's",
    ),
    Setting(
        "log_level",
        Choice(("debug", "info", "warning", "error")),
        "info",
        "how urgent a line of a worker's log has to be, at least",
    ),
    Setting("processes", Whole(1, 64), 2, "worker processes", "processes"),
    Setting(
        "threads",
        Whole(1, 256),
        8,
        "threads of each worker process that accept, and that send to an API that is fast; for one"
        " that is slow it begins more, up to 128",
        "threads",
    ),
    Setting(
        "metrics_port",
        Whole(0, 65_535),
        0,
        "port on which callspool worker serves its own metrics and probes; 0 serves none",
    ),
    Setting("metrics_host", ListenAddress(), "127.0.0.1", "address for that port"),
    Setting("serve_port", Whole(0, 65_535), 8080, "port of callspool serve; 0 takes a free one"),
    Setting("serve_host", ListenAddress(), "127.0.0.1", "address for that port"),
    Setting(
        "serve_upload_bytes",
        Whole(1_000, 1_000_000_000_000),
        2_000_000_000,
        "largest list that callspool serve takes in one body; it is kept on disk meanwhile",
        "bytes",
    ),
)

BY_KEY = {setting.key: setting for setting in SETTINGS}
DEFAULTS: Mapping[str, Any] = {setting.key: setting.default for setting in SETTINGS}
FILE_KEYS = {f"{setting.key}_file": setting for setting in SETTINGS if setting.file}
CONFIG_KEY = "config"
GONE: Mapping[str, str] = {
    "allow_http": "give the account a table in callspool.toml, with allow_http = true in it",
    "exporter_host": "say callspool exporter --host HOST",
    "exporter_port": "say callspool exporter --port N",
    "log_format": "a terminal gets lines for people, everything else JSON",
}
"""Settings that earlier versions had, and what takes their place."""


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
