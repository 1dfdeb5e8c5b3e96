"""Where contacts are to be sent: the call request that options describe around documents."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import click
from msgspec import structs

from callspool.errors import InvalidCallRequest
from callspool.request.call_request import CallRequest, CheckedEnvelope, Document
from callspool.request.checks import Rules, prepare
from callspool.settings import Settings
from callspool_operators.options.options import SendOptions
from callspool_operators.terminal.wording import is_cut, shorten_token

_FLAGS = {"expires_at": "--expires", "schedule.type": "--schedule"}
NOT_GIVEN = "not-given"
"""Stands in for what a rehearsal was not told."""
_ANYBODY = Document(name="Anybody", contact_number="+14155550100")


@dataclass(frozen=True, slots=True)
class SendTarget:
    """The checked call request without its documents, and the rules for these.

    ``missing``: fields that were not given, so that it can be looked at and not be sent.
    ``expires_in``: seconds, where a span was given; the envelope has it by this machine's clock.
    """

    envelope: CheckedEnvelope
    rules: Rules
    missing: Sequence[str] = ()
    expires_in: float | None = None

    def at_clock(self, now: float) -> Self:
        """Returns the same, with a span until expiry reckoned from ``now``: of Redis' clock."""
        if self.expires_in is None:
            return self
        return replace(
            self, envelope=structs.replace(self.envelope, expires_at=now + self.expires_in)
        )


def target_of(
    options: SendOptions, settings: Settings, *, defaults: Mapping[str, str] | None = None
) -> SendTarget:
    """Returns what flags and settings say; ``defaults`` stand in for what neither gives.

    Keys of ``defaults``: ``space_token``, ``pilot``, ``context``, ``account``. A rehearsal does
    without them. Raises `click.UsageError` that names flag and setting.
    """
    stand_in = defaults or {}
    _refuse_empty_flags(options)
    wanted = {
        field: getattr(options, field) or getattr(settings, field) or stand_in.get(field)
        for field in ("space_token", "pilot", "context")
    }
    missing = [field for field, value in wanted.items() if not value]
    if options.dry_run:
        wanted |= dict.fromkeys(missing, NOT_GIVEN)
    for field, value in wanted.items():
        if not value:
            word = field.replace("_", " ")
            flag = f"--{field.replace('_', '-')}"
            raise click.UsageError(f"no {word}: give {flag} or set CALLSPOOL_{field.upper()}")
    space_token = wanted["space_token"] or ""
    if is_cut(space_token):
        raise click.UsageError(
            f"--space-token: {shorten_token(space_token)} is but the shown beginning of a token:"
            " give the whole token"
        )
    rules = Rules(options.region or settings.region, settings.send_e164, settings.context)
    request = CallRequest(
        space_token=space_token,
        pilot=wanted["pilot"] or "",
        documents=[_ANYBODY],
        context=wanted["context"],
        schedule=options.schedule,
        campaign=options.campaign,
        account=options.account or stand_in.get("account"),
        expires_at=options.expires.at(time.time()) if options.expires else None,
    )
    try:
        span = options.expires.span if options.expires else None
        return SendTarget(prepare(request, rules).envelope, rules, missing, span)
    except InvalidCallRequest as fault:
        flag = _FLAGS.get(fault.field, f"--{fault.field.partition('.')[0].replace('_', '-')}")
        raise click.UsageError(f"{flag}: {fault.reason}") from None


def _refuse_empty_flags(options: SendOptions) -> None:
    """A script's variable that is not set must not mean the space, or account, of the settings."""
    for field in ("space_token", "pilot", "context", "account"):
        value = getattr(options, field)
        if value is not None and not value.strip():
            flag = f"--{field.replace('_', '-')}"
            raise click.UsageError(f"{flag}: is empty: give a value, or leave the flag out")
