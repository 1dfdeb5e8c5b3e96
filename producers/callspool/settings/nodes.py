"""URLs that name several servers: nodes of a Redis Cluster, or Sentinels that know a service."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from callspool.settings.refused import RefusedValue

KINDS = ("cluster", "sentinel")
SCHEMES = tuple(f"{scheme}+{kind}" for scheme in ("redis", "rediss") for kind in KINDS)
CLUSTER = "redis+cluster://host:port,host:port"
SENTINEL = "redis+sentinel://host:port,host:port/service"

_PORTS = {"cluster": 6379, "sentinel": 26379}
_NETLOC = re.compile(r"(?<=://)[^/?#]*")
_SENTINEL_OPTIONS = {"sentinel_username": "username", "sentinel_password": "password"}


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, repr=False)
class Nodes:
    """What such a URL says. ``one`` is the URL of a single server with all the rest of it.

    ``credentials`` are those of the Sentinels themselves. Never printed: it may hold passwords.
    """

    kind: Literal["cluster", "sentinel"]
    addresses: tuple[Address, ...]
    service: str
    one: str
    credentials: dict[str, str]

    def __str__(self) -> str:
        if self.kind == "sentinel":
            return f"the Redis service {self.service}"
        return f"the Redis Cluster at {self.addresses[0].host}:{self.addresses[0].port}"


def names_nodes(url: str) -> bool:
    """Whether the URL is one of several servers."""
    return url.partition("://")[0] in SCHEMES


def split_nodes(url: str) -> SplitResult:
    """Splits a URL of several servers as `urlsplit` splits others.

    It hides the addresses from Python's own, which refuses an ``[IPv6]`` behind another one in its
    newer releases and in older ones that distributions patched.
    """
    netloc = _NETLOC.search(url)
    assert netloc is not None
    bare = url[: netloc.start()] + url[netloc.end() :]
    return urlsplit(bare)._replace(netloc=netloc[0])


def nodes_of(url: str) -> Nodes:
    """What a URL of several servers says; raises `RefusedValue`, but not for the URL ``one``."""
    parts = split_nodes(url)
    scheme, _, kind = parts.scheme.partition("+")
    user, at, hosts = parts.netloc.rpartition("@")
    addresses = tuple(_address(host, _PORTS[kind]) for host in hosts.split(","))
    service, database = ("", parts.path) if kind == "cluster" else _service(parts.path)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if kind == "cluster" and (database not in ("", "/", "/0") or options.get("db", "0") != "0"):
        raise RefusedValue("must not name a database: a Redis Cluster has no other than 0")
    given = {
        _SENTINEL_OPTIONS[key]: options.pop(key) for key in _SENTINEL_OPTIONS if key in options
    }
    if given and kind == "cluster":
        raise RefusedValue("must not hold options of Sentinel for a cluster")
    host, port = addresses[0]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    one = urlunsplit((scheme, f"{user}{at}{place}", database, urlencode(options), parts.fragment))
    return Nodes(cast("Literal['cluster', 'sentinel']", kind), addresses, service, one, given)


def _address(text: str, port: int) -> Address:
    try:
        one = urlsplit(f"//{text}")
        host, number = one.hostname, one.port
    except ValueError:
        raise RefusedValue(_wrong_addresses()) from None
    if not host or number == 0 or "/" in text:
        raise RefusedValue(_wrong_addresses())
    return Address(host, number or port)


def _wrong_addresses() -> str:
    return f"must list addresses with ports from 1 to 65535, as {CLUSTER} or {SENTINEL}"


def _service(path: str) -> tuple[str, str]:
    service, slash, database = path.removeprefix("/").partition("/")
    if not service:
        raise RefusedValue(f"must end with the service that the Sentinels know, as {SENTINEL}")
    return unquote(service), slash + database


def shown(parts: SplitResult) -> list[tuple[str, str]]:
    """The options of a URL as they may be logged."""
    return [
        (key, "***" if key.endswith("password") else value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
