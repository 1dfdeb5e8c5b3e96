"""Caps as `callspool campaign` takes and shows them: how often a number may be called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from callspool.hours.caps import CAP_SCOPES, read_cap_scope, read_caps
from callspool_operators.terminal.wording import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from callspool.hours.caps import Cap, CapScope
    from callspool_ledger.reads.campaigns import CampaignName
    from callspool_ledger.steering.campaigns import CapView

_cap_scope = click.option(
    "--cap-scope",
    metavar="|".join(CAP_SCOPES),
    help="Which calls a cap counts, and for which it holds.  [default: campaign]",
)
_cap = click.option(
    "--cap",
    multiple=True,
    metavar="3/7d",
    help="Most calls of a number in any 7 days (d), hours (h) or minutes (min); may be repeated.",
)


def cap_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of caps to a command that sets."""
    return _cap(_cap_scope(command))


def cap_scope_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the option that says whose caps are taken back."""
    return _cap_scope(command)


class CapChange(NamedTuple):
    """Caps that are to be the only ones of their scope; none takes them back."""

    scope: CapScope
    caps: Sequence[Cap]

    @classmethod
    def from_options(cls, given: dict[str, Any], *, takes_back: bool = False) -> CapChange | None:
        """Takes what concerns caps out of the options given; raises `CampaignError`."""
        caps, scope = given.pop("cap", None), given.pop("cap_scope", None)
        if scope is not None and not caps:
            raise click.UsageError("--cap-scope says whose cap it is: name a --cap with it")
        if not caps:
            return None
        return cls(read_cap_scope(scope or "campaign"), () if takes_back else read_caps(caps))

    def names_of(self, name: CampaignName) -> dict[str, str]:
        """Returns whom the caps are for, where ``name`` was named."""
        if self.scope == "installation":
            return {}
        if self.scope == "account":
            return {"account": name.account}
        return name._asdict()


def cap_lines(views: Sequence[CapView]) -> Iterator[str]:
    """Yields the caps in words, a line for each that they are for."""
    for view in views:
        caps = " and ".join(f"at most {cap}" for cap in view.caps)
        yield f"cap of {_owner(view)}: {caps} to a number"


def _owner(view: CapView) -> str:
    """Returns in words whose a cap is."""
    if view.scope == "installation":
        return "the whole installation"
    named = f"account {view.account}"
    if view.campaign is None:
        return named
    campaign = f"campaign {plain(view.campaign, 80)}" if view.campaign else "no campaign"
    return f"{campaign} of {named}"
