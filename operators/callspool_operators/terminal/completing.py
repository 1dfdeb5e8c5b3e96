"""Values of options, for shells that complete them: known without asking Redis."""

import os
from collections.abc import Set

import click
from click.shell_completion import CompletionItem

from callspool.errors import CallspoolError
from callspool.request.call_request import list_regions
from callspool.settings import load_settings


def accounts(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The accounts that the settings name, and the sandbox's."""
    try:
        known = set(load_settings(os.environ).accounts)
    except CallspoolError:
        known = set()
    return _items(known | {"sandbox"}, incomplete)


def regions(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Regions of phone numbers."""
    return _items(list_regions(), incomplete.upper())


def schedules(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """When calls may be made."""
    return _items({"now", "auto", "custom:"}, incomplete)


def _items(values: Set[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(value) for value in sorted(values) if value.startswith(incomplete)]
