"""URLs of Redis and of the API: which ones are taken, and how they are shown."""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

from callspool.settings.nodes import SCHEMES, names_nodes, nodes_of, shown, split_nodes
from callspool.settings.refused import RefusedValue

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


def check_redis_url(url: str) -> str:
    """The URL, if a client can use it; raises RefusedValue whose text never holds the password."""
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
    """The URL with that password, unless it holds one already."""
    parts = split_nodes(url) if names_nodes(url) else _split(url)
    if parts.password is not None or "password" in dict(parse_qsl(parts.query)):
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def redis_url_without_password(url: str) -> str:
    """The URL as it may be logged."""
    try:
        check_redis_url(url)
        parts = split_nodes(url) if names_nodes(url) else urlsplit(url)
    except ValueError:
        return "(a URL that is not Redis')"
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}:***@{host}" if colon else f"{name}{at}{host}"
    return urlunsplit((parts.scheme, netloc, parts.path, urlencode(shown(parts), safe="*/"), ""))


def check_api_url(url: str, http_hosts: Collection[str] = ()) -> str:
    """The base URL without a slash at its end; raises RefusedValue.

    Plain http sends the token in the clear, so it is for loopback and for hosts allowed by name.
    """
    parts = _split(url)
    if parts.scheme not in ("http", "https"):
        raise RefusedValue("must start with https://")
    host = parts.hostname
    if not host:
        raise RefusedValue("must name a host, as https://unpod.ai")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise RefusedValue("must not hold a user, a query or a fragment")
    if parts.scheme == "http" and not is_loopback(host) and host not in http_hosts:
        raise RefusedValue(
            f"must be https: plain http to {host} shows the token to the network "
            "(CALLSPOOL_ALLOW_HTTP can name the host if that is meant)"
        )
    return url.rstrip("/")


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
