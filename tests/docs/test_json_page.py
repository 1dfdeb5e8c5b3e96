"""docs/json.md: every command with --json is on it, with the fields that it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from callspool_operators.group import callspool
from tests.docs import json_page


def commands_with_json(command: click.Command, context: click.Context) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands_with_json(found, click.Context(found, context, info_name=name))
    elif any("--json" in each.opts for each in command.params):
        yield context.command_path.removeprefix("callspool ")


def test_every_command_with_json_is_on_the_page():
    text = json_page.PAGE.read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (.+)$", text, re.MULTILINE))
    root = click.Context(callspool, info_name="callspool")
    assert set(commands_with_json(callspool, root)) - headings == set()


def test_commands_print_the_fields_that_the_page_names(tmp_path: Path):
    text = json_page.PAGE.read_text(encoding="utf-8")
    assert json_page.page(json_page.sections(tmp_path)) == text, "python -m tests.docs.json_page"
