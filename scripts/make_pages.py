"""Writes the pages of docs that are made from code, so that the two cannot differ.

python -m scripts.make_pages

settings.md and logs.md have a frame beside this script, in which what the code says takes the place
of a comment. openapi.json says what `callspool serve` takes and answers.
"""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import msgspec

from callspool.settings import table
from callspool_operators.serving.app import describe_routes
from callspool_worker.events import EVENTS, Event

DOCS = Path(__file__).parent.parent / "docs"


def make_pages() -> dict[str, str]:
    """Returns the pages as they have to be, by their names."""
    return {
        "settings.md": _frame("settings.md", "<!-- settings -->\n", table.reference()),
        "logs.md": _frame("logs.md", "<!-- events -->\n", "\n".join(map(_entry, EVENTS)) + "\n"),
        "openapi.json": describe_routes().decode(),
    }


def _frame(name: str, mark: str, text: str) -> str:
    frame = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return frame.replace(mark, text)


def _entry(event: type[Event]) -> str:
    """An event with its fields, in Markdown."""
    text = textwrap.dedent(inspect.getdoc(event) or "").replace("``", "`")
    urgency = "by outcome" if "urgency" in vars(event) else event.level
    names = [f"`{field.name}`" for field in msgspec.structs.fields(event)]
    fields = f"Fields: {', '.join(names)}." if names else "No fields."
    return f"### `{event.kind}` ({urgency})\n\n{text}\n\n{fields}\n"


if __name__ == "__main__":
    for name, text in make_pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
