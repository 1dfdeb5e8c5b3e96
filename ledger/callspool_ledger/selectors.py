"""Which documents an operator means: some of account, space, campaign and lane; or everything."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass, fields
from typing import TypeAlias

from callspool.request.identity import Scope
from callspool.request.text import shorten_token

SEPARATOR = "\x1f"
"""Joins the parts of a selector's name; no part of a scope holds control characters."""

EVERYTHING = "all"

LANE_OF_CLASS = "-"
"""Joins the id of a lane and what tells apart those of its classes of zones."""


def whole_lane(lane: str) -> str:
    """Returns the lane of which this one holds the documents of one class of zones."""
    return lane.partition(LANE_OF_CLASS)[0]


def lane_of_class(lane: str, zones: str) -> str:
    """Returns the lane that holds the documents of a lane whose zones are of a class."""
    digest = hashlib.blake2b(zones.encode(), digest_size=4).hexdigest()
    return f"{whole_lane(lane)}{LANE_OF_CLASS}{digest}"


ScopesOfLanes: TypeAlias = dict[str, Scope]


@dataclass(frozen=True, slots=True)
class Selector:
    """None means every one; a campaign of "" is none. ``lane`` stands alone."""

    account: str | None = None
    space_token: str | None = None
    campaign: str | None = None
    lane: str | None = None

    @property
    def name(self) -> str:
        """The field of P:pauses for it (`keys`): ``account=…``, ``space=…`` and so on."""
        words = ("account", "space", "campaign", "lane")
        given = zip(words, self._parts(), strict=True)
        parts = [f"{word}={part}" for word, part in given if part is not None]
        return SEPARATOR.join(parts) or EVERYTHING

    @classmethod
    def from_name(cls, name: str) -> Selector:
        """Returns the selector with this name."""
        if name == EVERYTHING:
            return cls()
        parts = dict(part.split("=", 1) for part in name.split(SEPARATOR))
        return cls(
            parts.get("account"), parts.get("space"), parts.get("campaign"), parts.get("lane")
        )

    @classmethod
    def of_gate(cls, gate: str) -> Selector:
        """Returns what stands behind a gate that workers park."""
        level, _, name = gate.partition(":")
        if level == "lane":
            return cls(lane=name)
        account, bar, space_token = name.partition("|")
        return cls(account, space_token if bar else None)

    @property
    def level(self) -> str:
        """all, account, space, campaign or lane; of several, the narrowest."""
        named = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        return (named or [EVERYTHING])[-1].removesuffix("_token")

    def covers(self, scope: Scope, lane: str) -> bool:
        """Returns whether documents of this scope and lane are meant."""
        return (
            (self.account is None or self.account == scope.account)
            and (self.space_token is None or self.space_token == scope.space_token)
            and (self.campaign is None or self.campaign == scope.campaign)
            and (self.lane is None or self.lane in {lane, whole_lane(lane)})
        )

    def contains(self, other: Selector, lanes: ScopesOfLanes) -> bool:
        """Returns whether all that the other means is meant; ``lanes`` give a lane's scope."""
        theirs = other.widen(lanes)._parts()
        return all(
            want is None or want == has for want, has in zip(self._parts(), theirs, strict=True)
        )

    def meets(self, other: Selector, lanes: ScopesOfLanes) -> bool:
        """Returns whether there may be something that both mean."""
        ours, theirs = self.widen(lanes)._parts(), other.widen(lanes)._parts()
        return all(
            one is None or two is None or one == two for one, two in zip(ours, theirs, strict=True)
        )

    def widen(self, lanes: ScopesOfLanes) -> Selector:
        """Returns the same with the scope of its lane, where that is known."""
        scope = lanes.get(self.lane) if self.lane else None
        return Selector(*scope, self.lane) if scope else self

    def as_object(self) -> dict[str, str]:
        """Returns the parts that are given, as scripts and the journal have them."""
        return {
            field.name: part
            for field, part in zip(fields(self), self._parts(), strict=True)
            if part is not None
        }

    @property
    def flags(self) -> str:
        """What names it on a command line, the space token shortened."""
        if self == Selector():
            return "--all"
        shown = {**self.as_object()}
        if self.space_token is not None:
            shown["space_token"] = shorten_token(self.space_token)
        return " ".join(
            f"--{field.replace('_', '-')} {_quote(part)}" for field, part in shown.items()
        )

    def _parts(self) -> tuple[str | None, str | None, str | None, str | None]:
        return self.account, self.space_token, self.campaign, self.lane


def _quote(part: str) -> str:
    """Safe in a shell; the dots of a shortened token need no quotes."""
    return part if part.replace("…", "").isalnum() else shlex.quote(part)
