"""Writes docs/logs.md from the typed events, so that the two cannot differ.

python -m scripts.make_logs_page
"""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import msgspec

from callspool_worker.events import EVENTS, Event

PAGE = Path(__file__).parent.parent / "docs" / "logs.md"
FRAME = Path(__file__).parent / "logs.md"
HERE = "<!-- events -->\n"


def page() -> str:
    """The page as it has to be."""
    return FRAME.read_text(encoding="utf-8").replace(HERE, reference())


def reference() -> str:
    """Every event with its fields, as a Markdown list."""
    return "\n".join(map(_entry, EVENTS)) + "\n"


def _entry(event: type[Event]) -> str:
    text = textwrap.dedent(inspect.getdoc(event) or "").replace("``", "`")
    urgency = "by outcome" if "urgency" in vars(event) else event.level
    names = [f"`{field.name}`" for field in msgspec.structs.fields(event)]
    fields = f"Fields: {', '.join(names)}." if names else "No fields."
    return f"### `{event.kind}` ({urgency})\n\n{text}\n\n{fields}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
