"""URLs of Redis and of the API: which ones are allowed, and how they are shown.

A URL may name several servers: nodes of a Redis Cluster, or Sentinels that know a service.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast
from urllib.parse import (
    SplitResult,
    parse_qsl,
    quote,
    unquote,
    urlencode,
    urlsplit,
    urlunsplit,
)

KINDS = ("cluster", "sentinel")
SCHEMES = tuple(f"{scheme}+{kind}" for scheme in ("redis", "rediss") for kind in KINDS)
CLUSTER = "redis+cluster://host:port,host:port"
SENTINEL = "redis+sentinel://host:port,host:port/service"

_PORTS = {"cluster": 6379, "sentinel": 26379}
_NETLOC = re.compile(r"(?<=://)[^/?#]*")
_SENTINEL_OPTIONS = {"sentinel_username": "username", "sentinel_password": "password"}

REDIS_URL = (
    "redis://, rediss:// or unix:// with an optional user, password and database number; or of"
    " several servers, redis+cluster:// and redis+sentinel:// (docs/scale.md)"
)
API_URL = "an https:// URL without user, query and fragment"

_REDIS_SCHEMES = ("redis", "rediss", "unix")
_REDIS_OPTIONS = frozenset({"client_name", "db", "password", "username"})
_TLS_OPTIONS = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
    }
)
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_DATABASE = re.compile(r"/?|/?[0-9]{1,6}")


class RefusedValue(ValueError):  # noqa: N818 - what it is about
    """A value that a setting cannot have. The text is a reason beyond what is allowed, or empty.

    It never holds the value.
    """


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, repr=False)
class Nodes:
    """What a URL of several servers says. ``one`` is the same URL with only the first server.

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
    """Whether the URL names several servers."""
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
    """Reads a URL of several servers; raises `RefusedValue`, but not for the URL ``one``."""
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
        raise RefusedValue(_describe_addresses()) from None
    if not host or number == 0 or "/" in text:
        raise RefusedValue(_describe_addresses())
    return Address(host, number or port)


def _describe_addresses() -> str:
    return f"must list addresses with ports from 1 to 65535, as {CLUSTER} or {SENTINEL}"


def _service(path: str) -> tuple[str, str]:
    service, slash, database = path.removeprefix("/").partition("/")
    if not service:
        raise RefusedValue(f"must end with the service that the Sentinels know, as {SENTINEL}")
    return unquote(service), slash + database


def mask_options(parts: SplitResult) -> list[tuple[str, str]]:
    """Returns the options of a URL as they may be logged."""
    return [
        (key, "***" if key.endswith("password") else value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
    ]


def check_redis_url(url: str) -> str:
    """Returns the URL if a client can use it; raises RefusedValue without the password."""
    if names_nodes(url) and _PRINTABLE.fullmatch(url):
        check_redis_url(nodes_of(url).one)
        return url
    parts = _split(url)
    if parts.scheme not in _REDIS_SCHEMES:
        more = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise RefusedValue(f"must start with redis://, rediss:// or unix://, or one of {more}")
    if parts.fragment or "#" in url:
        raise RefusedValue("must not hold #: write a password percent-encoded (%23)")
    if parts.scheme == "unix":
        if len(parts.path) < 2:
            raise RefusedValue("must name the socket's path, as unix:///run/redis.sock")
    elif not _DATABASE.fullmatch(parts.path):
        raise RefusedValue("must end with the number of a database, as /0")
    _check_options(parts)
    return url


def redis_url_with_password(url: str, password: str) -> str:
    """Returns the URL with that password, unless it holds one already."""
    parts = split_nodes(url) if names_nodes(url) else _split(url)
    if parts.password is not None or "password" in dict(parse_qsl(parts.query)):
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def redis_url_without_password(url: str) -> str:
    """Returns the URL as it may be logged."""
    try:
        check_redis_url(url)
        parts = split_nodes(url) if names_nodes(url) else urlsplit(url)
    except ValueError:
        return "(a URL that is not Redis')"
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}:***@{host}" if colon else f"{name}{at}{host}"
    return urlunsplit(
        (parts.scheme, netloc, parts.path, urlencode(mask_options(parts), safe="*/"), "")
    )


def check_api_url(url: str, *, allow_http: bool = False) -> str:
    """Returns the base URL without a slash at its end; raises RefusedValue.

    Plain http sends the token in the clear, so it is for loopback, and for accounts that allow it.
    """
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise RefusedValue("must start with https://")
    host = parts.hostname
    if not host:
        raise RefusedValue("must name a host, as https://unpod.ai")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise RefusedValue("must not hold a user, a query or a fragment")
    if parts.scheme == "http" and not (allow_http or is_loopback(host)):
        raise RefusedValue(
            f"must be https: plain http to {host} shows the token to the network "
            "(if that is meant, allow_http = true in [accounts.NAME] of callspool.toml allows it)"
        )
    return url.rstrip("/")


def check_webhook_url(url: str, *, allow_private: bool) -> str:
    """Returns the URL if events may be delivered there; raises RefusedValue without the URL.

    An address in it is checked here, a name's addresses whenever it is connected to.
    """
    parts = _split(url)
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host:
        raise RefusedValue("must be an https:// URL")
    if "@" in parts.netloc or "#" in url:
        raise RefusedValue("must not hold a user or a fragment")
    if allow_private:
        return url
    if parts.scheme == "http":
        raise RefusedValue("must be https: plain http shows events (or allow_private = true)")
    if _is_address(host) and not is_public_address(host):
        raise RefusedValue("names a private address (if that is meant, allow_private = true)")
    return url


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public_address(text: str) -> bool:
    """Whether an IP address is one of the public internet, wherever IPv6 wraps an IPv4 one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(address.packed[-4:])
        address = inner or address
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> SplitResult:
    if not _PRINTABLE.fullmatch(url):
        raise RefusedValue("must not hold spaces or other than plain characters")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise RefusedValue("is not a URL") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 and host is not None:
        raise RefusedValue("must have a port from 1 to 65535 (and a password percent-encoded)")
    return parts


def _check_options(parts: SplitResult) -> None:
    allowed = _REDIS_OPTIONS | _TLS_OPTIONS if parts.scheme == "rediss" else _REDIS_OPTIONS
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in allowed:
            raise RefusedValue(f"must hold no other options than {', '.join(sorted(allowed))}")
        if key == "db" and not value.isdecimal():
            raise RefusedValue("must have a number as option db")
        if key == "ssl_cert_reqs" and value not in ("none", "optional", "required"):
            raise RefusedValue("must have none, optional or required as option ssl_cert_reqs")
