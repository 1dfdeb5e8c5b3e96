"""Which endpoint a path names, and how much of the path a log may show."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - a NamedTuple evaluates its annotations
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote

Endpoint = Literal["create", "runs", "tasks", "space_tasks", "agents"]

_BASE = "/api/v2/platform/"
_SPACE = re.compile(r"spaces/(?P<space>[^/]+)/(?P<rest>.+)")
_RUN_TASKS = re.compile(r"runs/(?P<run>[^/]+)/tasks/")


class Route(NamedTuple):
    """A request's endpoint. ``query``: what was asked for, the last word of each name."""

    endpoint: Endpoint
    method: str
    space: str = ""
    run_id: str = ""
    query: Mapping[str, str] = {}

    def number(self, name: str) -> int | None:
        """A whole number of the query; None where it names none."""
        word = self.query.get(name, "")
        return int(word) if word.isascii() and word.isdigit() else None


def find_route(target: str) -> Route | None:
    """The route of a request target, trailing slash required as the API does (S)."""
    path, _, query = target.partition("?")
    if not path.startswith(_BASE):
        return None
    rest = path[len(_BASE) :]
    if rest == "agents/":
        return _read_page(Route("agents", "GET"), query)
    match = _SPACE.fullmatch(rest)
    return _space_route(unquote(match["space"]), match["rest"], query) if match else None


def _space_route(space: str, rest: str, query: str) -> Route | None:
    if rest == "tasks/create/":
        return Route("create", "POST", space)
    if rest == "runs/":
        return _read_page(Route("runs", "GET", space), query)
    if rest == "tasks/":
        return _read_page(Route("space_tasks", "GET", space), query)
    match = _RUN_TASKS.fullmatch(rest)
    return _read_page(Route("tasks", "GET", space, match["run"]), query) if match else None


def _read_page(route: Route, query: str) -> Route:
    if not query:
        return route
    asked = parse_qs(query, keep_blank_values=True)
    return route._replace(query={name: words[-1] for name, words in asked.items()})


def path_for_log(target: str) -> str:
    """A path whose space token is shortened to its last four characters, and without a query."""
    path = target.partition("?")[0]
    before, found, after = path.partition("/spaces/")
    if not found:
        return path[:120]
    space, slash, rest = after.partition("/")
    return f"{before}/spaces/...{space[-4:]}{slash}{rest}"[:200]
