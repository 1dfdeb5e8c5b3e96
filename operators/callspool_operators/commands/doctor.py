"""`callspool doctor`: what could keep this installation from sending, each with its remedy."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from callspool.errors import CallspoolError, QueueUnavailable, SettingsError
from callspool.settings import load_settings
from callspool.settings.urls import redis_url_without_password
from callspool_ledger.guard import count_listed
from callspool_ledger.reads.dead import read_dead
from callspool_ledger.reads.lanes import read_one_document_lanes
from callspool_ledger.reads.lookup import read_scopes
from callspool_ledger.reads.reader import LedgerReader
from callspool_ledger.reads.servers import examine, is_cut_off, rules_of
from callspool_ledger.selectors import Selector
from callspool_ledger.writes import RULES
from callspool_operators.doctor import (
    DoctorFinding,
    LedgerStanding,
    examine_agents,
    examine_api,
    examine_ledger,
    examine_queue,
    examine_server,
    examine_settings,
    examine_tasks,
    examine_users,
    ok,
    problem,
    worst,
)
from callspool_operators.options.clients import ledger_clients
from callspool_operators.options.options import LedgerPlace, ledger_options
from callspool_operators.terminal.wording import format_count, json_line, state_dir_flag
from callspool_worker import api
from callspool_worker.decisions.answers import Answered, NoAnswer
from callspool_worker.ledgers import ledger_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import redis

    from callspool.request.call_request import CheckedEnvelope
    from callspool.request.identity import Scope
    from callspool.settings import Settings
    from callspool_worker.decisions.answers import Answer

_EXAMPLES = """\b
Examples:
  callspool doctor
  callspool doctor --json | jq -r '.findings[] | select(.health != "ok") | .remedy'
"""
PATIENCE = 10.0
"""Seconds that a read of the API may take."""

SPACES = 5
"""Spaces of an account that are looked at, the configured one first, then the newest."""

ONE = {"page": 1, "page_size": 1}

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command("doctor", epilog=_EXAMPLES)
@ledger_options
def doctor(place: LedgerPlace, as_json: bool) -> int:
    """Check Redis, the API of each account, the settings and the ledger. Changes nothing.

    Each line is ok, a warning or a problem, with what to do about it. Exit code 0 without a
    problem, 3 if Redis or an API cannot be reached, else 2.
    """
    findings: list[DoctorFinding] = []
    for finding in _examine(place):
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    healths = [each.health for each in findings]
    counts = {"problems": healths.count("problem"), "warnings": healths.count("warning")}
    if as_json:
        objects = [
            {name: getattr(each, name) for name in ("check", "health", "said", "remedy")}
            for each in findings
        ]
        click.echo(json_line({"findings": objects, **counts}))
    else:
        problems = format_count(counts["problems"], "problem")
        click.echo(f"{problems}, {format_count(counts['warnings'], 'warning')}")
    return worst(findings)


def _line(finding: DoctorFinding) -> str:
    health = click.style(f"{finding.health:<7}", fg=_COLOURS[finding.health])
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    return f"{health}  {finding.check}: {finding.said}{remedy}"


def _examine(place: LedgerPlace) -> Iterator[DoctorFinding]:
    try:
        settings = load_settings(os.environ, overrides={"redis_url": place.redis_url})
    except SettingsError as fault:
        yield problem("settings", str(fault), "correct it: nothing starts before")
        return
    yield from examine_settings(settings, os.environ)
    if place.state_dir is not None:
        settings = replace(settings, partitions=1)  # as the ledger of every run
    scopes: list[Scope] = []
    with ExitStack() as stack:
        try:
            clients = stack.enter_context(ledger_clients(*place))
            where = place.state_dir or redis_url_without_password(settings.redis_url)
            yield ok("redis", f"{where} answers")
            scopes = LedgerReader(*clients).ask(read_scopes())
            yield from _of_redis(clients, settings, state_dir_flag(place.state_dir).strip())
        except QueueUnavailable as fault:
            said, _, remedy = str(fault).partition("; ")
            yield problem("redis", said, remedy or "see that it runs", unreachable=True)
        except CallspoolError as fault:
            yield problem("redis", str(fault), "see --state-dir")
    yield from examine_apis(settings, scopes)


def _of_redis(
    clients: Sequence[redis.Redis], settings: Settings, where: str
) -> Iterator[DoctorFinding]:
    found: dict[DoctorFinding, None] = {}
    for each in dict.fromkeys(clients):  # what several nodes share is listed once
        found |= dict.fromkeys((*examine_server(examine(each)), _durability(each, settings)))
    yield from found
    if any(is_cut_off(each, partition) for partition, each in enumerate(clients)):
        said = (
            "it has lost touch with its replicas, and one may be the primary now: nothing is sent"
        )
        remedy = "see which node is the primary; if none was promoted: callspool resume --all"
        yield problem("role", said, f"{remedy} --without-replicas")
    client, reader = clients[0], LedgerReader(*clients)
    standing = LedgerStanding(
        rules_of(client),
        reader.summary(),
        reader.ask(read_one_document_lanes()),
        reader.ask(read_dead(Selector(), 1))[1],
        where,
        reader.limits(),
        count_listed(client),
    )
    for each in dict.fromkeys(clients):
        yield from examine_users(each)
    yield from examine_queue(clients)
    yield from examine_ledger(standing, (*RULES, settings.partitions), settings.accounts)


def _durability(client: redis.Redis, settings: Settings) -> DoctorFinding:
    wanted = settings.durable_takes
    try:
        ledger_of(settings, client).check_durability()
    except SettingsError as fault:
        return problem("durability", str(fault), "or set CALLSPOOL_DURABLE_TAKES to off")
    if wanted == "off":
        return ok("durability", "what a restart of Redis may have forgotten is read back first")
    return ok("durability", f"every take is on disk before it is sent ({wanted})")


def examine_apis(settings: Settings, scopes: list[Scope]) -> Iterator[DoctorFinding]:
    """Yields how the API of each account answers, and whether what it creates would ring."""
    if not settings.accounts:
        return
    patience = min(PATIENCE, settings.request_timeout)
    try:
        unpod = api.UnpodApi(settings.accounts, request_timeout=patience, max_connections=1)
    except SettingsError as fault:
        yield problem("settings", str(fault), "correct it: workers do not start before")
        return
    with unpod:
        for name in sorted(settings.accounts):
            spaces = [scope.space_token for scope in scopes if scope.account == name]
            if settings.space_token and name == "default":
                spaces.append(settings.space_token)
            path = ("spaces", spaces[-1], "runs") if spaces else ("agents",)
            answer = unpod.get(name, path, ONE)
            yield from examine_api(name, answer, space=bool(spaces), now=time.time())
            agents = unpod.get(name, ("agents",), {"page": 1, "page_size": 1000})
            pilot = settings.pilot if name == "default" else ""
            yield from examine_agents(name, agents, pilot or "")
            for number, space in enumerate([*dict.fromkeys(reversed(spaces))][:SPACES]):
                runs = unpod.get(name, ("spaces", space, "runs"), ONE) if number else answer
                yield from examine_tasks(name, read_first_task(unpod, name, space, runs), space)


SILENCE_PATIENCE = 3.0
"""Seconds that each of the three reads before a run may take; if one fails, nothing is said."""


def read_first_task(unpod: api.UnpodApi, account: str, space: str, runs: Answer) -> Answer:
    """Reads the first task of the first run in a list of runs."""
    body = runs.json if isinstance(runs, Answered) else None
    rows = body.get("data") if isinstance(body, dict) else None
    run = rows[0].get("run_id") if isinstance(rows, list) and rows and rows[0] else None
    if not isinstance(run, str):
        return NoAnswer("the space has no run yet", "unreadable")
    path = "spaces", space, "runs", run, "tasks"
    return unpod.get(account, path, {"page": 1, "page_size": 1})


def find_silence(settings: Settings, envelope: CheckedEnvelope) -> list[str]:
    """Returns why calls would not ring although the API creates them, a line each.

    The agent has to be published, the org handle known, and the space made for calls (R).
    """
    name, space = envelope.account, envelope.space_token
    accounts = {name: settings.account(name)}
    try:
        unpod = api.UnpodApi(accounts, request_timeout=SILENCE_PATIENCE, max_connections=1)
    except SettingsError:
        return []  # the run reports it as it starts
    with unpod:
        agents = unpod.get(name, ("agents",), {"page": 1, "page_size": 1000})
        if not isinstance(agents, Answered):
            return []
        found = [*examine_agents(name, agents, envelope.pilot)]
        runs = unpod.get(name, ("spaces", space, "runs"), {"page": 1, "page_size": 1})
        found += examine_tasks(name, read_first_task(unpod, name, space, runs))
    return [f"{each.said}: {each.remedy}" for each in found if each.health != "ok"]
