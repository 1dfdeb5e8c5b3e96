"""Reading files of contacts: CSV and JSON Lines become checked documents, row by row."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callspool_operators.lists.errors import IntakeError
    from callspool_operators.lists.intake import FileView, Intake, IntakeOptions, RejectsFile
    from callspool_operators.lists.row import Likeness, Row, RowCounts

__all__ = [
    "FileView",
    "Intake",
    "IntakeError",
    "IntakeOptions",
    "Likeness",
    "RejectsFile",
    "Row",
    "RowCounts",
]

_HOMES = {
    "FileView": "callspool_operators.lists.intake",
    "Intake": "callspool_operators.lists.intake",
    "IntakeError": "callspool_operators.lists.errors",
    "IntakeOptions": "callspool_operators.lists.intake",
    "Likeness": "callspool_operators.lists.row",
    "RejectsFile": "callspool_operators.lists.intake",
    "Row": "callspool_operators.lists.row",
    "RowCounts": "callspool_operators.lists.row",
}


def __getattr__(name: str) -> object:
    """Imports a name when it is first asked for: commands that read no files know columns, too."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
